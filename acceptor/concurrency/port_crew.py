"""A crew whose threads wait at the port by themselves, so that no client is handed over."""

import errno
import sys
from collections.abc import Callable

import attrs

from acceptor.concurrency.crew import Crew
from acceptor.core.baton import BATON
from acceptor.core.errors import ResourceError
from acceptor.core.interfaces import Borrower, Job

if sys.platform == "linux":
    from acceptor.concurrency.anteroom import Anteroom

    @attrs.define(eq=False)
    class PortCrew(Crew, Borrower):
        """Has idle threads wait for a job and, while the port is lent, for a client, in one place.

        `_lock` guards the life of the anteroom as well: the last thread to go home closes it.
        """

        workers: int  # pyright: ignore[reportIncompatibleMethodOverride]
        _anteroom: Anteroom = attrs.field(factory=Anteroom, init=False, repr=False)
        _gone: int = attrs.field(default=0, init=False)  # threads that went home

        def lend(
            self,
            port: int,
            take: Callable[[], Job | None],
            hand_back: Callable[[], object],
            /,
        ) -> None:
            """Have idle threads wait at the port, too, and take clients by themselves.

            Raises:
                ResourceError: Threads are missing. Those that are there serve what is submitted,
                    and each time the others are tried for.
            """
            self._man()
            if self._started < self.workers:
                raise ResourceError(errno.EAGAIN, "threads are missing")
            self._anteroom.lend(port, take)

        def give_back(self) -> None:
            """Have nobody wait at the port any more."""
            self._anteroom.give_back()

        def _next(self) -> Job | None:
            """Return a job that waits, or take a client that does, or wait for either."""
            anteroom = self._anteroom
            while not self._closed:
                job = self._oldest() if self._jobs else None
                if job is None and not (BATON.waiting and BATON.stands_back()):
                    job = anteroom.take()
                if job is not None:
                    return job
                found = anteroom.wait(None)
                if found is True:
                    job = self._oldest()
                    if self._jobs:
                        self._ring()
                elif found is not False:
                    job = found
                if job is not None:
                    return job
            return None

        def _ring(self) -> None:
            self._anteroom.call()

        def _go_home(self) -> None:
            """Send the next one home; the last one puts out the light."""
            with self._lock:
                self._gone += 1
                if self._gone < self._started:
                    self._ring()
                else:
                    self._anteroom.close()

        def close(self) -> None:
            """Send the threads home, each when its job is over."""
            with self._lock:
                if not self._closed:
                    self._closed = True
                    if self._started:
                        self._ring()
                    else:
                        self._anteroom.close()
