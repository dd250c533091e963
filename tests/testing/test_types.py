"""What the type checkers infer of the kit; run as well, which costs nothing."""

import socket
from typing import assert_type

from acceptor import (
    Closed,
    Datagram,
    InetPeer,
    IPv4Peer,
    NeedsHandler,
    Ready,
    Server,
    ServerBuilder,
    UnixPeer,
)
from acceptor.testing import (
    EventRecorder,
    MemoryDatagramTransport,
    MemorySocket,
    MemoryTransport,
    Serving,
    serve,
)


def greet(
    request: socket.socket, client_address: InetPeer, server: Server[socket.socket, InetPeer]
) -> None:
    request.sendall(client_address.host.encode())


def test_memory_transports_know_their_requests_and_peers() -> None:
    builder = ServerBuilder()

    assert_type(builder.transport(MemoryTransport()), NeedsHandler[socket.socket, InetPeer])
    assert_type(builder.transport(MemoryDatagramTransport()), NeedsHandler[Datagram, InetPeer])
    assert_type(
        builder.transport(MemoryTransport(address=UnixPeer("/run/it.sock"))),
        NeedsHandler[socket.socket, UnixPeer],
    )
    assert_type(
        builder.transport(MemoryDatagramTransport(address=UnixPeer("/run/it.sock"))),
        NeedsHandler[Datagram, UnixPeer],
    )


def test_serve_knows_what_it_serves() -> None:
    transport = MemoryTransport()
    ready = ServerBuilder().transport(transport).handler(greet)
    assert_type(ready, Ready[socket.socket, InetPeer])

    with serve(ready) as serving, transport.connect(IPv4Peer("192.0.2.1", 1)) as client:
        assert_type(serving, Serving[socket.socket, InetPeer])
        assert_type(serving.address, InetPeer)
        assert_type(serving.server, Server[socket.socket, InetPeer])
        assert_type(client, MemorySocket)
        assert_type(serving.events, EventRecorder)
        assert client.recv(100) == b"192.0.2.1"

    assert_type(serving.events.of(Closed), list[Closed])
    assert_type(serving.events.wait_for(Closed, where=lambda event: event.sent == 9), list[Closed])


def test_serve_takes_a_server() -> None:
    server = ServerBuilder().transport(MemoryTransport()).handler(greet).build()

    with serve(server) as serving:
        assert_type(serving, Serving[socket.socket, InetPeer])
