# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Everything that is a handler, and what it sees. Read by checkers."""

import functools
import http.server
import io
import socket
import socketserver
from typing import Any, assert_type

from acceptor import (
    BaseHandler,
    Datagram,
    DatagramHandler,
    DrainReport,
    InetPeer,
    IPv4Peer,
    Peer,
    Phase,
    ProxiedPeer,
    Ready,
    Server,
    ServerBuilder,
    StreamHandler,
    UnixPeer,
)

builder = ServerBuilder()
tcp = builder.tcp(("", 0))
udp = builder.udp(("", 0))
unix = builder.unix_stream("/run/it")
unixgram = builder.unix_datagram("/run/it")
text = builder.listen_on("tcp://127.0.0.1:0")

ReadyTcp = Ready[socket.socket, InetPeer]
ReadyUdp = Ready[Datagram, InetPeer]
ReadyUnix = Ready[socket.socket, UnixPeer]
ReadyUnixgram = Ready[Datagram, UnixPeer]
AnyPeer = Peer | ProxiedPeer[Peer]


# Classes without parameters fit each transport of their kind.
class Stream(StreamHandler):
    rbufsize = 1024
    timeout = 3.0

    def handle(self) -> None:
        assert_type(self.request, socket.socket)
        assert_type(self.connection, socket.socket)
        assert_type(self.client_address, AnyPeer)
        assert_type(self.server, Server[socket.socket, AnyPeer])
        assert_type(self.rfile, io.BufferedIOBase)
        assert_type(self.rfile.readline(), bytes)
        assert_type(self.wfile.write(bytearray(b"x")), int)


class Letters(DatagramHandler):
    def handle(self) -> None:
        assert_type(self.request, Datagram)
        assert_type(self.request.payload, bytes)
        assert_type(self.request.truncated, bool)
        assert_type(self.request.reply(b""), bool)
        assert_type(self.client_address, Peer)
        assert_type(self.server, Server[Datagram, Peer])
        assert_type(self.rfile, io.BytesIO)
        assert_type(self.wfile, io.BytesIO)


class Anything(BaseHandler):
    def handle(self) -> None:
        assert_type(self.request, object)
        assert_type(self.client_address, AnyPeer)


assert_type(tcp.handler(Stream), ReadyTcp)
assert_type(unix.handler(Stream), ReadyUnix)
assert_type(udp.handler(Letters), ReadyUdp)
assert_type(unixgram.handler(Letters), ReadyUnixgram)
assert_type(tcp.handler(Anything), ReadyTcp)
assert_type(udp.handler(Anything), ReadyUdp)
assert_type(text.handler(Anything), ReadyTcp | ReadyUnix | ReadyUdp | ReadyUnixgram)


# A test may make one without a server; a handler of one's own always has it.
assert_type(Stream(socket.socket(), IPv4Peer("192.0.2.1", 7), None).server.phase, Phase)


# Parameters say what the peer is.
class OverTcp(StreamHandler[socket.socket, InetPeer]):
    def handle(self) -> None:
        assert_type(self.client_address, InetPeer)
        assert_type(self.server, Server[socket.socket, InetPeer])


class OverUnix(StreamHandler[socket.socket, UnixPeer]):
    def handle(self) -> None:
        assert_type(self.client_address.uid, int | None)


class OverUdp(DatagramHandler[InetPeer]):
    def handle(self) -> None:
        assert_type(self.client_address, InetPeer)


class OverUnixgram(DatagramHandler[UnixPeer]):
    def handle(self) -> None:
        assert_type(self.client_address.path, str)


class Exact(BaseHandler[Datagram, UnixPeer]):
    def handle(self) -> None:
        assert_type(self.request, Datagram)
        assert_type(self.client_address, UnixPeer)


assert_type(tcp.handler(OverTcp), ReadyTcp)
assert_type(unix.handler(OverUnix), ReadyUnix)
assert_type(udp.handler(OverUdp), ReadyUdp)
assert_type(unixgram.handler(OverUnixgram), ReadyUnixgram)
assert_type(unixgram.handler(Exact), ReadyUnixgram)


# Plain functions: precise, as loose as one likes, and without a word about types.
def precise(
    request: socket.socket, client_address: InetPeer, server: Server[socket.socket, InetPeer]
) -> None: ...


