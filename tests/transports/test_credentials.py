"""Who is at the other end of a Unix socket, as the kernel tells."""

import contextlib
import ctypes
import errno
import importlib.util
import os
import socket
import struct
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from acceptor import Accepted, NeedsHandler, Server, ServerBuilder, UnixPeer
from acceptor.transports import credentials
from tests.support import PATIENCE, Recorder, connect, read_all, serving


def introduce(request: socket.socket, peer: UnixPeer, server: Server[Any, Any]) -> None:
    request.sendall(repr((peer.path, peer.pid, peer.uid, peer.gid)).encode())


@contextlib.contextmanager
def other_process(act: Callable[[], None]) -> Generator[int, None, None]:
    """Have a child do something; yield its number, and see that all went well."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except BaseException:
            os._exit(1)
        os._exit(0)
    try:
        yield pid
    finally:
        assert os.waitpid(pid, 0)[1] == 0


@pytest.fixture(params=["sync", "threaded", "pooled", "forked"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> NeedsHandler[Any, Any]:
    chosen: NeedsHandler[Any, Any] = getattr(
        ServerBuilder().unix_stream(tmp_path / "it.sock"), request.param
    )()
    return chosen


def test_unix_peer_carries_the_process_of_the_client(stage: NeedsHandler[Any, Any]) -> None:
    with serving(stage.handler(introduce)) as server, connect(server.address) as client:
        answer = read_all(client).decode()

    assert answer == repr(("", os.getpid(), os.geteuid(), os.getegid()))


def test_unix_peer_is_the_client_and_not_the_server(tmp_path: Path) -> None:
    def visit() -> None:
        with connect(server.address) as client:
            read_all(client)

    recorder = Recorder()
    ready = ServerBuilder().unix_stream(tmp_path / "it.sock").observe(recorder).handler(introduce)

    with serving(ready) as server, other_process(visit) as pid:
        [accepted] = recorder.wait_for(Accepted)

    assert isinstance(accepted.peer, UnixPeer)
    assert accepted.peer.pid == pid != os.getpid()
    assert accepted.peer == (f"unix:pid={pid},uid={os.geteuid()},gid={os.getegid()}", 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_unix_peer_carries_another_user(tmp_path: Path) -> None:
    def visit() -> None:
        os.setgid(65533)
        os.setuid(65534)
        with connect(UnixPeer(f"@{tmp_path}")) as client:
            read_all(client)

    recorder = Recorder()
    ready = ServerBuilder().unix_stream(f"@{tmp_path}").observe(recorder).handler(introduce)

    with serving(ready), other_process(visit):
        [accepted] = recorder.wait_for(Accepted)

    assert isinstance(accepted.peer, UnixPeer)
    assert (accepted.peer.uid, accepted.peer.gid) == (65534, 65533)


@pytest.mark.parametrize("abstract", [False, True])
def test_unix_peer_carries_the_path_of_a_bound_client(tmp_path: Path, abstract: bool) -> None:
    if abstract and sys.platform != "linux":
        pytest.skip("abstract names are Linux's alone")
    name = f"{tmp_path}/client"
    ready = ServerBuilder().unix_stream(tmp_path / "it.sock").handler(introduce)

    with serving(ready) as server, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.bind(f"\0{name}" if abstract else name)
        client.connect(server.address.path)
        answer = read_all(client).decode()

    told = f"@{name}" if abstract else name
    assert answer == repr((told, os.getpid(), os.geteuid(), os.getegid()))


# What follows runs the code of other systems. `getpeereid` itself is theirs: here it is played
# by a C function of the same signature, so that the way through ctypes is the real one.


@pytest.fixture
def pair() -> Generator[tuple[socket.socket, socket.socket], None, None]:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        yield one, other


def credentials_on(platform: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the module anew, as it is on another system."""
    monkeypatch.setattr(sys, "platform", platform)
    spec = importlib.util.spec_from_file_location(
        f"credentials_on_{platform}", credentials.__file__
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def play_getpeereid(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], tuple[int, int]]
) -> None:
    number = ctypes.POINTER(ctypes.c_uint32)

    def getpeereid(fd: int, uid: Any, gid: Any) -> int:
        try:
            uid[0], gid[0] = answer(fd)
        except OSError as error:
            ctypes.set_errno(error.errno or 0)
            return -1
        return 0

    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, number, number, use_errno=True)
    in_c = prototype(getpeereid)

    class Libc:
        def __init__(self, name: None, use_errno: bool) -> None:
            assert use_errno
            self.getpeereid = in_c

    monkeypatch.setattr(ctypes, "CDLL", Libc)


def so_peercred(fd: int) -> tuple[int, int]:
    with socket.socket(fileno=os.dup(fd)) as sock:
        packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        uid, gid = struct.unpack("3i", packed)[1:]
        return uid, gid


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="needs another way to know")
@pytest.mark.parametrize("platform", ["darwin", "freebsd14"])
def test_unix_peer_comes_from_getpeereid_elsewhere(
    platform: str, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    play_getpeereid(monkeypatch, so_peercred)

    peer = credentials_on(platform, monkeypatch).unix_peer(pair[0], "/client")

    assert (peer.path, peer.pid) == ("/client", None)
    assert (peer.uid, peer.gid) == (os.geteuid(), os.getegid())


def test_unix_peer_from_getpeereid_knows_large_numbers(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = 2**32 - 2  # as on macOS

    play_getpeereid(monkeypatch, lambda fd: (nobody, nobody - 1))
    peer = credentials_on("darwin", monkeypatch).unix_peer(pair[0], "")

    assert (peer.uid, peer.gid) == (nobody, nobody - 1)


def test_unix_peer_raises_when_getpeereid_fails(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int) -> tuple[int, int]:
        raise OSError(errno.ENOTCONN, "")

    play_getpeereid(monkeypatch, fail)
    module = credentials_on("darwin", monkeypatch)

    with pytest.raises(OSError, match="not connected") as caught:
        module.unix_peer(pair[0], "")

    assert caught.value.errno == errno.ENOTCONN


def test_unix_peer_carries_no_process_on_windows(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = credentials_on("win32", monkeypatch).unix_peer(pair[0], "/client")

    assert repr(peer) == "UnixPeer(path='/client', pid=None, uid=None, gid=None)"
