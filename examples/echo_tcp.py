"""Echoes lines over TCP: `python examples/echo_tcp.py [PORT]`, then `nc 127.0.0.1 9999`."""

import logging
import sys

from acceptor import ServerBuilder, StreamHandler


class Echo(StreamHandler):
    """Sends every line back as it came."""

    def handle(self) -> None:
        """Serve one connection until the client ends it."""
        for line in self.rfile:
            self.wfile.write(line)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)  # says where it listens
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9999
    ServerBuilder().tcp(("127.0.0.1", port)).threaded().handler(Echo).build().run()
