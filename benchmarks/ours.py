"""Ours, in a process of its own: `python -m benchmarks.ours tcp threaded`."""

from typing import Any

from acceptor import DatagramHandler, Observer, Server, ServerBuilder, StreamHandler
from benchmarks.work import STREAMS, announce, cell


class Echo(StreamHandler):
    """Echoes one line."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


class DatagramEcho(DatagramHandler):
    """Echoes one datagram."""

    def handle(self) -> None:
        self.wfile.write(self.rfile.read())


def main(*observers: Observer) -> None:
    """Serve until killed."""
    transport, strategy, address = cell()
    stage = getattr(getattr(ServerBuilder(), transport)(address), strategy)()
    for observer in observers:
        stage = stage.observe(observer)
    server: Server[Any, Any] = stage.handler(Echo if transport in STREAMS else DatagramEcho).build()
    server.listen()
    announce(address if isinstance(address, str) else server.address)
    server.serve_forever()


if __name__ == "__main__":
    main()
