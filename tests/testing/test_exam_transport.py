"""Every transport passes its exam: ours, those of the kit, and one that others have written."""

import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import attrs
import pytest

from acceptor import (
    IPv4Peer,
    Server,
    ServerBuilder,
    TcpEndpoint,
    TcpTransport,
    Transport,
    UdpEndpoint,
    UdpTransport,
    UnixDatagramTransport,
    UnixEndpoint,
    UnixgramEndpoint,
    UnixPeer,
    UnixStreamTransport,
)
from acceptor.testing import (
    FakeIncoming,
    MemoryDatagramTransport,
    MemoryIncoming,
    MemorySocket,
    MemoryTransport,
    ScriptedListener,
    ScriptedTransport,
    check_transport,
)
from acceptor.testing.wire import Wire
from acceptor.transports.adopted import AdoptedDatagramTransport, AdoptedStreamTransport
from tests.concurrency.test_custom import Club
from tests.support import connect

NewTransport = Callable[[Path], Transport[Any, Any]]


def adopted(kind: int, address: Any, family: int = socket.AF_INET) -> Transport[Any, Any]:
    sock = socket.socket(family, kind)
    sock.bind(address)
    if kind == socket.SOCK_STREAM:
        return AdoptedStreamTransport(source=sock)
    return AdoptedDatagramTransport(source=sock)


def unix_path(folder: Path) -> str:
    path = folder / "it.sock"
    path.unlink(missing_ok=True)  # who adopts a socket never removes its file
    return str(path)


TRANSPORTS: dict[str, NewTransport] = {
    "tcp": lambda folder: TcpTransport(endpoint=TcpEndpoint("127.0.0.1", 0)),
    "tcp6": lambda folder: TcpTransport(endpoint=TcpEndpoint("::1", 0)),
    "tcp, shared": lambda folder: TcpTransport(
        endpoint=TcpEndpoint("127.0.0.1", 0), reuse_port=True
    ),
    "udp": lambda folder: UdpTransport(endpoint=UdpEndpoint("127.0.0.1", 0)),
    "udp6": lambda folder: UdpTransport(endpoint=UdpEndpoint("::1", 0)),
    "udp, everywhere": lambda folder: UdpTransport(endpoint=UdpEndpoint("", 0)),
    "unix_stream": lambda folder: UnixStreamTransport(
        endpoint=UnixEndpoint(str(folder / "it.sock"))
    ),
    "unix_stream, abstract": lambda folder: UnixStreamTransport(
        endpoint=UnixEndpoint(f"@acceptor-test-{folder}")
    ),
    "unix_datagram": lambda folder: UnixDatagramTransport(
        endpoint=UnixgramEndpoint(str(folder / "it.sock"))
    ),
    "adopted tcp": lambda folder: adopted(socket.SOCK_STREAM, ("127.0.0.1", 0)),
    "adopted udp": lambda folder: adopted(socket.SOCK_DGRAM, ("127.0.0.1", 0)),
    "adopted unix_stream": lambda folder: adopted(
        socket.SOCK_STREAM, unix_path(folder), socket.AF_UNIX
    ),
    "adopted unix_datagram": lambda folder: adopted(
        socket.SOCK_DGRAM, unix_path(folder), socket.AF_UNIX
    ),
}


@pytest.mark.parametrize("name", TRANSPORTS)
def test_transport_passes(name: str, tmp_path: Path) -> None:
    check_transport(lambda: TRANSPORTS[name](tmp_path))


MEMORY: list[MemoryTransport[Any] | MemoryDatagramTransport[Any]] = [
    MemoryTransport(),
    MemoryTransport(capacity=10_000),
    MemoryTransport(address=UnixPeer("/run/it.sock")),
    MemoryDatagramTransport(),
    MemoryDatagramTransport(address=UnixPeer("/run/it.sock")),
]


@pytest.mark.parametrize("transport", MEMORY, ids=repr)
def test_memory_transport_passes(
    transport: MemoryTransport[Any] | MemoryDatagramTransport[Any],
) -> None:
    check_transport(lambda: transport, lambda address: transport.connect())


@attrs.define(eq=False)
class Script:
    """A scripted transport whose clients are written into its script as they come."""

    listener: ScriptedListener = attrs.field(factory=lambda: ScriptedListener.of([]))

    def transport(self) -> ScriptedTransport:
        self.listener.close()
        self.listener = ScriptedListener.of([])
        return ScriptedTransport(self.listener)

    def connect_memory(self, address: IPv4Peer) -> MemorySocket:
        wire, peer = Wire(65_536), IPv4Peer("192.0.2.1", 4000)
        served = MemorySocket(wire, 0, (address, peer))
        self.listener.add(MemoryIncoming(served, peer, served._clock))
        return MemorySocket(wire, 1, (peer, address))

    def connect_fake(self, address: IPv4Peer) -> "Silent":
        self.listener.add(FakeIncoming())
        return Silent()


class Silent:
    """The client of a `FakeIncoming`, who never was either."""

    def sendall(self, data: bytes, /) -> None:
        pass

    def recv(self, bufsize: int, /) -> bytes:
        return b""

    def close(self) -> None:
        pass


@pytest.fixture
def script() -> Generator[Script, None, None]:
    script = Script()
    yield script
    script.listener.close()


def test_scripted_transport_passes_with_clients_of_the_memory(script: Script) -> None:
    check_transport(script.transport, script.connect_memory)


def test_scripted_transport_passes_with_fake_clients(script: Script) -> None:
    check_transport(script.transport, script.connect_fake)


def test_transport_of_others_with_a_handshake_passes() -> None:
    check_transport(Club, connect)


def test_exam_leaves_a_transport_that_passed_usable() -> None:
    transport = MemoryTransport()
    seen = list[bytes]()

    def read(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        seen.append(request.recv(10))

    check_transport(lambda: transport, lambda address: transport.connect())
    server = ServerBuilder().transport(transport).handler(read).build().listen()
    with transport.connect() as client:
        client.sendall(b"hello")
        server.handle_request(20)
    server.stop()

    assert seen == [b"hello"]
