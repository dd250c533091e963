"""Threads that are used again while they are warm, and what they are called with."""

import errno
import threading
from collections.abc import Collection
from typing import Final

import attrs

from acceptor.core.baton import BATON
from acceptor.core.errors import ResourceError
from acceptor.core.interfaces import Dispatcher, Job
from acceptor.core.reporting import LOGGER
from acceptor.core.values import define

# Starting a thread costs more than a short request; an idle one costs only its stack.
KEEP_WARM: Final = 5.0  # seconds


@define(eq=False)
class Worker:
    """One thread, as the dispatcher sees it: where to leave a job, and how to say so."""

    job: Job | None
    called: threading.Lock = attrs.field(factory=threading.Lock)  # released once for each call

    def __attrs_post_init__(self) -> None:
        self.called.acquire()

    def call(self, job: Job | None) -> None:
        """Hand a job to the thread that waits; None sends it home."""
        self.job = job
        self.called.release()


@define(eq=False)
class ThreadDispatcher(Dispatcher):
    """Hands a job to the thread that was idle last, or to a new one.

    Whoever takes a worker out of `_idle`, under the lock, decides what becomes of it: the
    dispatcher calls it before it lets go of the lock, so that the worker can tell, however its wait
    has ended; the worker itself may go home. Nothing else is shared. (One queue for all is no way
    to wait with a time limit: in CPython a `SimpleQueue.get` whose time runs out just as another
    thread takes the item waits for ever.) The threads are daemons, so that a stuck handler never
    keeps the interpreter from ending; `Server.drain` is who waits for them.
    """

    _idle: list[Worker] = attrs.field(factory=list[Worker], init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)

    def submit(self, job: Job, /) -> None:
        """Have a thread run it.

        Raises:
            ResourceError: The machine gives no more threads.
        """
        with self._lock:
            if self._idle:
                self._idle.pop().call(job)
                return
        self._start(job)

    def _start(self, job: Job | None) -> None:
        thread = threading.Thread(
            target=self._live, args=(Worker(job),), name="acceptor-worker", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            raise ResourceError(errno.EAGAIN, str(error)) from error

    def _live(self, worker: Worker) -> None:
        BATON.join()
        try:
            self._work(worker)
        finally:
            BATON.leave()

    def _work(self, worker: Worker) -> None:
        while (job := worker.job) is not None:
            worker.job = None  # or an idle thread would keep the last client's memory
            BATON.line_up()
            job.run(patient=True)
            del job
            self._await_call(worker)

    def _await_call(self, worker: Worker) -> None:
        try:
            with self._lock:
                if not self._may_rest:
                    return
                self._idle.append(worker)
            BATON.give_up()
            if worker.called.acquire(timeout=KEEP_WARM):
                return
        except BaseException:  # set from outside; it may have been called before or since
            LOGGER.exception("a worker was broken off while it waited for a job")
        with self._lock:
            if worker in self._idle:
                self._idle.remove(worker)
            else:
                worker.called.acquire(False)

    @property
    def _may_rest(self) -> bool:
        """Whether a thread that is done is to be idle, and not to go home."""
        return not self._closed

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Shut the connections, so that the handlers notice."""
        for job in jobs:
            job.cut()

    def close(self) -> None:
        """Send the idle threads home."""
        self._closed = True  # for the threads that are not idle yet
        with self._lock:
            while self._idle:
                self._idle.pop().call(None)
