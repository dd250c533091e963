"""What gives out while messages are served: clients in the midst of replies."""

import socket
from typing import Any

import pytest

from acceptor import Closed, Message, Outcome
from tests.framed.held_kit import WORKERS, framed, handler_of, reset
from tests.support import Recorder, connect, serving


def flood(message: Message[Any]) -> None:
    """Reply until no more is accepted."""
    while message.reply(b"x" * 50_000):
        pass
    message.close()


@pytest.mark.parametrize("strategy", WORKERS)
@pytest.mark.parametrize("read", [0, 1, 1_000_000])
def test_replies_are_refused_once_their_client_has_left(strategy: str, read: int) -> None:
    recorder = Recorder()
    with serving(framed(strategy).handler(handler_of(flood)).observe(recorder)) as server:
        client = connect(server.address)
        client.sendall(b"x\n")
        left = read
        while left > 0:
            left -= len(client.recv(left))

        client.shutdown(socket.SHUT_RDWR)  # a child of ours has the client's descriptor, too
        reset(client)

        (closed,) = recorder.wait_for(Closed)
    assert closed.outcome is Outcome.CLIENT_LEFT
