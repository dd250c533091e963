"""Unix datagram sockets; and, for both kinds, what the name and the file look like."""

import contextlib
import errno
import fcntl
import grp
import os
import pwd
import queue
import resource
import socket
import stat
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from acceptor import (
    AcceptorError,
    ConfigurationError,
    Datagram,
    EndpointError,
    ListenError,
    NeedsHandler,
    NoReturnAddressError,
    Ready,
    Server,
    ServerBuilder,
    UnixPeer,
)
from acceptor.core.endpoint import UnixEndpoint, UnixgramEndpoint
from acceptor.transports.unix_path import MAX_PATH
from tests.support import PATIENCE, serving

Stage: TypeAlias = Callable[..., NeedsHandler[Any, Any]]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's alone")


def ignore(request: Any, peer: Any, server: Any) -> None:
    """Serve nothing."""


def echo(datagram: Datagram, peer: Any, server: Server[Any, Any]) -> None:
    datagram.reply(datagram.payload)


@pytest.fixture(params=["stream", "datagram"])
def at(request: pytest.FixtureRequest) -> Stage:
    """Return the builder's step for each kind of Unix socket."""
    builder = ServerBuilder()
    return builder.unix_stream if request.param == "stream" else builder.unix_datagram


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it.sock"


@pytest.fixture
def umask() -> Generator[int, None, None]:
    """Set an unusual umask for the test."""
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


@contextlib.contextmanager
def client_at(name: Any, server: Path | None) -> Generator[socket.socket, None, None]:
    """Yield a client, bound and connected as far as the names are given."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        if name is not None:
            client.bind(name if isinstance(name, bytes) else str(name))
        if server is not None:
            client.connect(str(server))
        yield client


@pytest.mark.parametrize("size", [0, 1, 65_507, 65_535])
def test_unix_datagram_carries_payloads_both_ways(path: Path, size: int) -> None:
    payload = os.urandom(size)

    with (
        serving(ServerBuilder().unix_datagram(path).handler(echo)),
        client_at(path.with_name("client"), path) as client,
    ):
        client.send(payload)

        assert client.recv(2 * 65_536) == payload


@pytest.mark.parametrize(
    ("limit", "truncated"), [({}, True), ({"max_datagram_size": 100_000}, False)]
)
def test_unix_datagram_says_whether_it_was_cut(
    path: Path, limit: dict[str, int], truncated: bool
) -> None:
    got: queue.Queue[Datagram] = queue.Queue()
    ready = ServerBuilder().unix_datagram(path, **limit).handler(lambda d, *_: got.put(d))  # type: ignore[arg-type]

    with serving(ready), client_at(None, path) as client:
        client.send(b"x" * 70_000)
        datagram = got.get(timeout=PATIENCE)

    assert len(datagram.payload) == (65_535 if truncated else 70_000)
    assert datagram.truncated == truncated


@pytest.mark.parametrize("name", ["path", "@name", "@file"])
def test_unix_datagram_tells_and_answers_its_sender(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(datagram: Datagram, peer: UnixPeer, server: Any) -> None:
        datagram.reply(repr(peer).encode())

    monkeypatch.chdir(path.parent)
    # The last is a file, whatever it looks like: what decides is the sender's leading NUL byte.
    bound, told = {
        "path": (str(path.with_name("client")), str(path.with_name("client"))),
        "@name": (f"\0{path}", f"@{path}"),
        "@file": ("@file", "./@file"),
    }[name]
    with (
        serving(ServerBuilder().unix_datagram(path).handler(tell)),
        client_at(bound, path) as client,
    ):
        client.send(b"who am I?")

        assert (
            client.recv(1000).decode() == f"UnixPeer(path={told!r}, pid=None, uid=None, gid=None)"
        )


def test_unix_datagram_of_an_unbound_sender_cannot_be_answered(path: Path) -> None:
    errors: queue.Queue[Exception] = queue.Queue()

    def answer(datagram: Datagram, peer: UnixPeer, server: Any) -> None:
        with pytest.raises(NoReturnAddressError, match="the client must bind it first") as caught:
            datagram.reply(b"to whom?")
        assert peer.path == ""
        errors.put(caught.value)

    with (
        serving(ServerBuilder().unix_datagram(path).handler(answer)),
        client_at(None, path) as client,
    ):
        client.send(b"hello")
        error = errors.get(timeout=PATIENCE)

    assert isinstance(error, OSError)
    assert error.errno == errno.EDESTADDRREQ


@pytest.mark.parametrize("gone", ["file removed", "socket closed", "someone else's"])
def test_unix_reply_returns_false_when_nobody_is_there_any_more(path: Path, gone: str) -> None:
    may_answer, taken = threading.Event(), queue.Queue[bool]()

    def answer(datagram: Datagram, peer: UnixPeer, server: Any) -> None:
        may_answer.wait(PATIENCE)
        taken.put(datagram.reply(b"too late"))

    name = path.with_name("client")
    with serving(ServerBuilder().unix_datagram(path).handler(answer)):
        with client_at(name, path) as client:
            client.send(b"hello")
        if gone != "socket closed":
            name.unlink()
        if gone == "someone else's":
            name.write_text("precious")
        may_answer.set()

        assert taken.get(timeout=PATIENCE) is False


def fill_queue_of(client: Path) -> int:
    """Send to a client until no more fits; return how many that were."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        for count in range(100_000):
            try:
                filler.sendto(b"fill", str(client))
            except BlockingIOError:
                return count
    pytest.skip("the system's queues have no limit")


