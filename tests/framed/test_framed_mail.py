"""What other threads, children and sessions reply: in its order, all of it, and then no more."""

import socket
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor import Connection
from tests.framed.held_kit import EVERY, framed, upper
from tests.support import connect, read_all


@attrs.define(eq=False)
class Sessions:
    """Makes sessions that keep their connections."""

    on_open: Callable[[Any], object] = lambda connection: None
    connections: list[Connection[Any]] = attrs.field(factory=list)

    def __call__(self) -> "Sessions":
        return self

    def opened(self, connection: Connection[Any]) -> None:
        self.connections.append(connection)
        self.on_open(connection)


@pytest.mark.parametrize("strategy", EVERY)
def test_greeting_of_a_session_comes_before_all_replies(strategy: str) -> None:
    sessions = Sessions(lambda connection: connection.reply(b"welcome"))
    stage = framed(strategy, session=sessions).handler(upper)
    with stage.build() as server, connect(server.address) as client:
        client.sendall(b"x\n")
        client.shutdown(socket.SHUT_WR)

        server.start()

        assert read_all(client) == b"welcome\nX\n"
