"""Slots and the jobs that hold them: who may run, who runs, and how the others ended."""

import threading
from collections import Counter
from collections.abc import Callable

import attrs

from acceptor.core.events import Outcome, Stats
from acceptor.core.interfaces import Job


@attrs.define(eq=False)
class Admission:
    """Counts requests in and out. A slot is held from `enter` to `leave`.

    One thread, the accept thread, enters; so room once seen cannot be taken by another. Any
    thread may leave. The lock guards the set and the counters; `_wake` is called outside it.
    """

    limit: int
    _wake: Callable[[], object]
    _running: set[Job] = attrs.field(factory=set[Job], init=False, repr=False)
    _accepted: int = attrs.field(default=0, init=False)
    _refused: int = attrs.field(default=0, init=False)
    _finished: int = attrs.field(default=0, init=False)
    _ended_otherwise: Counter[Outcome] = attrs.field(
        factory=Counter[Outcome], init=False, repr=False
    )
    _awaited: bool = attrs.field(default=False, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def has_room(self) -> bool:
        """Say whether a slot is free now."""
        return len(self._running) < self.limit

    def expect_room(self) -> bool:
        """Say whether a slot is free; if not, the next `leave` wakes the accept thread."""
        if len(self._running) < self.limit:
            return True
        with self._lock:
            self._awaited = len(self._running) >= self.limit
            return not self._awaited

    def expect_idle(self) -> bool:
        """Say whether nothing runs; if something does, the next `leave` wakes the waiter."""
        with self._lock:
            self._awaited = bool(self._running)
            return not self._awaited

    def enter(self, job: Job) -> None:
        """Take a slot for a job."""
        with self._lock:
            self._accepted += 1
            self._running.add(job)

    def leave(self, job: Job, outcome: Outcome) -> None:
        """Give a job's slot back; a second call for the same job is an error of ours."""
        with self._lock:
            self._running.remove(job)
            if outcome is Outcome.FINISHED:
                self._finished += 1
            else:
                self._ended_otherwise[outcome] += 1
            awaited, self._awaited = self._awaited, False
        if awaited:
            self._wake()

    def refuse(self) -> None:
        """Count a client that a policy denied."""
        with self._lock:
            self._refused += 1

    def runs_in(self, thread: int) -> bool:
        """Whether the thread with this identity serves a request now."""
        return any(job.runs_in(thread) for job in self.running())

    def running(self) -> list[Job]:
        """Return the jobs that hold a slot now."""
        with self._lock:
            return list(self._running)

    def stats(self) -> Stats:
        """Return all counters as they stand at one moment."""
        with self._lock:
            counts = {kind.name.lower(): n for kind, n in self._ended_otherwise.items()}
            return Stats(
                accepted=self._accepted,
                refused=self._refused,
                active=len(self._running),
                finished=self._finished,
                **counts,
            )
