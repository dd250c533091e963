"""What a stream handler is given behaves as any other socket does; tried side by side."""

import contextlib
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import TcpEndpoint, TcpTransport, Timeouts, UnixEndpoint, UnixStreamTransport
from tests.core.kit import STREAMS
from tests.core.socket_modes import MODE_SCRIPTS
from tests.core.socket_scripts import SCRIPTS, Script
from tests.support import PATIENCE, connect, wait_until


@contextlib.contextmanager
def plain_pair(
    transport: str, folder: Path
) -> Generator[tuple[socket.socket, socket.socket], None, None]:
    """Connect two ordinary sockets; the first is the one that was accepted."""
    unix = transport == "unix_stream"
    address: Any = str(folder / "plain.sock") if unix else ("127.0.0.1", 0)
    family = socket.AF_UNIX if unix else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind(address)
        listener.listen()
        client.settimeout(PATIENCE)
        client.connect(listener.getsockname())
        with listener.accept()[0] as accepted:
            if not unix:  # as the TCP transport has it
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield accepted, client


def take(listener: Any, taken: list[Any]) -> bool:
    if (incoming := listener.accept()) is not None:
        taken.append(incoming)
    return incoming is not None


@contextlib.contextmanager
def our_pair(
    transport: str, folder: Path, traffic: list[int]
) -> Generator[tuple[socket.socket, socket.socket], None, None]:
    """Connect through a transport; the first is what a handler would be given."""
    recipe: TcpTransport | UnixStreamTransport = TcpTransport(endpoint=TcpEndpoint("127.0.0.1", 0))
    if transport == "unix_stream":
        recipe = UnixStreamTransport(endpoint=UnixEndpoint(str(folder / "ours.sock")))
    listener: Any = recipe.listen()
    taken: list[Any] = []
    try:
        with connect(listener.address) as client:
            wait_until(lambda: take(listener, taken))
            request = taken[-1].handshake(Timeouts(), traffic)
            yield request, client
            request.close()
            taken[-1].release()
    finally:
        listener.close()


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("script", [*SCRIPTS, *MODE_SCRIPTS], ids=lambda script: script.__name__)
def test_request_behaves_as_a_plain_socket(script: Script, transport: str, tmp_path: Path) -> None:
    with plain_pair(transport, tmp_path) as (plain, client):
        expected = script(plain, client)
    with our_pair(transport, tmp_path, [0, 0]) as (request, client):
        found = script(request, client)

    assert found == expected


@pytest.mark.parametrize("transport", STREAMS)
def test_request_is_a_socket(transport: str, tmp_path: Path) -> None:
    with our_pair(transport, tmp_path, [0, 0]) as (request, _):
        assert isinstance(request, socket.socket)


def read_some(sock: socket.socket) -> None:
    sock.recv(1)
    sock.recv_into(bytearray(2))
    sock.recvmsg(3)
    sock.recvfrom(4)
    with sock.makefile("rb") as file:
        file.read(5)


def write_some(sock: socket.socket) -> None:
    sock.send(b".")
    sock.sendall(b"..")
    sock.sendmsg([b"..", b"."])
    with sock.makefile("wb") as file:
        file.write(b"....")


def peek(sock: socket.socket) -> None:
    sock.recv(15, socket.MSG_PEEK)


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize(
    ("act", "received", "sent"), [(read_some, 15, 0), (write_some, 0, 10), (peek, 0, 0)]
)
def test_request_counts_the_bytes_that_were_read_and_written(
    act: Callable[[socket.socket], None], received: int, sent: int, transport: str, tmp_path: Path
) -> None:
    traffic = [0, 0]
    with our_pair(transport, tmp_path, traffic) as (request, client):
        client.sendall(b"123456789012345")

        act(request)

    assert traffic == [received, sent]
