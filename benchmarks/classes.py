"""One server of the classic classes, from whichever module has them."""

from types import ModuleType
from typing import Any

from benchmarks.work import STREAMS, announce, cell

BASES = {
    "tcp": "TCPServer",
    "udp": "UDPServer",
    "unix_stream": "UnixStreamServer",
    "unix_datagram": "UnixDatagramServer",
}
MIXINS = {"sync": (), "threaded": ("ThreadingMixIn",), "forked": ("ForkingMixIn",)}


def serve(socketserver: ModuleType) -> None:
    """Serve until killed; with the backlog raised, as everyone has to who serves bursts."""

    class Echo(socketserver.StreamRequestHandler):  # type: ignore[misc, name-defined]
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline())

    class DatagramEcho(socketserver.DatagramRequestHandler):  # type: ignore[misc, name-defined]
        def handle(self) -> None:
            self.wfile.write(self.rfile.read())

    transport, strategy, address = cell()
    bases = tuple(getattr(socketserver, name) for name in (*MIXINS[strategy], BASES[transport]))
    attributes = {"request_queue_size": 4096, "allow_reuse_address": transport == "tcp"}
    kind: Any = type("Server", bases, attributes)
    server = kind(address, Echo if transport in STREAMS else DatagramEcho)
    announce(server.server_address)
    server.serve_forever()
