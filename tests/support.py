"""What the tests share: servers that are surely closed, clients, and waits for facts."""

import contextlib
import socket
from collections.abc import Generator
from typing import Any

from acceptor import Ready, Server
from acceptor.testing import PATIENCE, wait_until
from acceptor.testing import EventRecorder as Recorder
from acceptor.testing.patience import open_descriptors

__all__ = ["PATIENCE", "Recorder", "open_descriptors", "wait_until"]


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
