"""Slots and the jobs that hold them: who may run, who runs, and how the others ended."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

import attrs

from acceptor.core.events import Outcome, Stats
from acceptor.core.interfaces import Job

_FINISHED: Final = Outcome.FINISHED  # Python 3.11 looks an enum's member up in 60 ns


@attrs.define(eq=False)
class Admission:
    """Counts requests in and out. A slot is held from `enter` to `leave`.

    One thread, the accept thread, enters; so room once seen cannot be taken by another. Any
    thread may leave. To enter and to finish is one step of a dictionary each, which needs no lock:
    a pair of lock operations for each would take longer than all else here. What has finished
    is what has come, less what runs and what has ended otherwise.
    """

    limit: int
    _wake: Callable[[], object]
    # Each with its number, counted from 1: who looks between the two steps of `enter` sees by it
    # that the counter is about to follow.
    _running: dict[Job, int] = attrs.field(factory=dict[Job, int], init=False, repr=False)
    _accepted: int = attrs.field(default=0, init=False)  # changed by the accept thread alone
    _refused: int = attrs.field(default=0, init=False)  # and so is this
    _ended_otherwise: Counter[Outcome] = attrs.field(
        factory=Counter[Outcome], init=False, repr=False
    )
    _awaited: bool = attrs.field(default=False, init=False)
    # For what takes several steps: counting the other outcomes, and the handshake about a wake-up.
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def has_room(self) -> bool:
        """Say whether a slot is free now."""
        return len(self._running) < self.limit

    def expect_room(self) -> bool:
        """Say whether a slot is free; if not, the next `leave` wakes the accept thread."""
        return len(self._running) < self.limit or not self._await(self.limit)

    def expect_idle(self) -> bool:
        """Say whether nothing runs; if something does, the next `leave` wakes the waiter."""
        return not self._await(1)

    def _await(self, many: int) -> bool:
        with self._lock:
            # First the flag, then the look; `leave` does it the other way round. So either it is
            # seen there that somebody waits, or here that a slot is free.
            self._awaited = True
            self._awaited = len(self._running) >= many
            return self._awaited

    def enter(self, job: Job) -> None:
        """Take a slot for a job."""
        number = self._accepted + 1
        self._running[job] = number
        self._accepted = number

    def leave(self, job: Job, outcome: Outcome) -> None:
        """Give a job's slot back; a second call for the same job is an error of ours."""
        if outcome is _FINISHED:
            del self._running[job]
        else:
            with self._lock:
                del self._running[job]
                self._ended_otherwise[outcome] += 1
        if self._awaited:
            with self._lock:
                awaited, self._awaited = self._awaited, False
            if awaited:
                self._wake()

    def refuse(self) -> None:
        """Count a client that a policy denied."""
        self._refused += 1

    def runs_in(self, thread: int) -> bool:
        """Whether the thread with this identity serves a request now."""
        return any(job.runs_in(thread) for job in self.running())

    def running(self) -> list[Job]:
        """Return the jobs that hold a slot now."""
        return list(self._running.copy())

    def stats(self) -> Stats:
        """Return all counters as they stand at one moment."""
        with self._lock:
            accepted = self._accepted
            running = self._running.copy()  # in one step
            otherwise = self._ended_otherwise.copy()
            refused = self._refused
        accepted = max(accepted, *running.values(), 0)
        counts = {kind.name.lower(): n for kind, n in otherwise.items()}
        return Stats(
            accepted=accepted,
            refused=refused,
            active=len(running),
            finished=accepted - len(running) - otherwise.total(),
            **counts,
        )
