"""Sockets that somebody else has bound."""

import errno
import gc
import os
import socket
import stat
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    Datagram,
    HandlerMismatchError,
    IPv4Peer,
    IPv6Peer,
    ListenError,
    NeedsHandler,
    Server,
    ServerBuilder,
    StreamHandler,
    UnixPeer,
    allow_networks,
    allow_users,
)
from tests.support import PATIENCE, connect, read_all, serving

KINDS = ["tcp4", "tcp6", "unix", "udp4", "udp6", "unixgram"]
STREAM_KINDS = ["tcp4", "tcp6", "unix"]


def tell(request: socket.socket | Datagram, peer: Any, server: Server[Any, Any]) -> None:
    answer = f"{type(peer).__name__} {peer.host}".encode()
    if isinstance(request, Datagram):
        request.reply(answer)
    else:
        request.sendall(answer)


@pytest.fixture
def bound(kind: str, tmp_path: Path) -> Generator[socket.socket, None, None]:
    """Yield a socket as whoever bound it has it; streams do not listen yet."""
    family = {"4": socket.AF_INET, "6": socket.AF_INET6}.get(kind[-1], socket.AF_UNIX)
    form = socket.SOCK_STREAM if kind in STREAM_KINDS else socket.SOCK_DGRAM
    where: dict[Any, Any] = {
        socket.AF_INET: ("127.0.0.1", 0),
        socket.AF_INET6: ("::1", 0),
        socket.AF_UNIX: str(tmp_path / "it.sock"),
    }
    with socket.socket(family, form) as sock:
        sock.bind(where[family])
        yield sock


def answer_of(address: Any, kind: str, folder: Path) -> str:
    """Ask a server who it takes us for."""
    if kind in STREAM_KINDS:
        with connect(address) as client:
            return read_all(client).decode()
    family = {"4": socket.AF_INET, "6": socket.AF_INET6}.get(kind[-1], socket.AF_UNIX)
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        if family == socket.AF_UNIX:
            client.bind(str(folder / "client"))
        client.sendto(b"", getattr(address, "path", tuple(address)))
        return client.recv(1000).decode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["socket", "descriptor"])
def test_adopted_socket_is_served_and_closed(
    bound: socket.socket, kind: str, form: str, tmp_path: Path
) -> None:
    name = bound.getsockname()
    source = bound if form == "socket" else bound.detach()
    number = source if isinstance(source, int) else source.fileno()
    expected: Any = UnixPeer(name) if "unix" in kind else tuple(name[:2])

    with serving(ServerBuilder().socket(source).handler(tell)) as server:
        assert server.address == expected
        assert server.fileno() == number
        answer = answer_of(server.address, kind, tmp_path)
    server.wait()

    assert answer.split()[0] == {"4": "IPv4Peer", "6": "IPv6Peer"}.get(kind[-1], "UnixPeer")
    assert (bound.fileno(), server.fileno()) == (-1, -1)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


@pytest.mark.parametrize("kind", ["unix", "unixgram"])
def test_adopted_socket_keeps_its_file(bound: socket.socket, tmp_path: Path) -> None:
    with serving(ServerBuilder().socket(bound).handler(tell)):
        pass

    assert (tmp_path / "it.sock").is_socket()


@pytest.mark.parametrize("kind", STREAM_KINDS)
def test_adopted_socket_may_listen_already(bound: socket.socket, kind: str, tmp_path: Path) -> None:
    bound.listen(5)
    with socket.socket(bound.family) as early:
        early.connect(bound.getsockname())

        with serving(ServerBuilder().socket(bound).handler(tell)) as server:
            early.settimeout(PATIENCE)

            assert read_all(early)
            assert answer_of(server.address, kind, tmp_path)


@pytest.mark.parametrize("kind", ["tcp4"])
def test_adopted_socket_sends_small_writes_at_once(bound: socket.socket) -> None:
    def option(request: socket.socket, peer: Any, server: Any) -> None:
        request.sendall(b"%d" % request.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    stage: NeedsHandler[Any, Any] = ServerBuilder().socket(bound, socket.SOCK_STREAM)

    with serving(stage.handler(option)) as server, connect(server.address) as client:
        assert int(read_all(client)) != 0


@pytest.mark.parametrize(
    ("host", "client"), [("", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1")]
)
def test_adopted_datagram_socket_answers_from_the_address_asked(host: str, client: str) -> None:
    asked = "::1" if client == "::1" else "127.0.0.2"
    with socket.socket(socket.AF_INET6 if host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        if host:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, 0))
        with (
            serving(ServerBuilder().socket(sock).handler(tell)) as server,
            socket.socket(
                socket.AF_INET6 if ":" in client else socket.AF_INET, socket.SOCK_DGRAM
            ) as c,
        ):
            c.settimeout(PATIENCE)
            c.bind((client, 0))
            c.sendto(b"", (asked, server.address.port))
            answer, sender = c.recvfrom(1000)

    peer = IPv6Peer if ":" in client else IPv4Peer
    assert answer.decode() == f"{peer.__name__} {client}"
    assert sender[0] == asked


def test_adopted_dual_stack_socket_sees_ipv4_clients_as_such() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as sock:
        port = sock.getsockname()[1]

        with (
            serving(ServerBuilder().socket(sock).handler(tell)),
            connect(IPv4Peer("127.0.0.1", port)) as client,
        ):
            assert read_all(client) == b"IPv4Peer 127.0.0.1"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["socket", "descriptor"])
def test_adopted_socket_of_another_type_is_refused(
    bound: socket.socket, kind: str, form: str
) -> None:
    source = bound if form == "socket" else bound.fileno()
    is_stream = kind in STREAM_KINDS
    right, wrong = socket.SOCK_STREAM, socket.SOCK_DGRAM
    if not is_stream:
        right, wrong = wrong, right

    ServerBuilder().socket(source, right)  # type: ignore[call-overload]

    with pytest.raises(ConfigurationError, match=f"expected a {wrong.name} .* got a {right.name}"):
        ServerBuilder().socket(source, type=wrong)  # type: ignore[call-overload]
    assert bound.fileno() >= 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["socket", "descriptor"])
