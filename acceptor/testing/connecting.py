"""Clients for whatever a server listens on."""

import contextlib
import itertools
import os
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from acceptor.core.interfaces import Listener
from acceptor.core.peers import IPv6Peer, UnixPeer
from acceptor.testing.patience import PATIENCE

AF_UNIX: Final[int] = getattr(socket, "AF_UNIX", -1)  # Windows has none

_NUMBERS: Final = itertools.count(1)
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where not to connect to


class UnixDatagramClient(socket.socket):
    """A Unix datagram socket with a name, so that it can be answered, until it is closed."""

    _path: Path | None = None

    def __init__(self) -> None:
        super().__init__(AF_UNIX, socket.SOCK_DGRAM)
        name = f"acceptor-client-{os.getpid()}-{next(_NUMBERS)}"
        if sys.platform == "linux":
            self.bind(f"\0{name}")
        else:
            self._path = Path(tempfile.gettempdir(), name)
            self.bind(str(self._path))

    def close(self) -> None:
        """Close it and remove its name."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        super().close()


def connect(listener: Listener[Any, Any], timeout: float | None = PATIENCE) -> socket.socket:
    """Connect a client to a listener of any built-in transport, or of one that has `connect`.

    The caller closes it. Its own timeout is so many seconds.

    Raises:
        OSError: Nobody lets it in.
        TypeError: It is not known how to.
    """
    own: Callable[[], socket.socket] | None = getattr(listener, "connect", None)
    if own is not None:
        return own()
    bound: socket.socket | None = getattr(listener, "socket", None)
    if bound is None:
        raise TypeError(
            f"no client is known for {listener!r}: give its transport's listener a method "
            "`connect` that returns one, or connect in the test"
        )
    kind = bound.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) if bound.fileno() >= 0 else None
    with contextlib.ExitStack() as undo:
        client = undo.enter_context(_client(listener.address, kind or socket.SOCK_STREAM))
        client.settimeout(timeout)
        client.connect(_sockaddr(listener.address))
        undo.pop_all()
        return client


def _client(address: Any, kind: int) -> socket.socket:
    if not isinstance(address, UnixPeer):
        family = socket.AF_INET6 if isinstance(address, IPv6Peer) else socket.AF_INET
        return socket.socket(family, kind)
    return UnixDatagramClient() if kind == socket.SOCK_DGRAM else socket.socket(AF_UNIX)


def _sockaddr(address: Any) -> Any:
    if isinstance(address, UnixPeer):
        return "\0" + address.path[1:] if address.path.startswith("@") else address.path
    host, port = address
    name, _, scope = host.partition("%")
    target = _ANYWHERE.get(name, name)
    return (target, port, 0, int(scope)) if scope else (target, port)
