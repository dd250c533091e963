"""What the tests of messages share: every strategy, handlers, and clients that count."""

import socket
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import attrs

from acceptor import (
    Concurrency,
    Dispatcher,
    InetPeer,
    Job,
    Message,
    NeedsHandler,
    ServerBuilder,
    StreamNeedsHandler,
    Workplace,
)


@attrs.frozen
class ByHand(Concurrency):
    """A strategy that somebody else has written, who knows of no messages."""

    size: int = 4

    @property
    def limit(self) -> int:
        return self.size

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return PoolDispatcher(ThreadPoolExecutor(self.size))


@attrs.define(eq=False)
class PoolDispatcher(Dispatcher):
    _pool: ThreadPoolExecutor

    def submit(self, job: Job, /) -> None:
        self._pool.submit(job.run, patient=True)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        for job in jobs:
            job.cut()

    def close(self) -> None:
        self._pool.shutdown(wait=False)


_BY_NAME: Final[dict[str, Callable[[Any], Any]]] = {
    "sync": lambda stage: stage.sync(),
    "threaded": lambda stage: stage.threaded(),
    "one thread": lambda stage: stage.threaded(1),
    "pooled": lambda stage: stage.pooled(4),
    "by hand": lambda stage: stage.concurrency(ByHand()),
    "forked": lambda stage: stage.forked(),
}
STRATEGIES: Final = tuple(
    name for name in _BY_NAME if name != "pooled" or hasattr(NeedsHandler, "pooled")
)
IN_THREADS: Final = tuple(name for name in STRATEGIES if name != "forked")
BESIDE: Final = tuple(name for name in IN_THREADS if name not in {"sync", "one thread"})
"""Those that serve messages in more than one thread of this process."""


def tcp() -> StreamNeedsHandler[InetPeer]:
    """Begin a server on a free port of the loopback interface."""
    return ServerBuilder().tcp(("127.0.0.1", 0))


def by(strategy: str, stage: NeedsHandler[Any, Any]) -> NeedsHandler[Any, Any]:
    """Choose a strategy by its name."""
    chosen: NeedsHandler[Any, Any] = _BY_NAME[strategy](stage)
    return chosen


def upper(message: Message, client_address: object, server: object) -> None:
    """Reply in capitals."""
    message.reply(message.payload.upper())


def obey(message: Message, client_address: object, server: object) -> None:
    """Do what the message says, and echo any other."""
    if message.payload == b"fail":
        raise ValueError("as it was told")
    message.reply(message.payload)
    if message.payload == b"close":
        message.close()


def read_line(client: socket.socket) -> bytes:
    """Read up to the next LF; nothing must come behind it."""
    had = b""
    while not had.endswith(b"\n"):
        data = client.recv(65536)
        if not data:
            break
        had += data
    return had


@attrs.define(eq=False)
class Kept:
    """A handler that keeps its messages, for others to use."""

    messages: list[Message] = attrs.field(factory=list[Message])
    came: threading.Event = attrs.field(factory=threading.Event)

    def __call__(self, message: Message, client_address: object, server: object) -> None:
        self.messages.append(message)
        self.came.set()
