"""What transports with a fault are made of: ours, with one thing changed."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import attrs

from acceptor import (
    TcpEndpoint,
    TcpTransport,
    Transport,
    UdpEndpoint,
    UdpTransport,
)
from tests.support import PATIENCE

SOON = 1.0  # seconds; what a fault that only shows as a wait may take here

OVER = threading.Event()
"""Ends what a mutant waits for, so that nothing is left."""

LEAKS: list[Any] = []
"""What a mutant has not closed."""


class Wrapped:
    """Does what it wraps does; a mutant overrides one thing."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        LEAKS.append(inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Listener(Wrapped):
    wrap: Callable[[Any], Any] = staticmethod(lambda incoming: incoming)

    def accept(self) -> Any:
        incoming = self.inner.accept()
        return None if incoming is None else type(self).wrap(incoming)


@attrs.frozen
class Mutant:
    """A transport of ours, whose listener or whose clients are wrapped."""

    inner: Transport[Any, Any]
    listener: type[Listener] = Listener
    incoming: Callable[[Any], Any] = Wrapped

    def listen(self) -> Any:
        kind = type("Made", (self.listener,), {"wrap": staticmethod(self.incoming)})
        return kind(self.inner.listen())


TCP = TcpTransport(endpoint=TcpEndpoint("127.0.0.1", 0))
UDP = UdpTransport(endpoint=UdpEndpoint("127.0.0.1", 0))


def tidy_up() -> None:
    """End what mutants wait for, and close what they have not."""
    OVER.set()
    for leak in LEAKS:
        if hasattr(leak, "handshake"):
            with contextlib.suppress(OSError):
                leak.close(patient=False)
        elif hasattr(leak, "close"):
            leak.close()
    LEAKS.clear()
    OVER.clear()


def client_of(inner: Any) -> Callable[[Any], socket.socket]:
    kind = socket.SOCK_STREAM if inner is TCP else socket.SOCK_DGRAM

    def connect(address: Any) -> socket.socket:
        with contextlib.ExitStack() as undo:
            client = undo.enter_context(socket.socket(socket.AF_INET, kind))
            client.settimeout(PATIENCE)
            client.connect(tuple(address))
            undo.pop_all()
            return client

    return connect


@attrs.frozen
class Descriptor:
    number: int

    def close(self) -> None:
        os.close(self.number)
