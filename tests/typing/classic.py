# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Typed programs of the standard module on `acceptor.classic`, and more types. Read by checkers."""

import functools
import http.server
import io
import socket
import socketserver as standard
import ssl
import threading
import xmlrpc.server
from types import TracebackType
from typing import Any, ClassVar, assert_type

import acceptor.classic as socketserver
from acceptor import (
    Datagram,
    DatagramHandler,
    InetPeer,
    NeedsHandler,
    Peer,
    Ready,
    ServerBuilder,
    StreamHandler,
    StreamNeedsHandler,
    UnixPeer,
)

Inet = tuple[str, int]
Request = socket.socket | tuple[bytes, socket.socket]  # as the standard library's stubs have it
here = ("127.0.0.1", 0)


# As the program would be written for the standard module, every hook with its stub's signature.
class Echo(socketserver.StreamRequestHandler):
    rbufsize: ClassVar[int] = 1024
    wbufsize = -1
    timeout = 3.0
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()

    def handle(self) -> None:
        for line in self.rfile:
            assert_type(line, bytes)
            self.wfile.write(line)
        self.connection.sendall(b"")

    def finish(self) -> None:
        super().finish()


class Everything(socketserver.ThreadingMixIn, socketserver.TCPServer):
    address_family = socket.AF_INET6
    socket_type = socket.SOCK_STREAM
    request_queue_size = 50
    allow_reuse_address = True
    allow_reuse_port = True
    daemon_threads = True
    block_on_close = False
    timeout = 5

    def __init__(self, address: Inet, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.count = 0
        super().__init__(address, handler, bind_and_activate=False)
        self.server_bind()
        self.server_activate()

    def server_bind(self) -> None:
        super().server_bind()

    def server_activate(self) -> None:
        super().server_activate()

    def server_close(self) -> None:
        super().server_close()

    def fileno(self) -> int:
        return super().fileno()

    def get_request(self) -> tuple[socket.socket, Any]:
        return super().get_request()

    def verify_request(self, request: Request, client_address: Any) -> bool:
        return super().verify_request(request, client_address)

    def process_request(self, request: Request, client_address: Any) -> None:
        super().process_request(request, client_address)

    def process_request_thread(self, request: Request, client_address: Any) -> None:
        super().process_request_thread(request, client_address)

    def finish_request(self, request: Request, client_address: Any) -> None:
        self.RequestHandlerClass(request, client_address, self).finish()
        super().finish_request(request, client_address)

    def shutdown_request(self, request: Request) -> None:
        super().shutdown_request(request)

    def close_request(self, request: Request) -> None:
        super().close_request(request)

    def handle_error(self, request: Request, client_address: Any) -> None:
        super().handle_error(request, client_address)

    def handle_timeout(self) -> None:
        super().handle_timeout()

    def handle_request(self) -> None:
        super().handle_request()

    def service_actions(self) -> None:
        super().service_actions()

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        super().serve_forever(poll_interval)

    def shutdown(self) -> None:
        super().shutdown()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc_val, exc_tb)


class Forks(socketserver.ForkingMixIn, socketserver.UDPServer):
    max_children = 3
    max_packet_size = 100

    def get_request(self) -> tuple[tuple[bytes, socket.socket], Any]:
        return super().get_request()

    def process_request(self, request: Request, client_address: Any) -> None:
        super().process_request(request, client_address)

    def collect_children(self, *, blocking: bool = False) -> None:
        super().collect_children(blocking=blocking)

    def service_actions(self) -> None:
        assert_type(self.active_children, set[int] | None)
        super().service_actions()


with Everything(here, Echo) as everything:
    assert_type(everything, Everything)
    everything.count += 1
    threading.Thread(target=everything.serve_forever, kwargs={"poll_interval": 0.1}).start()
    everything.timeout = 2
    everything.allow_reuse_address = False
    everything.socket = ssl.create_default_context().wrap_socket(everything.socket)
    everything.RequestHandlerClass = Echo


# What is said by parameters, which the standard stubs do not have.
class Typed(socketserver.TCPServer[socket.socket, Inet]):
    def verify_request(self, request: socket.socket, client_address: Inet) -> bool:
        return client_address[0].startswith("127.")

    def finish_request(self, request: socket.socket, client_address: Inet) -> None:
        super().finish_request(request, client_address)


class Letters(socketserver.ThreadingUDPServer[Inet]):
    def verify_request(self, request: tuple[bytes, socket.socket], client_address: Inet) -> bool:
        data, _ = request
        return data.startswith(b"!")


class Encrypted(socketserver.ThreadingTCPServer[ssl.SSLSocket, Inet]):
    context: ssl.SSLContext

    def get_request(self) -> tuple[ssl.SSLSocket, Inet]:
        connection, address = self.socket.accept()
        return self.context.wrap_socket(connection, server_side=True), address


class Greeting(socketserver.StreamRequestHandler[ssl.SSLSocket, Inet]):
    def handle(self) -> None:
        assert_type(self.request, ssl.SSLSocket)
        assert_type(self.connection, ssl.SSLSocket)
        assert_type(self.client_address, Inet)
        assert_type(self.server, socketserver.BaseServer[ssl.SSLSocket, Inet])


class Lines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert_type(self.request, socket.socket)
        assert_type(self.client_address, Any)
        assert_type(self.rfile, io.BufferedIOBase)
        assert_type(self.wfile.write(bytearray(b"x")), int)


