"""Where memory clients come to, and wait to be taken."""

import errno
import itertools
import os
import sys
import threading
from collections import deque
from typing import Final, Generic, TypeVar

import attrs

from acceptor.core.errors import ListenError
from acceptor.core.peers import IPv4Peer, IPv6Peer, Peer, UnixPeer
from acceptor.testing.bell import Bell

T = TypeVar("T")

HERE: Final = IPv4Peer("127.0.0.1", 9999)
"""What a memory transport is bound to, unless it is told."""

NO_FORK: Final = "a memory transport cannot reach a forked child; use sync() or threaded() with it"

_PORTS: Final = itertools.count(40_001)


@attrs.define(eq=False)
class Line(Generic[T]):
    """Those who wait at one listener; its descriptor is readable while somebody does."""

    _bell: Bell = attrs.field(factory=Bell, init=False, repr=False)
    _waiting: deque[T] = attrs.field(factory=deque[T], init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    is_open: bool = attrs.field(default=True, init=False)

    def fileno(self) -> int:
        """Return the descriptor; -1 once it is closed."""
        return self._bell.fileno()

    def add(self, client: T) -> None:
        """Wait.

        Raises:
            ConnectionRefusedError: Nobody is taken any more.
        """
        with self._lock:
            if not self.is_open:
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
            self._waiting.append(client)
            self._bell.ring()

    def take(self) -> T | None:
        """Return who has come first; None if nobody waits."""
        with self._lock:
            client = self._waiting.popleft() if self._waiting else None
            self._bell.ring(bool(self._waiting))
            return client

    def __len__(self) -> int:
        return len(self._waiting)

    def close(self) -> list[T]:
        """Let nobody in any more; return who still waits."""
        with self._lock:
            self.is_open = False
            left = list(self._waiting)
            self._waiting.clear()
            self._bell.close()
            return left

    def release(self) -> None:
        """Let go of this process's descriptor."""
        self._bell.close()


@attrs.define(eq=False)
class Door(Generic[T]):
    """The one place that a memory transport is: open while a listener is there."""

    _line: Line[T] | None = attrs.field(default=None, init=False)

    def open(self) -> Line[T]:
        """Begin to listen.

        Raises:
            ListenError: Somebody listens already.
        """
        if self._line is not None and self._line.is_open:
            raise ListenError(
                errno.EADDRINUSE, "a listener of this memory transport is open already"
            )
        self._line = Line()
        return self._line

    def enter(self, client: T) -> None:
        """Wait to be taken.

        Raises:
            ConnectionRefusedError: Nobody listens.
        """
        if self._line is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        self._line.add(client)


def somebody(address: Peer, *, named: bool = False) -> Peer:
    """Return a peer that could come to this address: on this machine, another one each time.

    A Unix peer is this very process; or, as with datagrams, a name and nothing else.
    """
    if isinstance(address, IPv6Peer):
        return IPv6Peer("::1", next(_PORTS))
    if isinstance(address, IPv4Peer):
        return IPv4Peer("127.0.0.1", next(_PORTS))
    if named or sys.platform == "win32":
        return UnixPeer(f"@client-{next(_PORTS)}")
    return UnixPeer("", os.getpid(), os.getuid(), os.getgid())
