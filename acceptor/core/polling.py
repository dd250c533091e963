"""Waiting for descriptors: epoll itself where it is there, else what the system has."""

import select
import selectors
import sys
from abc import abstractmethod
from typing import Protocol

import attrs


class Poller(Protocol):
    """A set of descriptors to wait for; each is given and returned as its number."""

    __slots__ = ()

    @abstractmethod
    def add(self, fd: int) -> None:
        """Wait for this one, too."""

    @abstractmethod
    def remove(self, fd: int) -> None:
        """Wait for it no more; harmless if it is closed already."""

    @abstractmethod
    def poll(self, timeout: float | None) -> list[int]:
        """Wait up to so many seconds; return those that are readable or have hung up."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the system's part of it; may be repeated."""


if sys.platform == "linux":

    @attrs.define(eq=False)
    class EpollPoller(Poller):
        """Linux's own: half the time of a wait through `selectors`, whose keys nobody reads."""

        _epoll: select.epoll = attrs.field(factory=select.epoll, init=False)

        def add(self, fd: int) -> None:
            """Wait for this one, too."""
            self._epoll.register(fd, select.EPOLLIN)

        def remove(self, fd: int) -> None:
            """Wait for it no more; harmless if it is closed already."""
            try:
                self._epoll.unregister(fd)
            except OSError:  # closed, and thereby removed
                pass

        def poll(self, timeout: float | None) -> list[int]:
            """Wait up to so many seconds; return those that are readable or have hung up."""
            return [fd for fd, _ in self._epoll.poll(timeout)]

        def close(self) -> None:
            """Close the epoll descriptor."""
            self._epoll.close()


@attrs.define(eq=False)
class SelectorPoller(Poller):
    """Everybody else's, through the standard library's best selector."""

    _selector: selectors.BaseSelector = attrs.field(factory=selectors.DefaultSelector, init=False)

    def add(self, fd: int) -> None:
        """Wait for this one, too."""
        self._selector.register(fd, selectors.EVENT_READ)

    def remove(self, fd: int) -> None:
        """Wait for it no more; harmless if it is closed already."""
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError, OSError):
            pass

    def poll(self, timeout: float | None) -> list[int]:
        """Wait up to so many seconds; return those that are readable or have hung up."""
        return [key.fd for key, _ in self._selector.select(timeout)]

    def close(self) -> None:
        """Close what the selector has opened."""
        self._selector.close()


def best_poller() -> Poller:
    """Return the fastest there is here."""
    if sys.platform == "linux":
        return EpollPoller()
    return SelectorPoller()
