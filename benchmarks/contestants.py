"""The servers that are measured, each in a process of its own.

`python -m benchmarks.contestants ours tcp threaded` prints its address and serves until killed.
Each does the same work: read one line (or datagram), send it back, close.
"""

import os
import socketserver
import sys
import tempfile
from typing import Any

import acceptor

TRANSPORTS = ("tcp", "unix_stream", "udp", "unix_datagram")
STRATEGIES = ("sync", "threaded", "forked")
STREAMS = ("tcp", "unix_stream")


class OurEcho(acceptor.StreamHandler):
    """Echoes one line."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


class TheirEcho(socketserver.StreamRequestHandler):
    """Echoes one line."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


class OurDatagramEcho(acceptor.DatagramHandler):
    """Echoes one datagram."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read())


class TheirDatagramEcho(socketserver.DatagramRequestHandler):
    """Echoes one datagram."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read())


def our_server(transport: str, strategy: str, address: Any) -> acceptor.Server[Any, Any]:
    """Put our server together."""
    stage = getattr(acceptor.ServerBuilder(), transport)(address)
    stage = getattr(stage, strategy)()
    handler = OurEcho if transport in STREAMS else OurDatagramEcho
    server: acceptor.Server[Any, Any] = stage.handler(handler).build()
    return server.listen()


def their_server(transport: str, strategy: str, address: Any) -> socketserver.BaseServer:
    """Derive theirs, with the backlog raised, as everyone has to who serves bursts."""
    base: Any = {
        "tcp": socketserver.TCPServer,
        "udp": socketserver.UDPServer,
        "unix_stream": socketserver.UnixStreamServer,
        "unix_datagram": socketserver.UnixDatagramServer,
    }[transport]
    mixin: dict[str, tuple[type, ...]] = {
        "sync": (),
        "threaded": (socketserver.ThreadingMixIn,),
        "forked": (socketserver.ForkingMixIn,),
    }
    attributes = {"request_queue_size": 4096, "allow_reuse_address": transport == "tcp"}
    kind = type("Server", (*mixin[strategy], base), attributes)
    server: socketserver.BaseServer = kind(
        address, TheirEcho if transport in STREAMS else TheirDatagramEcho
    )
    return server


def main() -> None:
    """Serve."""
    who, transport, strategy = sys.argv[1:]
    path = os.path.join(tempfile.mkdtemp(prefix="bench-"), "it.sock")
    address = ("127.0.0.1", 0) if transport in ("tcp", "udp") else path
    server: Any
    if who == "ours":
        server = our_server(transport, strategy, address)
        bound = server.address
    else:
        server = their_server(transport, strategy, address)
        bound = server.server_address
    print(bound[1] if transport in ("tcp", "udp") else path, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
