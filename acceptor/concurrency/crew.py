"""Threads that are all there from the first moment to the last, and what they are called with."""

import errno
import queue
import threading
from collections import deque
from collections.abc import Collection

import attrs

from acceptor.core.baton import BATON
from acceptor.core.errors import ResourceError
from acceptor.core.interfaces import Dispatcher, Job
from acceptor.core.reporting import LOGGER


@attrs.define(eq=False)
class Crew(Dispatcher):
    """Leaves jobs in a queue, from which whichever thread is free takes the oldest.

    `_lock` guards how many threads there are; the queue of jobs is changed in one step each, and
    the bell has a lock of its own. The threads are daemons, so that a stuck handler never keeps
    the interpreter from ending; `Server.drain` is who waits for them.
    """

    workers: int
    """How many threads there are."""
    _jobs: deque[Job] = attrs.field(factory=deque[Job], init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)
    _started: int = attrs.field(default=0, init=False)
    _is_short: bool = attrs.field(default=False, init=False)
    _failures: int = attrs.field(default=0, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    # Rung once for each job, and once for each thread that is to go home.
    _bell: "queue.SimpleQueue[None]" = attrs.field(
        factory=queue.SimpleQueue, init=False, repr=False
    )

    def submit(self, job: Job, /) -> None:
        """Have a thread run it as soon as one is free.

        Raises:
            ResourceError: There is no thread, and the machine gives none.
        """
        self._man()
        self._jobs.append(job)
        self._ring()

    def _man(self) -> None:
        """Start the threads that are missing; if there are some, go on with those meanwhile."""
        if self._started == self.workers:
            return
        with self._lock:
            while self._started < self.workers:
                name = f"acceptor-pool-{self._started + 1}"
                try:
                    threading.Thread(target=self._work, name=name, daemon=True).start()
                except RuntimeError as error:
                    if not self._started:
                        raise ResourceError(errno.EAGAIN, str(error)) from error
                    if not self._is_short:  # each request tries again
                        self._is_short = True
                        text = "the pool has %d of its %d threads: %s"
                        LOGGER.warning(text, self._started, self.workers, error)
                    break
                self._started += 1

    def _work(self) -> None:
        """Run jobs until the end; what gets out of a job must not cost the pool a thread."""
        BATON.join()
        while True:
            try:
                while (job := self._next()) is not None:
                    BATON.line_up()
                    job.run(patient=True)
                    del job  # or an idle thread would keep the last client's memory
            except BaseException:  # set from outside; what a handler raises does not come here
                with self._lock:
                    self._failures += 1
                LOGGER.exception("a thread of the pool was broken off, %d so far", self._failures)
            else:
                break
        BATON.leave()
        self._go_home()

    def _next(self) -> Job | None:
        """Wait for a job; None when it is time to go home."""
        while True:
            BATON.give_up()
            self._bell.get()
            if self._closed:
                return None
            if (job := self._oldest()) is not None:
                return job

    def _oldest(self) -> Job | None:
        try:
            return self._jobs.popleft()
        except IndexError:  # it was cut
            return None

    def _ring(self) -> None:
        self._bell.put(None)

    def _go_home(self) -> None:
        """Do nothing more."""

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Shut the connections, so that the handlers notice; end those that wait for a thread."""
        for job in jobs:
            try:
                self._jobs.remove(job)
            except ValueError:  # a thread has it
                job.cut()
            else:
                job.drop()

    def close(self) -> None:
        """Send the threads home, each when its job is over."""
        self._closed = True
        for _ in range(self.workers):
            self._ring()