class Watched(socket.socket):
    """A socket that tells when a receiver's queue has been found full."""

    full: threading.Event

    def sendto(self, *args: Any) -> int:
        try:
            return super().sendto(*args)
        except BlockingIOError:
            self.full.set()
            raise


@pytest.fixture(params=["low", "high"])
def watched(request: pytest.FixtureRequest, path: Path) -> Generator[Watched, None, None]:
    """Yield a bound socket; once with a number that is too large for select(2)."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2000), limits[1]))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        lowest = 1500 if request.param == "high" else 0
        with Watched(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, lowest)) as watched:
            watched.full = threading.Event()
            watched.bind(str(path))
            yield watched
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def replying(sock: socket.socket) -> tuple[Ready[Any, Any], "queue.Queue[object]"]:
    """Answer each datagram on this socket, and keep what comes of it."""
    taken: queue.Queue[object] = queue.Queue()

    def answer(datagram: Datagram, peer: Any, server: Any) -> None:
        try:
            taken.put(datagram.reply(b"late"))
        except Exception as error:
            taken.put(error)

    return ServerBuilder().socket(sock, socket.SOCK_DGRAM).handler(answer), taken


def test_unix_reply_waits_for_room_in_a_full_queue(
    path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acceptor.transports.datagrams.SEND_SECONDS", PATIENCE)
    ready, taken = replying(watched)
    name = path.with_name("client")

    with serving(ready), client_at(name, None) as client:
        fillers = fill_queue_of(name)
        client.sendto(b"hello", str(path))
        watched.full.wait(PATIENCE)
        for _ in range(fillers):
            client.recv(100)

        assert taken.get(timeout=PATIENCE) is True
        assert client.recv(100) == b"late"


def test_unix_reply_returns_false_when_the_queue_stays_full(
    path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acceptor.transports.datagrams.SEND_SECONDS", 0.01)
    ready, taken = replying(watched)
    name = path.with_name("client")

    with serving(ready), client_at(name, None) as client:
        fill_queue_of(name)
        client.sendto(b"hello", str(path))

        assert taken.get(timeout=PATIENCE) is False


def test_unix_datagram_options_are_set(path: Path) -> None:
    given = (socket.SOL_SOCKET, socket.SO_SNDBUF, 30_000)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setsockopt(*given)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)
        expected = [other.getsockopt(socket.SOL_SOCKET, n) for n in (given[1], socket.SO_RCVBUF)]

    stage = ServerBuilder().unix_datagram(path, receive_buffer_size=20_000, socket_options=[given])
    with (
        stage.handler(ignore).build() as server,
        socket.socket(fileno=os.dup(server.fileno())) as sock,
    ):
        found = [sock.getsockopt(socket.SOL_SOCKET, n) for n in (given[1], socket.SO_RCVBUF)]

    assert found == expected


def test_unix_mode_is_left_to_the_umask(at: Stage, path: Path, umask: int) -> None:
    with at(path).handler(ignore).build():
        assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777, 0])
def test_unix_mode_is_exactly_what_is_given(at: Stage, path: Path, umask: int, mode: int) -> None:
    with at(path, mode=mode).handler(ignore).build():
        assert stat.S_IMODE(path.stat().st_mode) == mode

    assert os.umask(umask) == umask


@pytest.mark.parametrize("options", [{"mode": 0o666}, {"owner": os.getuid()}])
def test_unix_file_lets_nobody_in_before_it_is_dressed(
    at: Stage, path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def watched(change: Callable[..., None]) -> Callable[..., None]:
        def look_first(*args: Any, **options: Any) -> None:
            seen.append(stat.S_IMODE(path.stat().st_mode))
            change(*args, **options)

        return look_first

    monkeypatch.setattr(os, "chmod", watched(os.chmod))
    monkeypatch.setattr(os, "chown", watched(os.chown))

    with at(path, **options).handler(ignore).build():
        assert seen
        assert set(seen) == {0}


@pytest.mark.parametrize("by", ["number", "name"])
def test_unix_owner_and_group_are_set(at: Stage, path: Path, by: str, umask: int) -> None:
    # Only root may give a file away; others may give it to themselves.
    uid, gid = (65534, 65534) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    options: dict[str, Any] = {"owner": uid, "group": gid}
    if by == "name":
        options = {"owner": pwd.getpwuid(uid).pw_name, "group": grp.getgrgid(gid).gr_name}

    with at(path, **options).handler(ignore).build():
        found = path.stat()

    assert (found.st_uid, found.st_gid) == (uid, gid)
    assert stat.S_IMODE(found.st_mode) == 0o777 & ~umask


def test_unix_file_goes_again_when_it_cannot_be_dressed(
    at: Stage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "chown", refuse)

    with pytest.raises(ListenError, match=str(path)) as caught:
        at(path, owner=1).handler(ignore).build().listen()

    assert caught.value.errno == errno.EPERM
    assert not path.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "rw"}, ("mode", "'rw'")),
        ({"mode": "0660"}, ("mode", "'0660'")),
        ({"mode": -1}, ("mode", "-1")),
        ({"mode": 660}, ("0o660", "0o777", "got 660")),
        ({"mode": 0o1777}, ("mode", "0o777")),
        ({"mode": True}, ("mode", "True")),
        ({"owner": "no such user"}, ("no user", "'no such user'")),
        ({"owner": -5}, ("owner", "-5")),
        ({"owner": 1.5}, ("owner", "1.5")),
        ({"group": "no such group"}, ("no group", "'no such group'")),
        ({"group": -5}, ("group", "-5")),
        ({"group": b"root"}, ("group", "b'root'")),
        ({"socket_options": [(1, 2)]}, ("socket option", "(1, 2)")),
    ],
)
def test_unix_options_are_refused_where_they_are_given(
    at: Stage, path: Path, options: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        at(path, **options)

    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("size", ["0", True, 0, 2**31, None])
def test_unix_datagram_sizes_are_refused_where_they_are_given(path: Path, size: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"max_datagram_size .* got {size!r}"):
        ServerBuilder().unix_datagram(path, max_datagram_size=size)


def test_unix_path_may_be_as_long_as_the_system_allows(
    at: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    longest = "ä" + "x" * (MAX_PATH - 2)  # two bytes for the first one

    with at(longest).handler(ignore).build():
        assert (tmp_path / longest).exists()

    with pytest.raises(ConfigurationError) as caught:
        at("x" + longest)
    assert f"{MAX_PATH} bytes" in str(caught.value)
    assert f"got {MAX_PATH + 1}" in str(caught.value)
    assert "shorter" in str(caught.value)


@pytest.mark.parametrize("form", [os.fspath, os.fsencode, Path])
def test_unix_path_may_be_text_bytes_or_a_path(
    at: Stage, path: Path, form: Callable[[Path], Any]
) -> None:
    with at(form(path)).handler(ignore).build() as server:
        assert server.address == UnixPeer(str(path))
        assert path.exists()


def test_unix_path_need_not_be_utf8(at: Stage, tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff.sock"

    with at(raw).handler(ignore).build() as server:
        assert stat.S_ISSOCK(os.stat(raw).st_mode)
        assert os.fsencode(server.address.path) == raw


def test_unix_path_that_is_not_utf8_can_be_named_in_an_error(at: Stage, tmp_path: Path) -> None:
    with pytest.raises(ListenError) as caught:
        at(os.fsencode(tmp_path) + b"/no/\xff.sock").handler(ignore).build().listen()

    assert caught.value.errno == errno.ENOENT
    assert f"{tmp_path}/no/%FF.sock" in str(caught.value)


@linux_only
@pytest.mark.parametrize("form", ["@{}", "\0{}", b"\0%s"])
def test_unix_name_may_be_abstract(at: Stage, tmp_path: Path, form: str | bytes) -> None:
    name = form % os.fsencode(tmp_path) if isinstance(form, bytes) else form.format(tmp_path)

    with at(name).handler(ignore).build() as server:
        assert server.address == UnixPeer(f"@{tmp_path}")
        with socket.socket(fileno=os.dup(server.fileno())) as sock:
            assert sock.getsockname() == b"\0" + os.fsencode(tmp_path)


@linux_only
def test_unix_abstract_name_in_use_is_refused(at: Stage, tmp_path: Path) -> None:
    with (
        at(f"@{tmp_path}").handler(ignore).build(),
        pytest.raises(ListenError, match="another server has it") as caught,
    ):
        at(f"@{tmp_path}").handler(ignore).build().listen()

    assert caught.value.errno == errno.EADDRINUSE
    assert f"@{tmp_path}" in str(caught.value)
    assert "port" not in str(caught.value).replace(str(tmp_path), "")


def test_unix_path_in_no_folder_is_refused(at: Stage, tmp_path: Path) -> None:
    with pytest.raises(ListenError, match=f"unix.*{tmp_path}/no/it.sock") as caught:
        at(tmp_path / "no" / "it.sock").handler(ignore).build().listen()

    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("name", [None, 5, "", b"", "@", "\0", "/a\0b", ["/a"]])
def test_unix_name_is_refused_when_it_is_none(at: Stage, name: Any) -> None:
    with pytest.raises(EndpointError):
        at(name)


@contextlib.contextmanager
def as_nobody() -> Generator[None, None, None]:
    before = os.geteuid()
    if before == 0:  # root may do everything
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_unix_path_in_a_closed_folder_is_refused(
    at: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the folders above may be closed to others
    tmp_path.chmod(0o555)

    with as_nobody(), pytest.raises(ListenError, match="Permission denied") as caught:
        at("it.sock").handler(ignore).build().listen()

    assert caught.value.errno == errno.EACCES
    assert "ports below" not in str(caught.value)


def test_unix_path_in_a_folder_that_cannot_be_locked_will_do(
    at: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o333)  # so that it cannot be opened for reading, but written to

    with as_nobody():
        server = at("it.sock").handler(ignore).build().listen()
    tmp_path.chmod(0o700)
    server.stop()

    assert not (tmp_path / "it.sock").exists()


@pytest.mark.parametrize("endpoint", [UnixEndpoint, UnixgramEndpoint])
def test_unix_recipe_checks_the_length_of_an_endpoint_too(endpoint: Any) -> None:
    with pytest.raises(AcceptorError, match=f"{MAX_PATH} bytes"):
        ServerBuilder().listen_on(endpoint("/" + "x" * 200))
