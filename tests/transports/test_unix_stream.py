"""Unix stream sockets; and, for both kinds, who owns the file."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from acceptor import (
    Closed,
    ConfigurationError,
    ListenError,
    NeedsHandler,
    Phase,
    ServerBuilder,
    UnixPeer,
)
from acceptor.transports import unix_path
from tests.support import Recorder, connect, read_all, serving

Stage: TypeAlias = Callable[..., NeedsHandler[Any, Any]]

KINDS = {"stream": socket.SOCK_STREAM, "datagram": socket.SOCK_DGRAM}


def ignore(request: Any, peer: Any, server: Any) -> None:
    """Serve nothing."""


def greet(request: socket.socket, peer: Any, server: Any) -> None:
    request.sendall(b"hello")


def hear(address: Any) -> bytes:
    with connect(address) as client:
        return read_all(client)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def at(kind: str) -> Stage:
    """Return the builder's step for this kind of Unix socket."""
    builder = ServerBuilder()
    return builder.unix_stream if kind == "stream" else builder.unix_datagram


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it.sock"


def leave_behind(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """Leave a socket's file there, as a killed server does."""
    with socket.socket(socket.AF_UNIX, kind) as dead:
        dead.bind(str(path))


@contextlib.contextmanager
def owner(path: Path, kind: str) -> Generator[None, None, None]:
    """Have somebody else live at the path."""
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(
            socket.socket(socket.AF_UNIX, KINDS[kind.rsplit(maxsplit=1)[-1]])
        )
        live.bind(str(path))
        if kind == "connected datagram":
            other = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            other.bind("")
            live.connect(other.getsockname())
        if kind.endswith("stream"):
            live.listen(0)
        if kind == "busy stream":
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(path))
        yield


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
def test_unix_stream_serves_on_its_path(path: Path, strategy: str) -> None:
    ready = getattr(ServerBuilder().unix_stream(path), strategy)().handler(greet)

    with serving(ready) as server:
        assert server.address == UnixPeer(str(path))
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert hear(server.address) == b"hello"


def test_unix_stream_backlog_is_what_is_given(path: Path) -> None:
    with (
        ServerBuilder().unix_stream(path, backlog=2).handler(ignore).build(),
        contextlib.ExitStack() as clients,
    ):
        connected = 0
        with contextlib.suppress(BlockingIOError):
            for connected in range(10):  # noqa: B007 - the last one fails
                client = clients.enter_context(socket.socket(socket.AF_UNIX))
                client.setblocking(False)
                client.connect(str(path))

    assert connected in (2, 3)  # Linux lets one more in than was asked


