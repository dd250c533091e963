"""A thread for each request, with a bound, and threads used again while they are warm."""

import errno
import queue
import threading
from collections import deque
from collections.abc import Collection
from typing import Final

import attrs

from acceptor.concurrency.bounds import check_bound
from acceptor.core.errors import ResourceError
from acceptor.core.interfaces import Concurrency, Dispatcher, Job, Workplace

# Starting a thread costs more than a short request; an idle one costs only its stack.
KEEP_WARM: Final = 5.0  # seconds

DEFAULT_MAX_THREADS: Final = 1000


@attrs.frozen
class Threaded(Concurrency):
    """Runs each job in a thread of its own, at most `max_threads` at a time.

    Clients beyond that wait in the backlog.
    """

    max_threads: int = attrs.field(default=DEFAULT_MAX_THREADS, validator=check_bound)

    @property
    def limit(self) -> int:
        """How many jobs may run at a time."""
        return self.max_threads

    def start(self, workplace: Workplace, /) -> Dispatcher:
        """Make the dispatcher for one server."""
        return ThreadDispatcher()


@attrs.define(eq=False)
class ThreadDispatcher(Dispatcher):
    """Hands a job to an idle thread, or to a new one.

    `_idle` counts the threads that are free: taking one from it is the promise to put a job into
    the queue, and a thread that gives up waiting takes itself back first. Both are safe to use
    from several threads by themselves (a semaphore, written in Python, takes twenty times as
    long); nothing else is shared. The threads are daemons, so that a stuck
    handler never keeps the interpreter from ending; `Server.drain` is who waits for them.
    """

    _jobs: "queue.SimpleQueue[Job | None]" = attrs.field(
        factory=queue.SimpleQueue, init=False, repr=False
    )
    _idle: deque[None] = attrs.field(factory=deque[None], init=False, repr=False)

    _closed: bool = attrs.field(default=False, init=False)

    def submit(self, job: Job, /) -> None:
        """Have a thread run it.

        Raises:
            ResourceError: The machine gives no more threads.
        """
        if self._take_idle():
            self._jobs.put(job)
            return
        worker = threading.Thread(
            target=self._work, args=(job,), name="acceptor-worker", daemon=True
        )
        try:
            worker.start()
        except RuntimeError as error:
            raise ResourceError(errno.EAGAIN, str(error)) from error

    def _work(self, job: Job | None) -> None:
        while job is not None:
            job.run(patient=True)
            del job  # or an idle thread would keep the last client's memory
            job = self._next()

    def _next(self) -> Job | None:
        self._idle.append(None)
        while True:
            try:
                return self._jobs.get(timeout=0.0 if self._closed else KEEP_WARM)
            except queue.Empty:
                if self._take_idle():
                    return None
                # Promised in the meantime; but another thread may come first and take it.

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Shut the connections, so that the handlers notice."""
        for job in jobs:
            job.cut()

    def close(self) -> None:
        """Send the idle threads home."""
        self._closed = True  # for the threads that are not idle yet
        while self._take_idle():
            self._jobs.put(None)

    def _take_idle(self) -> bool:
        try:
            self._idle.pop()
        except IndexError:
            return False
        return True
