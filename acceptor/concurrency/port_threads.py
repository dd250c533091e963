"""Threads that wait at the port while they are warm, so that no client is handed over."""

import sys
from collections.abc import Callable

import attrs

from acceptor.concurrency import warm_threads
from acceptor.concurrency.warm_threads import ThreadDispatcher, Worker
from acceptor.core.baton import BATON
from acceptor.core.errors import ResourceError
from acceptor.core.interfaces import Borrower, Job
from acceptor.core.values import define

if sys.platform == "linux":
    from acceptor.concurrency.anteroom import PATIENCE, Anteroom

    @define(eq=False)
    class PortThreads(ThreadDispatcher, Borrower):
        """Has one thread more than there are clients wait at the port while it is lent.

        Who takes a client, and leaves nobody there to wait for the next, starts a thread for
        that; after a crowd all but one go home. What is submitted goes to the others, as ever.
        `_lock` guards how many threads there are, how many of them wait, and the life of the
        anteroom.
        """

        workers: int  # pyright: ignore[reportIncompatibleMethodOverride]
        _anteroom: Anteroom = attrs.field(factory=Anteroom, init=False, repr=False)
        _hand_back: Callable[[], object] = attrs.field(default=lambda: None, init=False)
        _alive: int = attrs.field(default=0, init=False)
        _waiting: int = attrs.field(default=0, init=False)  # or about to

        def lend(
            self,
            port: int,
            take: Callable[[], Job | None],
            hand_back: Callable[[], object],
            /,
        ) -> None:
            """Have idle threads wait at the port and take clients by themselves.

            Raises:
                ResourceError: There is none, and the machine gives none.
            """
            self._hand_back = hand_back
            self._anteroom.lend(port, take)
            self._see_that_one_waits()

        def give_back(self) -> None:
            """Have nobody wait at the port any more."""
            if self._anteroom.give_back():
                self._anteroom.call()

        def _see_that_one_waits(self) -> None:
            with self._lock:
                if self._waiting or self._closed:
                    return
                if self._alive >= self.workers:
                    if self._idle:  # idle since before it was lent: it goes, and another waits
                        self._idle.pop().call(None)
                    return
                self._waiting += 1  # promised
            try:
                self._start(None)
            except ResourceError:
                with self._lock:
                    self._waiting -= 1
                raise

        def _start(self, job: Job | None) -> None:
            with self._lock:
                self._alive += 1
            try:
                super()._start(job)
            except ResourceError:
                with self._lock:
                    self._alive -= 1
                raise

        def _work(self, worker: Worker) -> None:
            try:
                if worker.job is None:
                    BATON.line_up(PATIENCE)
                    self._await_client(worker, looks_first=True)
                super()._work(worker)
            finally:
                self._leave()

        def _leave(self) -> None:
            with self._lock:
                self._alive -= 1
                if self._closed:
                    if self._alive:
                        self._anteroom.call()
                    else:
                        self._anteroom.close()
                    return
            self._keep_one_waiting()

        def _keep_one_waiting(self) -> None:
            if not self._waiting and self._anteroom.is_lent:
                try:
                    self._see_that_one_waits()
                except ResourceError:  # who drives the accept loop is told so by `submit`
                    self._hand_back()

        def _await_call(self, worker: Worker) -> None:
            if not self._anteroom.is_lent:
                super()._await_call(worker)
                return
            with self._lock:
                self._waiting += 1
            self._await_client(worker, looks_first=not (BATON.waiting and BATON.stands_back()))

        @property
        def _may_rest(self) -> bool:
            # It may have been lent since the look at that; who goes home has another wait there.
            return not (self._closed or self._anteroom.is_lent)

        def _await_client(self, worker: Worker, *, looks_first: bool) -> None:
            """Wait at the port, as one of those counted; no job in the end means to go home."""
            try:
                worker.job = self._next_client(looks_first)
            finally:
                with self._lock:
                    self._waiting -= 1
            if worker.job is not None:
                self._keep_one_waiting()
            elif not (self._anteroom.is_lent or self._closed):
                self._anteroom.call()  # the others are to hear of it, too
                super()._await_call(worker)

        def _next_client(self, looks_first: bool) -> Job | None:
            found = (self._anteroom.take() if looks_first else None) or True
            while found is True or (found is False and self._waiting == 1):
                if self._closed or not self._anteroom.is_lent:
                    return None
                # The one that stays, when all is quiet, is never woken for nothing.
                found = self._anteroom.wait(None if self._waiting == 1 else warm_threads.KEEP_WARM)
            return None if found is False else found

        def close(self) -> None:
            """Send the idle threads home."""
            super().close()
            with self._lock:
                if self._alive:
                    self._anteroom.call()
                elif not self._anteroom.is_closed:
                    self._anteroom.close()
