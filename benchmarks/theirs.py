"""The standard library's, in a process of its own: `python -m benchmarks.theirs tcp threaded`."""

import socketserver
from typing import Any

from benchmarks.work import STREAMS, announce, cell


class Echo(socketserver.StreamRequestHandler):
    """Echoes one line."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


class DatagramEcho(socketserver.DatagramRequestHandler):
    """Echoes one datagram."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read())


BASES: dict[str, type[socketserver.BaseServer]] = {
    "tcp": socketserver.TCPServer,
    "udp": socketserver.UDPServer,
    "unix_stream": socketserver.UnixStreamServer,
    "unix_datagram": socketserver.UnixDatagramServer,
}
MIXINS: dict[str, tuple[type, ...]] = {
    "sync": (),
    "threaded": (socketserver.ThreadingMixIn,),
    "forked": (socketserver.ForkingMixIn,),
}


def main() -> None:
    """Serve until killed; with the backlog raised, as everyone has to who serves bursts."""
    transport, strategy, address = cell()
    attributes = {"request_queue_size": 4096, "allow_reuse_address": transport == "tcp"}
    kind: Any = type("Server", (*MIXINS[strategy], BASES[transport]), attributes)
    server = kind(address, Echo if transport in STREAMS else DatagramEcho)
    announce(server.server_address)
    server.serve_forever()


if __name__ == "__main__":
    main()
