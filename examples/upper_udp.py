"""Answers UDP in upper case: `python examples/upper_udp.py [PORT]`, then `nc -u 127.0.0.1 9999`."""

import logging
import sys

from acceptor import Datagram, Peer, ServerBuilder


def upper(datagram: Datagram, client_address: Peer, server: object) -> None:
    """Answer one datagram."""
    datagram.reply(datagram.payload.upper())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)  # says where it listens
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9999
    ServerBuilder().udp(("127.0.0.1", port)).handler(upper).build().run()