def test_adopted_socket_of_another_family_is_refused(
    bound: socket.socket, kind: str, form: str
) -> None:
    builder: Any = ServerBuilder()
    source = bound if form == "socket" else bound.fileno()
    form_of_it = socket.SOCK_STREAM if kind in STREAM_KINDS else socket.SOCK_DGRAM
    wrong = socket.AF_INET6 if bound.family == socket.AF_INET else socket.AF_INET

    builder.socket(source, form_of_it, bound.family)

    with pytest.raises(
        ConfigurationError, match=rf"an {wrong.name} socket, got an {bound.family.name} "
    ):
        builder.socket(source, form_of_it, wrong)
    with pytest.raises(ConfigurationError, match="expected an 'inet' socket, got an AF_"):
        builder.socket(source, form_of_it, "inet")
    assert bound.fileno() >= 0


@pytest.mark.parametrize("kind", KINDS)
def test_adopted_socket_takes_policies_for_its_peers_alone(bound: socket.socket, kind: str) -> None:
    stage: Any = ServerBuilder().socket(bound)
    networks, users = allow_networks("127.0.0.1"), allow_users(0)
    right, wrong = (users, networks) if bound.family == socket.AF_UNIX else (networks, users)

    stage.access(right)

    with pytest.raises(ConfigurationError, match="this transport's clients are"):
        stage.access(wrong)


@pytest.mark.parametrize("kind", ["tcp4"])
def test_plan_of_an_adopted_socket_names_it(bound: socket.socket) -> None:
    plan = ServerBuilder().socket(bound).handler(tell).build().plan()

    assert plan.endpoint == f"the given socket {bound!r}"


@pytest.mark.parametrize("kind", ["udp4"])
def test_adopted_datagram_socket_takes_no_stream_handler(bound: socket.socket) -> None:
    with pytest.raises(HandlerMismatchError):
        ServerBuilder().socket(bound).handler(StreamHandler)  # type: ignore[arg-type]


def unbound_tcp() -> socket.socket:
    return socket.socket(socket.AF_INET)


def unbound_udp6() -> socket.socket:
    return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)


def unbound_unix() -> socket.socket:
    return socket.socket(socket.AF_UNIX)


def packets_in_sequence() -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.bind("")
    return sock


def netlink() -> socket.socket:
    if not hasattr(socket, "AF_NETLINK"):
        pytest.skip("needs a family that nobody serves")
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (unbound_tcp, ("not bound", "bind it first")),
        (unbound_udp6, ("not bound", "bind it first")),
        (unbound_unix, ("not bound", "bind it first")),
        (packets_in_sequence, ("cannot serve", "SOCK_SEQPACKET")),
        (netlink, ("cannot serve", "AF_NETLINK")),
    ],
)
@pytest.mark.parametrize("form", ["socket", "descriptor"])
def test_adopted_socket_is_refused_when_it_cannot_be_served(
    make: Callable[[], socket.socket], words: tuple[str, ...], form: str
) -> None:
    with make() as sock:
        with pytest.raises(ConfigurationError) as caught:
            ServerBuilder().socket(sock if form == "socket" else sock.fileno())

        assert all(word in str(caught.value) for word in words), str(caught.value)
        assert sock.fileno() >= 0


def test_adopted_socket_is_refused_when_it_is_closed() -> None:
    sock = socket.socket()
    sock.close()

    with pytest.raises(ConfigurationError, match="the socket is closed"):
        ServerBuilder().socket(sock)


@pytest.mark.parametrize("form", ["socket", "descriptor"])
def test_adopted_stream_socket_is_refused_when_it_is_connected(form: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        with pytest.raises(ConfigurationError, match="is connected"):
            ServerBuilder().socket(client if form == "socket" else client.fileno())

        assert client.fileno() >= 0


@pytest.mark.parametrize("source", [None, "3", 3.0, True, b"", ("127.0.0.1", 0)])
def test_adopted_socket_is_refused_when_it_is_none(source: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ServerBuilder().socket(source)

    assert repr(source) in str(caught.value)


def test_adopted_descriptor_is_refused_when_it_is_no_socket(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        with pytest.raises(ConfigurationError, match=f"descriptor {file.fileno()} is no open"):
            ServerBuilder().socket(file.fileno())

        file.write(b"still open")
    for number in (file_number_of_nothing(), -1):
        with pytest.raises(ConfigurationError, match=f"descriptor {number} is no open"):
            ServerBuilder().socket(number)


def file_number_of_nothing() -> int:
    number = os.dup(0)
    os.close(number)
    return number


@pytest.mark.parametrize("form", ["socket", "descriptor"])
def test_adopted_socket_stays_its_owners_when_it_cannot_listen(form: str) -> None:
    with socket.socket() as first, socket.socket() as second:
        for sock in (first, second):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        second.bind(first.getsockname())
        first.listen()
        source = second if form == "socket" else second.fileno()

        with pytest.raises(ListenError, match="the given socket") as caught:
            ServerBuilder().socket(source).handler(tell).build().listen()

        assert caught.value.errno == errno.EADDRINUSE
        del caught
        gc.collect()  # so that nothing forgotten closes the descriptor later
        assert stat.S_ISSOCK(os.fstat(second.fileno()).st_mode)
