"""Waiting for descriptors: epoll itself where it is there, else what the system has."""

import math
import select
import selectors
import sys
from abc import abstractmethod
from typing import Final, Protocol

import attrs

from acceptor.core.values import define

READABLE: Final = 1  # EPOLLIN, and selectors.EVENT_READ
WRITABLE: Final = 4 if sys.platform == "linux" else 2  # EPOLLOUT, or selectors.EVENT_WRITE


class Poller(Protocol):
    """A set of descriptors to wait for; `select.epoll` is one as it stands."""

    __slots__ = ()

    @abstractmethod
    def register(self, fd: int, eventmask: int, /) -> None:
        """Wait for this one, too."""

    @abstractmethod
    def modify(self, fd: int, eventmask: int, /) -> None:
        """Wait for something else of it."""

    @abstractmethod
    def unregister(self, fd: int, /) -> None:
        """Wait for it no more.

        Raises:
            OSError: It is closed already, and with that no longer waited for.
        """

    @abstractmethod
    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """Wait up to so many seconds; return what is readable or has hung up."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the system's part of it; may be repeated."""


@define(eq=False)
class SelectorPoller(Poller):
    """Any selector of the standard library's kind; by default its best one, without epoll."""

    _selector: selectors.BaseSelector = attrs.field(factory=selectors.DefaultSelector)

    def register(self, fd: int, eventmask: int, /) -> None:
        """Wait for this one, too."""
        self._selector.register(fd, eventmask)

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Wait for something else of it."""
        self._selector.modify(fd, eventmask)

    def unregister(self, fd: int, /) -> None:
        """Wait for it no more."""
        self._selector.unregister(fd)

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        """Wait up to so many seconds; return what is readable or has hung up."""
        return [(key.fd, events) for key, events in self._selector.select(timeout)]

    def close(self) -> None:
        """Close what the selector has opened."""
        self._selector.close()


if sys.platform != "win32":

    @define(eq=False)
    class NumberPoller(Poller):
        """Waits for descriptors by their number alone; poll(2).

        It needs no descriptor of its own, and a number that was closed and given to another
        socket in the meantime is still waited for, where epoll has forgotten it.
        """

        _poll: select.poll = attrs.field(factory=select.poll, init=False)

        def register(self, fd: int, eventmask: int, /) -> None:
            """Wait for this one, too."""
            self._poll.register(fd, eventmask)

        def modify(self, fd: int, eventmask: int, /) -> None:
            """Wait for something else of it."""
            self._poll.modify(fd, eventmask)

        def unregister(self, fd: int, /) -> None:
            """Wait for it no more."""
            self._poll.unregister(fd)

        def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
            """Wait up to so many seconds; return what is readable, has hung up or is closed."""
            return self._poll.poll(None if timeout is None else max(0, math.ceil(timeout * 1000)))

        def close(self) -> None:
            """Nothing to close."""


def best_poller() -> Poller:
    """Return the fastest there is here.

    A wait through `selectors` takes twice the time of epoll's own, for keys that nobody reads.
    """
    if sys.platform == "linux":
        return select.epoll()
    return SelectorPoller()
