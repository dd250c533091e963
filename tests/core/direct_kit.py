"""Datagrams that the accept thread serves, for the tests of that."""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from acceptor import Message, Server
from tests.core.kit import sender, stage_of
from tests.support import serving

Handler = Callable[[Message[Any], Any, Server[Any, Any]], object]


def echo(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
    message.reply(message.payload)


class Held:
    """A handler that answers at once, and then runs until it is let go."""

    def __init__(self) -> None:
        self.may_end = threading.Semaphore(0)
        self.threads: list[int] = []

    def __call__(
        self, message: Message[Any], client_address: object, server: Server[Any, Any]
    ) -> None:
        self.threads.append(threading.get_ident())
        message.reply(b"begun")
        self.may_end.acquire()
        message.reply(b"done")


def begin(client: socket.socket, payload: bytes = b"hello") -> None:
    """Have `Held` begin with a datagram."""
    client.send(payload)
    assert client.recv(100) == b"begun"


def end(client: socket.socket, handler: Held) -> None:
    """Have `Held` end, and wait for that."""
    handler.may_end.release()
    assert client.recv(100) == b"done"


@contextlib.contextmanager
def served(
    handler: Handler, folder: Path, transport: str = "udp"
) -> Generator[tuple[Server[Any, Any], socket.socket], None, None]:
    """Serve in the accept thread, with one client."""
    ready = stage_of(transport, "sync", folder).handler(handler)
    with serving(ready) as server, sender(server.address, folder) as client:
        yield server, client
