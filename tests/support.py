"""What the tests share: servers that are surely closed, clients, and waits for facts."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import attrs

from acceptor import Event, Ready, Server

E = TypeVar("E")

# How long a fact may take before the test says that it will never come. Generous: it is only
# waited for when something is broken.
PATIENCE = 20.0


@contextlib.contextmanager
def serving(ready: Ready[Any, Any]) -> Generator[Server[Any, Any], None, None]:
    """Serve in the background for the length of the block, and stop without patience."""
    server = ready.build()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def connect(address: Any) -> socket.socket:
    """Connect to a stream server's `server.address`, TCP or Unix; the caller closes."""
    path = getattr(address, "path", None)
    if path is None:
        return socket.create_connection(tuple(address), timeout=PATIENCE)
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect("\0" + path[1:] if path.startswith("@") else path)
    return client


def ask(address: Any, question: bytes) -> bytes:
    """Send everything, half-close, and return all that comes back."""
    with connect(address) as client:
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """Read until the other side ends."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def wait_until(true: Callable[[], Any], what: str = "") -> None:
    """Wait for a fact that nothing announces; fail if it does not come."""
    done = threading.Event()
    for _ in range(int(PATIENCE / 0.002)):
        if true():
            return
        done.wait(0.002)
    raise AssertionError(f"did not come true: {what or true}")


@attrs.define(eq=False)
class Recorder:
    """An observer that keeps what it is told and lets a test wait for it."""

    events: list[Event] = attrs.field(factory=list)
    _changed: threading.Condition = attrs.field(
        factory=lambda: threading.Condition(threading.RLock())
    )

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of a kind, so far."""
        with self._changed:
            return [event for event in self.events if isinstance(event, kind)]

    def wait_for(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait until there are so many events of a kind, and return them."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.of(kind)) >= count, PATIENCE)
            assert came, f"waited for {count} {kind.__name__}, have {self.events}"
            return self.of(kind)


def open_descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
