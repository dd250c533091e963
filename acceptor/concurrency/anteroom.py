"""Where idle threads wait at a port for a client, in which case none has to be handed over."""

import contextlib
import os
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from acceptor.core.baton import BATON
from acceptor.core.interfaces import Job
from acceptor.core.values import define

if sys.platform == "linux":
    # Edge-triggered: the system wakes one thread for each client that comes, and not all of them.
    _ONE_OF_US: Final = select.EPOLLIN | select.EPOLLET

    def _take_nobody() -> None:
        """Return None: the port is not lent."""

    # A client is taken in turn, or it would be one more that gets in the way. But where nobody is
    # ever done, one that comes anew would have to wait for as many turns as there are clients.
    PATIENCE: Final = 0.003  # seconds

    # Where many have something to do, and are done with it in no time, they take whoever comes. So
    # many times is looked whether that is still so, before they are trusted no more.
    NAP: Final = 0.002  # seconds
    NAPS: Final = 10

    @define(eq=False)
    class Anteroom:
        """A wait for whichever comes first, a client at the port while it is lent, or a call.

        One thread waits at a time, the others for its seat: else each client who comes would wake
        one, though those at work take most of them. Who has found what he was woken for leaves, and
        the next one has the system look again, as one event may stand for many. Any thread may
        call; lending and giving back is for one at a time.
        """

        take: Callable[[], Job | None] = attrs.field(default=_take_nobody, init=False)
        """Takes a client if one is there and it is allowed."""
        _port: int = attrs.field(default=-1, init=False)
        # Reentrant for one reason: it tells whether the thread has it that wants to release it.
        _seat: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)
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
            return self.take is not _take_nobody

        def lend(self, port: int, take: Callable[[], Job | None]) -> None:
            """Wait at the port, too, from now on."""
            self.take = take
            self._port = port
            self._poller.register(port, _ONE_OF_US)

        def give_back(self) -> bool:
            """Wait there no more; return whether anybody did."""
            port, self._port, self.take = self._port, -1, _take_nobody
            if port < 0:
                return False
            with contextlib.suppress(OSError, ValueError):
                self._poller.unregister(port)
            return True

        def wait(self, timeout: float | None) -> bool | Job:
            """Wait for a client or a call; return its job, True if called, False at the timeout.

            Who has waited may have no turn.
            """
            BATON.give_up()
            try:
                if not self._seat.acquire(timeout=-1 if timeout is None else timeout):
                    return False
                if (port := self._port) >= 0:
                    with contextlib.suppress(OSError):  # it was given back meanwhile
                        self._poller.modify(port, _ONE_OF_US)
                for fd, _ in self._poller.poll(timeout, 1):
                    if fd == self._bell:
                        return True
                    self._stand_in_line()
                    job = self.take()
                    return True if job is None else job
                return False
            finally:  # an exception from outside comes as soon as the wait for the seat is over
                try:
                    self._seat.release()
                except RuntimeError:  # it was in vain
                    pass

        def _stand_in_line(self) -> None:
            if BATON.is_crowded:
                for _ in range(NAPS):
                    if not BATON.is_flowing:
                        break
                    time.sleep(NAP)
            while not BATON.line_up(PATIENCE):
                if not BATON.is_flowing:
                    break

        def call(self) -> None:
            """Wake one thread."""
            os.eventfd_write(self._bell, 1)

        def close(self) -> None:
            """Let go of the descriptors; nobody waits any more, nobody calls."""
            self._poller.close()
            os.close(self._bell)
