"""What the tests of the classic classes share."""

import contextlib
import os
import socket
import threading
from collections.abc import Generator
from typing import Any

from acceptor.classic import ForkingTCPServer, TCPServer, ThreadingTCPServer
from tests.fakes import Call
from tests.support import PATIENCE

LOOPBACK = ("127.0.0.1", 0)

# An hour: a test that waits for it never passes.
LONG = 3600.0

STYLES: list[type[TCPServer]] = [TCPServer, ThreadingTCPServer]
if hasattr(os, "fork"):
    STYLES.append(ForkingTCPServer)


@contextlib.contextmanager
def serving(server: Any, poll_interval: Any = None) -> Generator[Call, None, None]:
    """Serve in a thread for the length of the block; stop and close at its end."""
    loop = Call(lambda: server.serve_forever(poll_interval))
    try:
        yield loop
    finally:
        Call(server.shutdown).result()
        loop.result()
        Call(server.server_close).result()


def happens(fact: threading.Event) -> None:
    """Wait for a fact that must come."""
    assert fact.wait(PATIENCE), "never happened"


def tell_pid(request: socket.socket, client_address: object, server: Any) -> None:
    """Say which process serves, and serve until the client says something or leaves."""
    request.sendall(b"%d\n" % os.getpid())
    request.recv(1)


def pid_of(client: socket.socket) -> int:
    """Wait until `tell_pid` serves the client; return the process."""
    with client.makefile("rb") as lines:
        return int(lines.readline())
