"""A chat in one thread: `python examples/chat_tcp.py [PORT]`, then `nc 127.0.0.1 9999`, twice."""

import logging
import sys

from acceptor import Connection, Message, Peer, ServerBuilder, lines

present: set["Seat"] = set()


class Seat:
    """What one connection has as long as it lasts."""

    def opened(self, connection: Connection) -> None:
        """Take part."""
        self.connection = connection
        present.add(self)
        connection.reply(b"%d are here" % len(present))

    def closed(self, connection: Connection) -> None:
        """Leave."""
        present.discard(self)


def say(message: Message[Seat], client_address: Peer, server: object) -> None:
    """Pass a line on to all others."""
    line = f"{client_address}: ".encode() + message.payload
    for seat in present - {message.session}:
        seat.connection.reply(line)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)  # says where it listens
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9999
    ServerBuilder().tcp(("127.0.0.1", port)).framed(lines(), session=Seat).handler(
        say
    ).build().run()
