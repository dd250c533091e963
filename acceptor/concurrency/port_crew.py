"""Threads that wait at the port by themselves, so that no client is handed over."""

import contextlib
import errno
import os
import select
import sys
from collections.abc import Callable
from typing import Final

import attrs

from acceptor.concurrency.crew import Crew
from acceptor.core.errors import ResourceError
from acceptor.core.interfaces import Borrower, Job

if sys.platform == "linux":
    # Edge-triggered: the system wakes one thread for each client that comes, and not all of them.
    _ONE_OF_US: Final = select.EPOLLIN | select.EPOLLET

    @attrs.define(eq=False)
    class PortCrew(Crew, Borrower):
        """Has idle threads wait for a job and, while the port is lent, for a client, in one place.

        Whoever was woken, and found what he was woken for, sees to it that another one looks for
        more: one event may stand for many. `_lock` guards the two descriptors.
        """

        workers: int  # pyright: ignore[reportIncompatibleMethodOverride]
        _take: Callable[[], Job | None] | None = attrs.field(default=None, init=False)
        _port: int = attrs.field(default=-1, init=False)
        _poller: select.epoll = attrs.field(factory=select.epoll, init=False, repr=False)
        _gone: int = attrs.field(default=0, init=False)  # threads that went home
        _calls: int = attrs.field(init=False)  # an eventfd: any write wakes a thread

        def __attrs_post_init__(self) -> None:
            try:
                self._calls = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            except OSError:
                self._poller.close()
                raise
            self._poller.register(self._calls, _ONE_OF_US)

        def lend(self, port: int, take: Callable[[], Job | None], /) -> None:
            """Have idle threads wait at the port, too, and take clients by themselves.

            Raises:
                ResourceError: Threads are missing. Those that are there serve what is submitted,
                    and each time the others are tried for.
            """
            self._man()
            if self._started < self.workers:
                raise ResourceError(errno.EAGAIN, "threads are missing")
            self._take = take
            self._port = port
            self._poller.register(port, _ONE_OF_US)

        def give_back(self) -> None:
            """Have nobody wait at the port any more."""
            port, self._port, self._take = self._port, -1, None
            if port >= 0:
                with contextlib.suppress(OSError, ValueError):
                    self._poller.unregister(port)

        def _next(self) -> Job | None:
            """Return a job that waits, or take a client that does, or wait for either."""
            poller = self._poller
            while not self._closed:
                job = self._oldest() if self._jobs else None
                if job is None and (take := self._take) is not None:
                    job = take()
                if job is not None:
                    return job
                for fd, _ in poller.poll(None, 1):
                    if (job := self._answer(fd)) is not None:
                        return job
            return None

        def _answer(self, fd: int) -> Job | None:
            """Do what this thread alone was woken for, and have another one look for more."""
            if fd == self._port and (take := self._take) is not None:
                job = take()
                with contextlib.suppress(OSError):  # it was given back meanwhile
                    self._poller.modify(fd, _ONE_OF_US)
                return job
            job = self._oldest()
            if self._jobs:
                self._ring()
            return job

        def _ring(self) -> None:
            os.eventfd_write(self._calls, 1)

        def _go_home(self) -> None:
            """Send the next one home; the last one puts out the light."""
            with self._lock:
                self._gone += 1
                if self._gone < self._started:
                    self._ring()
                else:
                    self._shut()

        def _shut(self) -> None:
            self._poller.close()
            os.close(self._calls)

        def close(self) -> None:
            """Send the threads home, each when its job is over."""
            with self._lock:
                if not self._closed:
                    self._closed = True
                    if self._started:
                        self._ring()
                    else:
                        self._shut()