def general(request: socket.socket, client_address: Peer, server: Server) -> None: ...


def datagrams(request: Datagram, client_address: Peer, server: Server[Datagram]) -> bool:
    return request.reply(request.payload)


def whatever(request: object, client_address: object, server: object) -> str:
    return "ignored"


def careless(request: Any, client_address: Any, server: Any) -> Any: ...


def packed(*arguments: object) -> None: ...


def with_pair(request: socket.socket, client_address: tuple[str, int], server: Server) -> None: ...


def makes_a_handler(request: socket.socket, client_address: Peer, server: Server) -> BaseHandler:
    return BaseHandler(request, client_address, server)


assert_type(tcp.handler(precise), ReadyTcp)
assert_type(tcp.handler(general), ReadyTcp)
assert_type(unix.handler(general), ReadyUnix)
assert_type(udp.handler(datagrams), ReadyUdp)
assert_type(unixgram.handler(datagrams), ReadyUnixgram)
assert_type(tcp.handler(whatever), ReadyTcp)
assert_type(udp.handler(whatever), ReadyUdp)
assert_type(tcp.handler(careless), ReadyTcp)
assert_type(tcp.handler(packed), ReadyTcp)
assert_type(tcp.handler(with_pair), ReadyTcp)
assert_type(unix.handler(with_pair), ReadyUnix)
assert_type(tcp.handler(makes_a_handler), ReadyTcp)
assert_type(text.handler(whatever), ReadyTcp | ReadyUnix | ReadyUdp | ReadyUnixgram)

# Lambdas are told what they get.
assert_type(tcp.handler(lambda request, peer, server: request.sendall(b"hello")), ReadyTcp)
assert_type(udp.handler(lambda request, peer, server: request.reply(request.payload)), ReadyUdp)
tcp.handler(lambda request, peer, server: assert_type(request, socket.socket))
tcp.handler(lambda request, peer, server: assert_type(peer, InetPeer))
tcp.handler(lambda request, peer, server: assert_type(server.drain(), DrainReport))
unixgram.handler(lambda request, peer, server: assert_type(request, Datagram))
unixgram.handler(lambda request, peer, server: assert_type(peer, UnixPeer))
unixgram.handler(lambda request, peer, server: assert_type(server.address, UnixPeer))


# Partials with arguments of their own.
class Greeter(StreamHandler):
    def __init__(
        self,
        request: socket.socket,
        client_address: Peer,
        server: Server[socket.socket, Peer],
        *,
        greeting: bytes,
    ) -> None:
        super().__init__(request, client_address, server)
        self.greeting = greeting


def greet(
    greeting: bytes, request: socket.socket, client_address: Peer, server: Server
) -> None: ...


assert_type(tcp.handler(functools.partial(Greeter, greeting=b"hello")), ReadyTcp)
assert_type(unix.handler(functools.partial(Greeter, greeting=b"hello")), ReadyUnix)
assert_type(tcp.handler(functools.partial(greet, b"hello")), ReadyTcp)


# Bound methods and callable objects.
class Application:
    def serve(self, request: Datagram, client_address: Peer, server: Server) -> None: ...

    def __call__(self, request: socket.socket, client_address: Peer, server: Server) -> None: ...


assert_type(udp.handler(Application().serve), ReadyUdp)
assert_type(tcp.handler(Application()), ReadyTcp)


# The standard library's classes, and classes written for it.
class Classic(socketserver.StreamRequestHandler): ...


assert_type(tcp.handler(http.server.SimpleHTTPRequestHandler), ReadyTcp)
assert_type(unix.handler(http.server.SimpleHTTPRequestHandler), ReadyUnix)
assert_type(
    tcp.handler(functools.partial(http.server.SimpleHTTPRequestHandler, directory="/srv")),
    ReadyTcp,
)
assert_type(
    unix.handler(functools.partial(http.server.SimpleHTTPRequestHandler, directory="/srv")),
    ReadyUnix,
)
assert_type(tcp.handler(Classic), ReadyTcp)

# `Ready.handler` takes the same.
ready = tcp.handler(Stream)
assert_type(ready.handler(OverTcp), ReadyTcp)
assert_type(ready.handler(http.server.SimpleHTTPRequestHandler), ReadyTcp)
assert_type(ready.handler(lambda request, peer, server: request.sendall(b"hello")), ReadyTcp)
