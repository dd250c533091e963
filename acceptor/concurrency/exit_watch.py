"""A descriptor that becomes readable when a child ends."""

import os
import sys
from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

import attrs

from acceptor.core.values import define


class ExitWatch(Protocol):
    """Made before the fork, so that a lack of descriptors is found while nothing has happened."""

    __slots__ = ()

    @abstractmethod
    def in_parent(self, pid: int) -> int:
        """Return the descriptor to watch; the caller closes it."""

    @abstractmethod
    def in_child(self) -> None:
        """Let go of what only the parent needs."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything: there was no fork."""


@define(eq=False)
class PipeWatch(ExitWatch):
    """A pipe whose writing end only the child holds; it is closed when the child ends."""

    _reader: int = attrs.field(init=False)
    _writer: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def in_parent(self, pid: int) -> int:
        """Return the reading end."""
        os.close(self._writer)
        return self._reader

    def in_child(self) -> None:
        """Close the reading end; the writing end stays until the process ends."""
        os.close(self._reader)

    def close(self) -> None:
        """Close both ends."""
        os.close(self._reader)
        os.close(self._writer)


if sys.platform == "linux":

    @define(eq=False)
    class PidfdWatch(ExitWatch):
        """Linux's own answer: a descriptor of the process itself; pidfd_open(2).

        Unlike the pipe it is not kept open by a grandchild. A descriptor is held in reserve until
        the child is there.
        """

        _reserve: int = attrs.field(factory=lambda: os.pidfd_open(os.getpid()), init=False)

        def in_parent(self, pid: int) -> int:
            """Return the child's descriptor."""
            os.close(self._reserve)
            return os.pidfd_open(pid)

        def in_child(self) -> None:
            """Close the reserve."""
            os.close(self._reserve)

        def close(self) -> None:
            """Close the reserve."""
            os.close(self._reserve)


def best_exit_watch() -> Callable[[], ExitWatch]:
    """Return the way to make a watch here: pidfd where kernel and sandbox have it, else a pipe."""
    if sys.platform == "linux":
        try:
            PidfdWatch().close()
        except (AttributeError, OSError):  # an old kernel, or a seccomp filter that denies it
            return PipeWatch
        return PidfdWatch
    return PipeWatch
