"""Collects syslog from three sockets at once: then `logger -n 127.0.0.1 -P 5140 -T hello`."""

import logging
import sys
from functools import partial
from itertools import islice, takewhile

from acceptor import Datagram, Peer, ServerBuilder, StreamHandler, run


def collect(datagram: Datagram, client_address: Peer, server: object) -> None:
    """Log a datagram, which is one message."""
    logging.getLogger("syslog").info("%s", datagram.payload.decode(errors="replace"))


class Collector(StreamHandler):
    """Logs each message of a connection: a line, or what its length says; RFC 6587, 3.4."""

    def handle(self) -> None:
        """Take one message after the other until the client ends."""
        octets = iter(partial(self.rfile.read, 1), b"")
        for first in octets:
            if first.isdigit():
                digits = takewhile(bytes.isdigit, islice(octets, 5))
                message = self.rfile.read(int(first + b"".join(digits)))
            else:
                message = (first + self.rfile.readline(65536)).rstrip()
            logging.getLogger("syslog").info("%s", message.decode(errors="replace"))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 5140
    path = sys.argv[2] if len(sys.argv) > 2 else "log.sock"
    udp = ServerBuilder().udp(("127.0.0.1", port)).handler(collect).build()
    tcp = ServerBuilder().tcp(("127.0.0.1", port)).threaded().handler(Collector).build()
    unix = ServerBuilder().unix_datagram(path).handler(collect).build()
    run(udp, tcp, unix)
