"""Framed servers under every strategy, and clients that hold a connection."""

import os
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from acceptor import Concurrency, Dispatcher, Message, Server, ServerBuilder, Workplace, lines
from acceptor.concurrency.crew import Crew
from tests.support import PATIENCE, connect

RESET: Final = struct.pack("ii", 1, 0)


@attrs.frozen
class Handed(Concurrency):
    """A strategy that others have written: it knows nothing of messages."""

    limit: int = 8

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return Crew(8)


def _has_fork() -> bool:
    return hasattr(os, "fork")


STRATEGIES: Final[dict[str, Callable[[Any], Any]]] = {
    "sync": lambda stage: stage.sync(),
    "threaded": lambda stage: stage.threaded(8),
    "pooled": lambda stage: stage.pooled(4),
    "forked": lambda stage: stage.forked(8),
    "handed": lambda stage: stage.concurrency(Handed()),
}

forks = pytest.mark.skipif(not _has_fork(), reason="needs fork")
EVERY: Final = [pytest.param(name, marks=forks if name == "forked" else ()) for name in STRATEGIES]
WORKERS: Final = EVERY[1:]
THREADS: Final = ["threaded", "pooled", "handed"]
ONE_PROCESS: Final = ["sync", *THREADS]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs epoll or /proc")


def framed(strategy: str, framing: Any = None, **options: Any) -> Any:
    """Begin a framed server on a free port of the loopback interface."""
    stage = ServerBuilder().tcp(("127.0.0.1", 0)).framed(framing or lines(), **options)
    return STRATEGIES[strategy](stage)


def upper(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
    """Answer in capital letters."""
    message.reply(message.payload.upper())


def handler_of(serve: Callable[[Message[Any]], object]) -> Any:
    """Make a handler of a function that takes the message alone."""

    def handle(message: Message[Any], client_address: object, server: object) -> None:
        serve(message)

    return handle


def ask(client: socket.socket, line: bytes) -> bytes:
    """Send a line and read one back."""
    client.sendall(line + b"\n")
    return read_line(client)


def read_line(client: socket.socket) -> bytes:
    """Read a line, and nothing behind it; b"" at the end of the stream."""
    found = bytearray()
    while not found.endswith(b"\n"):
        byte = client.recv(1)
        if not byte:
            return b""
        found += byte
    return bytes(found[:-1])


def held(server: Server[Any, Any]) -> socket.socket:
    """Connect, and have one message answered; the connection is at rest then."""
    client = connect(server.address)
    assert ask(client, b"hello") == b"HELLO"
    return client


def is_at_end(client: socket.socket) -> bool:
    """Wait for the other side to end; say whether it did so without a further byte."""
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def reset(client: socket.socket) -> None:
    """Close with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


@attrs.define(eq=False)
class Gate:
    """A handler that runs until it is let go; tells when it has begun. For threads."""

    begun: threading.Semaphore = attrs.field(factory=lambda: threading.Semaphore(0))
    _open: threading.Event = attrs.field(factory=threading.Event)

    def __call__(self, message: Message[Any], client_address: object, server: object) -> None:
        if message.payload == b"wait":
            self.begun.release()
            assert self._open.wait(PATIENCE)
        message.reply(message.payload.upper())

    def wait_for_begin(self, count: int = 1) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=PATIENCE)

    def let_go(self) -> None:
        self._open.set()