def test_unix_stream_backlog_is_large_unless_given(path: Path) -> None:
    with (
        ServerBuilder().unix_stream(path).handler(ignore).build(),
        contextlib.ExitStack() as clients,
    ):
        for _ in range(100):
            client = clients.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            client.connect(str(path))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backlog": 0}, ("backlog", "1 or more", "0")),
        ({"backlog": 2**31}, ("backlog", str(2**31))),
        ({"socket_options": [(1, 2)]}, ("socket option", "(1, 2)")),
    ],
)
def test_unix_stream_refuses_a_wrong_option_where_it_is_given(
    path: Path, options: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ServerBuilder().unix_stream(path, **options)

    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_unix_stream_socket_options_are_set(path: Path) -> None:
    given = (socket.SOL_SOCKET, socket.SO_SNDBUF, 30_000)
    with socket.socket(socket.AF_UNIX) as other:
        other.setsockopt(*given)
        expected = other.getsockopt(*given[:2])

    server = ServerBuilder().unix_stream(path, socket_options=[given]).handler(ignore).build()
    with server, socket.socket(fileno=os.dup(server.fileno())) as sock:
        assert sock.getsockopt(*given[:2]) == expected


@pytest.mark.parametrize("other", ["stream", "datagram", "busy stream", "connected datagram"])
def test_unix_path_of_a_live_owner_is_refused(at: Stage, path: Path, other: str) -> None:
    with owner(path, other):
        before = path.stat()

        with pytest.raises(ListenError, match="a live server has it") as caught:
            at(path).handler(ignore).build().listen()

        assert caught.value.errno == errno.EADDRINUSE
        assert str(path) in str(caught.value)
        assert path.stat().st_ino == before.st_ino


def test_unix_path_of_our_own_live_server_is_refused(at: Stage, path: Path) -> None:
    with at(path).handler(ignore).build():
        with pytest.raises(ListenError, match="a live server has it"):
            at(path).handler(ignore).build().listen()

        assert path.exists()


@pytest.mark.parametrize("other", KINDS)
def test_unix_file_of_a_dead_server_is_replaced(at: Stage, path: Path, other: str) -> None:
    leave_behind(path, KINDS[other])
    os.link(path, path.with_name("old"))  # so that its inode is not given away again

    with at(path).handler(ignore).build():
        assert path.stat().st_ino != path.with_name("old").stat().st_ino


@pytest.mark.parametrize("make", ["file", "folder", "link", "dangling link"])
def test_unix_path_of_something_else_is_never_touched(at: Stage, path: Path, make: str) -> None:
    other = path.with_name("other")
    match make:
        case "file":
            path.write_text("precious")
        case "folder":
            path.mkdir()
        case "link":
            leave_behind(other)
            path.symlink_to(other)
        case _:
            path.symlink_to(other)
    before = path.lstat()

    with pytest.raises(ListenError, match="it exists and is no socket") as caught:
        at(path).handler(ignore).build().listen()

    assert caught.value.errno == errno.EEXIST
    assert str(path) in str(caught.value)
    assert (path.lstat().st_ino, path.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("attempt", range(10))
def test_unix_file_is_gone_once_the_server_has_stopped(at: Stage, path: Path, attempt: int) -> None:
    server = at(path).handler(ignore).build().start()

    server.stop()

    assert not path.exists()


def test_unix_file_is_removed_by_a_server_that_never_served(at: Stage, path: Path) -> None:
    with at(path).handler(ignore).build():
        assert path.exists()

    assert not path.exists()


@pytest.mark.parametrize("make", ["socket", "file", "nothing"])
def test_unix_close_removes_only_what_it_made(at: Stage, path: Path, make: str) -> None:
    with at(path).handler(ignore).build():
        path.unlink()
        if make == "socket":
            leave_behind(path)
        elif make == "file":
            path.write_text("precious")

    assert path.exists() == (make != "nothing")


def test_unix_close_removes_its_file_from_another_folder(
    at: Stage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    with at("it.sock").handler(ignore).build():
        assert path.exists()
        monkeypatch.chdir("/")

    assert not path.exists()


@pytest.mark.parametrize("attempt", range(5))
def test_unix_servers_that_race_for_a_dead_file_leave_one_winner(path: Path, attempt: int) -> None:
    servers = [ServerBuilder().unix_stream(path).handler(greet).build() for _ in range(8)]
    errors: list[ListenError] = []
    barrier = threading.Barrier(len(servers))

    def race(number: int) -> None:
        barrier.wait()
        try:
            servers[number].listen()
        except ListenError as error:
            errors.append(error)

    leave_behind(path)
    threads = [threading.Thread(target=race, args=(number,)) for number in range(len(servers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [server for server in servers if server.phase is Phase.LISTENING]
    try:
        assert len(winners) == 1
        assert len(errors) == len(servers) - 1
        winners[0].start()
        assert hear(winners[0].address) == b"hello"
    finally:
        for server in winners:
            server.stop()


def test_unix_server_goes_without_the_lock_when_somebody_keeps_the_folder_locked(
    at: Stage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix_path, "_LOCK_PATIENCE", 0.0)
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)

    try:
        with at(path).handler(ignore).build():
            assert path.is_socket()
    finally:
        os.close(folder)


def test_unix_file_survives_the_end_of_a_forked_child(at: Stage, kind: str, path: Path) -> None:
    recorder = Recorder()

    with serving(at(path).forked().observe(recorder).handler(ignore)):
        for served in (1, 2):
            with socket.socket(socket.AF_UNIX, KINDS[kind]) as client:
                client.connect(str(path))
                if kind == "datagram":
                    client.send(b"")
            recorder.wait_for(Closed, served)

            assert path.exists()


@pytest.mark.parametrize("way", ["stop", "with block"])
def test_unix_file_survives_a_forked_child_that_ends_the_server(
    at: Stage, path: Path, way: str
) -> None:
    with at(path).handler(ignore).build() as server:
        pid = os.fork()
        if pid == 0:
            try:
                if way == "stop":
                    server.stop()
                else:
                    with server:
                        sys.exit()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)

        assert path.exists()
        with pytest.raises(ListenError, match="a live server has it"):
            at(path).handler(ignore).build().listen()

    assert not path.exists()
