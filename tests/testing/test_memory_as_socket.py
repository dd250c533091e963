"""A memory connection behaves as any other socket does; tried side by side."""

import socket
from typing import Any

import pytest

from acceptor import Timeouts
from acceptor.testing import MemorySocket, MemoryTransport
from tests.core import socket_scripts
from tests.core.socket_scripts import HUGE, Script, trying
from tests.core.test_request_socket import plain_pair, read_some, write_some
from tests.support import PATIENCE

NEED_A_DESCRIPTOR = {"recv_flags", "send_descriptor"}


def own_timeout(sock: socket.socket, client: socket.socket) -> object:
    sock.settimeout(0.01)
    found = [sock.gettimeout(), sock.getblocking(), trying(lambda: sock.recv(1))]
    with sock.makefile("rb") as reader:
        found += [trying(reader.readline), trying(reader.readline)]
    found.append(trying(lambda: sock.sendall(HUGE)))
    sock.settimeout(None)
    return [*found, sock.gettimeout(), sock.getblocking()]


def ends(sock: socket.socket, client: socket.socket) -> object:
    client.sendall(b"a")
    sock.shutdown(socket.SHUT_RDWR)
    after = client.recv(1), trying(lambda: sock.send(b"x"))
    with sock as entered:
        same = entered is sock
    closed = [trying(call) for call in (lambda: sock.recv(1), lambda: sock.send(b"x"), sock.close)]
    return after, same, closed, sock.fileno()


def client_leaves(sock: socket.socket, client: socket.socket) -> object:
    client.close()
    return trying(lambda: sock.recv(1)), trying(lambda: sock.sendall(HUGE))


SCRIPTS = [
    *(one for one in socket_scripts.SCRIPTS if one.__name__ not in NEED_A_DESCRIPTOR),
    *(own_timeout, ends, client_leaves),
]


def memory_pair(transport: MemoryTransport[Any]) -> tuple[MemorySocket, MemorySocket]:
    """Connect a client; return what is accepted, and the client's end."""
    listener = transport.listen()
    client = transport.connect(timeout=PATIENCE)
    incoming = listener.accept()
    assert incoming is not None
    request = incoming.handshake(Timeouts(), [0, 0])
    listener.close()
    assert isinstance(request, MemorySocket)
    return request, client


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_memory_socket_behaves_as_a_plain_one(script: Script, tmp_path: Any) -> None:
    with plain_pair("unix_stream", tmp_path) as (plain, client):
        expected = script(plain, client)
    served, other = memory_pair(MemoryTransport())
    with served, other:
        found = script(served, other)

    assert found == expected


def test_memory_socket_is_a_socket_without_a_descriptor() -> None:
    served, client = memory_pair(MemoryTransport())

    with served, client:
        assert isinstance(served, socket.socket)
        assert served.fileno() == client.fileno() == -1
        assert (served.family, served.type, served.proto) == (
            socket.AF_INET,
            socket.SOCK_STREAM,
            0,
        )
        assert (
            served.getpeername() == client.getsockname() == ("127.0.0.1", client.getsockname()[1])
        )
        assert served.getsockname() == client.getpeername() == ("127.0.0.1", 9999)
        assert served.get_inheritable() is False
        assert "MemorySocket" in repr(served)
    assert "[closed]" in repr(served)


def test_memory_socket_waits_or_not_as_it_is_told() -> None:
    served, client = memory_pair(MemoryTransport())

    with served, client:
        found = [served.gettimeout(), served.timeout, served.getblocking()]
        served.setblocking(False)
        found += [served.gettimeout(), served.getblocking()]
        with pytest.raises(BlockingIOError):
            served.recv(1)
        with pytest.raises(ValueError, match="out of range"):
            served.settimeout(-1)
        served.setblocking(True)
        with pytest.raises(BlockingIOError):
            served.recv(1, socket.MSG_DONTWAIT)

    assert found == [None, None, True, 0.0, False]


def test_memory_socket_keeps_options() -> None:
    served, client = memory_pair(MemoryTransport())

    with served, client:
        served.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        assert served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert served.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert served.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == bytes(8)


@pytest.mark.parametrize("name", ["accept", "bind", "connect", "connect_ex", "dup", "listen"])
def test_memory_socket_refuses_what_no_connection_can(name: str) -> None:
    served, client = memory_pair(MemoryTransport())

    arguments = [("192.0.2.1", 80)] if name.startswith(("bind", "connect")) else []

    with served, client, pytest.raises(OSError, match="a memory socket cannot"):
        getattr(served, name)(*arguments)


@pytest.mark.parametrize("act", ["recv", "send", "getpeername", "settimeout", "setsockopt"])
def test_memory_socket_that_is_closed_is_a_bad_descriptor(act: str) -> None:
    served, client = memory_pair(MemoryTransport())
    client.close()
    assert served.detach() == -1
    calls: dict[str, Any] = {
        "recv": lambda: served.recv(1),
        "send": lambda: served.send(b"x"),
        "getpeername": served.getpeername,
        "settimeout": lambda: served.settimeout(1),
        "setsockopt": lambda: served.setsockopt(1, 1, 1),
    }

    with pytest.raises(OSError, match="Bad file descriptor"):
        calls[act]()


def test_memory_socket_counts_the_bytes_of_the_handler() -> None:
    transport = MemoryTransport()
    listener, traffic = transport.listen(), [0, 0]
    with transport.connect() as client:
        incoming = listener.accept()
        assert incoming is not None
        request = incoming.handshake(Timeouts(), traffic)
        client.sendall(b"123456789012345")

        request.recv(15, socket.MSG_PEEK)
        peeked = list(traffic)
        read_some(request)
        write_some(request)
        request.close()
    listener.close()

    assert peeked == [0, 0]
    assert traffic == [15, 10]
