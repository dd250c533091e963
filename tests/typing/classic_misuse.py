# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Misuse of `acceptor.classic` that both checkers must refuse; see `misuse.py`."""

import http.server
import socket
import ssl
from typing import Any

import acceptor.classic as socketserver
from acceptor import ServerBuilder, StreamHandler

Inet = tuple[str, int]
here = ("127.0.0.1", 0)


class Echo(socketserver.StreamRequestHandler): ...


class Encrypted(socketserver.StreamRequestHandler[ssl.SSLSocket]): ...


class Answers(socketserver.DatagramRequestHandler): ...


class Typed(socketserver.TCPServer[socket.socket, Inet]): ...


class Four(socketserver.BaseRequestHandler):
    def __init__(
        self, request: socket.socket, client_address: Any, server: Any, word: bytes
    ) -> None: ...


def two(request: socket.socket, client_address: Any) -> None: ...


# What is no handler.
socketserver.TCPServer(here, Echo(socket.socket(), here, None))  # type: ignore[arg-type]
socketserver.TCPServer(here, two)  # type: ignore[arg-type]
socketserver.TCPServer(here, Four)  # type: ignore[arg-type]
socketserver.TCPServer(here, None)  # type: ignore[arg-type]
socketserver.TCPServer(here, "Echo")  # type: ignore[arg-type]
socketserver.TCPServer(here)  # type: ignore[call-arg]
Four(socket.socket(), here, None)  # type: ignore[call-arg]

# Constructors.
socketserver.TCPServer(here, Echo, "yes")  # type: ignore[arg-type]
socketserver.TCPServer(here, Echo, bind_and_activate=None)  # type: ignore[arg-type]
socketserver.TCPServer(here, Echo, True, True)  # type: ignore[call-arg]
socketserver.UDPServer(here, Answers, activate=False)  # type: ignore[call-arg]
socketserver.TCPServer[socket.socket, Inet, int](here, Echo)  # type: ignore[misc]

# Calls.
server = socketserver.ForkingTCPServer(here, Echo)
server.serve_forever("soon")  # type: ignore[arg-type]
server.serve_forever(interval=0.5)  # type: ignore[call-arg]
server.shutdown(5.0)  # type: ignore[call-arg]
server.handle_request(1.0)  # type: ignore[call-arg]
server.collect_children(True)  # type: ignore[call-arg]
server.drain()  # type: ignore[attr-defined]
server.fileno = 3  # type: ignore[assignment, method-assign]
server.timeout = "5"  # type: ignore[assignment]
server.max_children = None  # type: ignore[assignment]
server.socket = None  # type: ignore[assignment]
server.RequestHandlerClass = None  # type: ignore[assignment]
server.daemon_threads = True  # type: ignore[attr-defined]
_ = Typed(here, Echo).get_request()[1].host  # type: ignore[attr-defined]


# Hooks.
class Truthful(socketserver.TCPServer):
    def verify_request(self, request: socket.socket, client_address: Any) -> str:  # type: ignore[override]
        return "yes"


class Lonely(socketserver.TCPServer):
    def get_request(self) -> socket.socket:  # type: ignore[override]
        return self.socket.accept()[0]


class Forgetful(socketserver.ThreadingTCPServer):
    def handle_error(self, request: socket.socket) -> None: ...  # type: ignore[override]


class Curious(socketserver.TCPServer):
    def finish_request(self, request: socket.socket, client_address: Any, word: str) -> None: ...  # type: ignore[override]


class Elsewhere(socketserver.TCPServer[socket.socket, Inet]):
    def verify_request(self, request: socket.socket, client_address: int) -> bool:  # type: ignore[override]
        return client_address > 0


class Streaming(socketserver.UDPServer):
    def get_request(self) -> tuple[socket.socket, Any]:  # type: ignore[override]
        return self.socket.accept()


class Worded(socketserver.TCPServer):
    address_family = "inet"  # type: ignore[assignment]
    request_queue_size = "many"  # type: ignore[assignment]
    allow_reuse_address = "yes"  # type: ignore[assignment]


class Hasty(socketserver.TCPServer):
    def serve_forever(self, poll_interval: str = "soon") -> None: ...  # type: ignore[override]


# Handlers.
class Careless(socketserver.StreamRequestHandler):
    rbufsize = "large"  # type: ignore[assignment]

    def handle(self) -> int:  # type: ignore[override]
        self.wfile.write("text")  # type: ignore[arg-type]
        self.rfile.readline("10")  # type: ignore[arg-type]
        self.connection.getpeercert()  # type: ignore[attr-defined]
        _ = self.packet  # type: ignore[attr-defined]
        return 0


class Mixed(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        _ = self.connection  # type: ignore[attr-defined]
        self.request.sendall(b"")  # type: ignore[attr-defined]


# In the composed form.
tcp = ServerBuilder().tcp(here)
udp = ServerBuilder().udp(here)
tcp.handler(Answers)  # type: ignore[arg-type]
tcp.handler(socketserver.DatagramRequestHandler)  # type: ignore[arg-type]
tcp.handler(Encrypted)  # type: ignore[arg-type]
tcp.handler(Four)  # type: ignore[arg-type]
udp.handler(Echo)  # type: ignore[arg-type]
udp.handler(Answers)  # type: ignore[arg-type]

# The bridges.
socketserver.ClassicServerAdapter(tcp.handler(Echo))  # type: ignore[arg-type]
socketserver.ClassicServerAdapter(server)  # type: ignore[arg-type]
adapter = socketserver.ClassicServerAdapter(tcp.handler(Echo).build(), bind_and_activate=True)
adapter.server_address = here  # type: ignore[assignment, misc]
adapter.serve_forever("soon")  # type: ignore[arg-type]
socketserver.TCPServer(here, adapter)  # type: ignore[arg-type]
ServerBuilder.from_classic(socketserver.UDPServer, here).handler(StreamHandler)  # type: ignore[arg-type]
ServerBuilder.from_classic(Typed, here).build()  # type: ignore[attr-defined]
ServerBuilder.from_classic(Typed)  # type: ignore[call-overload]
ServerBuilder.from_classic(Echo, here)  # type: ignore[arg-type]
ServerBuilder.from_classic(http.server.SimpleHTTPRequestHandler, here)  # type: ignore[arg-type]
ServerBuilder.from_classic(3)  # type: ignore[call-overload]
