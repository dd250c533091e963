"""Where idle threads wait at a port for a client, in which case none has to be handed over."""

import contextlib
import os
import select
import sys
from collections.abc import Callable
from typing import Final

import attrs

from acceptor.core.baton import BATON
from acceptor.core.interfaces import Job
from acceptor.core.values import define

if sys.platform == "linux":
    # Edge-triggered: the system wakes one thread for each client that comes, and not all of them.
    _ONE_OF_US: Final = select.EPOLLIN | select.EPOLLET

    @define(eq=False)
    class Anteroom:
        """A wait for whichever comes first, a client at the port while it is lent, or a call.

        Each event wakes the thread that came last, and one alone: whoever has found what he was
        woken for sees to it that another one looks for more, since one event may stand for many.
        Any thread may call; lending and giving back is for one at a time.
        """

        _take: Callable[[], Job | None] | None = attrs.field(default=None, init=False)
        _port: int = attrs.field(default=-1, init=False)
        _poller: select.epoll = attrs.field(factory=select.epoll, init=False, repr=False)
        _bell: int = attrs.field(init=False)  # an eventfd that nobody reads; each write is an event

        def __attrs_post_init__(self) -> None:
            try:
                self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            except OSError:
                self._poller.close()
                raise
            self._poller.register(self._bell, _ONE_OF_US)

        @property
        def is_closed(self) -> bool:
            """Whether its descriptors are closed."""
            return self._poller.closed

        @property
        def is_lent(self) -> bool:
            """Whether clients may be taken."""
            return self._take is not None

        def lend(self, port: int, take: Callable[[], Job | None]) -> None:
            """Wait at the port, too, from now on."""
            self._take = take
            self._port = port
            self._poller.register(port, _ONE_OF_US)

        def give_back(self) -> bool:
            """Wait there no more; return whether anybody did."""
            port, self._port, self._take = self._port, -1, None
            if port < 0:
                return False
            with contextlib.suppress(OSError, ValueError):
                self._poller.unregister(port)
            return True

        def take(self) -> Job | None:
            """Take a client if one is there and it is allowed."""
            take = self._take
            return None if take is None else take()

        def wait(self, timeout: float | None) -> bool | Job:
            """Wait for a client or a call; return its job, True if called, False at the timeout."""
            takes_turns = BATON.give_up()
            try:
                events = self._poller.poll(timeout, 1)
            finally:
                if takes_turns:
                    BATON.take()
            for fd, _ in events:
                if fd == self._bell:
                    return True
                job = self.take()
                with contextlib.suppress(OSError):  # it was given back meanwhile
                    self._poller.modify(fd, _ONE_OF_US)
                return True if job is None else job
            return False

        def call(self) -> None:
            """Wake one thread."""
            os.eventfd_write(self._bell, 1)

        def close(self) -> None:
            """Let go of the descriptors; nobody waits any more, nobody calls."""
            self._poller.close()
            os.close(self._bell)