class Answers(socketserver.DatagramRequestHandler[Inet]):
    def handle(self) -> None:
        assert_type(self.request, tuple[bytes, socket.socket])
        assert_type(self.packet, bytes)
        assert_type(self.socket, socket.socket)
        assert_type(self.client_address, Inet)
        assert_type(self.wfile.getvalue(), bytes)


class Anything(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        sock.sendto(data, self.client_address)


assert_type(Typed(here, Lines).get_request(), tuple[socket.socket, Inet])
assert_type(Encrypted(here, Greeting).get_request(), tuple[ssl.SSLSocket, Inet])
assert_type(Letters(here, Answers).get_request(), tuple[tuple[bytes, socket.socket], Inet])
assert_type(
    socketserver.UDPServer(here, Answers).get_request(), tuple[tuple[bytes, socket.socket], Any]
)
assert_type(socketserver.TCPServer(here, Lines).get_request(), tuple[socket.socket, Any])
assert_type(socketserver.UnixStreamServer("/run/it", Lines).socket, socket.socket)
assert_type(socketserver.UnixDatagramServer(b"/run/it", Anything).max_packet_size, int)
assert_type(socketserver.ForkingTCPServer(here, Lines, False).max_children, int)
assert_type(socketserver.ThreadingUnixStreamServer("/run/it", Lines).daemon_threads, bool)


# Whatever makes a handler of three arguments goes.
class Own:
    def __init__(self, request: socket.socket, client_address: Inet, server: Typed) -> None: ...


def function(request: socket.socket, client_address: Inet, server: Typed) -> None: ...


def greeting_with(word: bytes, request: Any, client_address: Any, server: Any) -> Lines:
    return Lines(request, client_address, server)


socketserver.TCPServer(here, Own)
socketserver.TCPServer(here, function)
socketserver.TCPServer(here, functools.partial(greeting_with, b"hello"))
socketserver.TCPServer(here, lambda request, client_address, server: request.sendall(b"hello"))
socketserver.TCPServer(here, http.server.SimpleHTTPRequestHandler)
socketserver.TCPServer(
    here, functools.partial(http.server.SimpleHTTPRequestHandler, directory="/srv")
)
socketserver.ThreadingTCPServer(here, xmlrpc.server.SimpleXMLRPCRequestHandler)


# Classes as values, of either module.
def serve_ours(handler: type[socketserver.BaseRequestHandler]) -> socketserver.TCPServer:
    return socketserver.ThreadingTCPServer(here, handler)


def serve_standard(handler: type[standard.BaseRequestHandler]) -> socketserver.TCPServer:
    return socketserver.TCPServer(here, handler)


def serve_with(kind: type[socketserver.BaseServer]) -> socketserver.BaseServer:
    return kind(here, Echo)


assert_type(serve_ours(Echo), socketserver.TCPServer)
assert_type(serve_ours(Anything), socketserver.TCPServer)
assert_type(serve_standard(http.server.SimpleHTTPRequestHandler), socketserver.TCPServer)
assert_type(serve_with(socketserver.ThreadingTCPServer), socketserver.BaseServer)
assert_type(serve_with(Everything), socketserver.BaseServer)

# Handlers alone, on stand-ins.
Echo(socket.socket(), here, None)
Answers((b"", socket.socket()), here, None)

# Classic handler classes in the composed form.
tcp = ServerBuilder().tcp(here)
unix = ServerBuilder().unix_stream("/run/it")
udp = ServerBuilder().udp(here)
assert_type(tcp.handler(Echo), Ready[socket.socket, InetPeer])
assert_type(unix.handler(Echo), Ready[socket.socket, UnixPeer])
assert_type(tcp.handler(socketserver.StreamRequestHandler), Ready[socket.socket, InetPeer])
assert_type(tcp.handler(socketserver.BaseRequestHandler), Ready[socket.socket, InetPeer])
assert_type(tcp.handler(functools.partial(greeting_with, b"hello")), Ready[socket.socket, InetPeer])

# The bridges.
adapter = socketserver.ClassicServerAdapter(tcp.handler(Echo).build())
assert_type(adapter, socketserver.ClassicServerAdapter[socket.socket, InetPeer])
assert_type(adapter.server_address, InetPeer)
assert_type(adapter.socket, socket.socket)
assert_type(adapter.fileno(), int)
adapter.serve_forever(poll_interval=0.1)


def drive(server: socketserver.ClassicServerAdapter) -> Peer:
    return server.server_address


drive(adapter)
drive(socketserver.ClassicServerAdapter(unix.handler(StreamHandler).build()))
drive(socketserver.ClassicServerAdapter(udp.handler(DatagramHandler).build()))

build = ServerBuilder.from_classic
assert_type(build(Everything, here), StreamNeedsHandler[Peer])
assert_type(build(Typed, here), StreamNeedsHandler[Peer])
assert_type(build(standard.ThreadingTCPServer, here), StreamNeedsHandler[Peer])
assert_type(build(socketserver.UnixStreamServer, "/run/it"), StreamNeedsHandler[Peer])
assert_type(build(Letters, here), NeedsHandler[Datagram, Peer])
assert_type(build(standard.UDPServer, here), NeedsHandler[Datagram, Peer])
assert_type(build(Typed(here, Lines)), Ready[socket.socket, Peer])
assert_type(build(Letters(here, Answers)), Ready[Datagram, Peer])
assert_type(
    build(http.server.HTTPServer(here, http.server.SimpleHTTPRequestHandler)),
    Ready[socket.socket, Peer],
)
