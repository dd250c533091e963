"""The end of a server: at most one thread brings it about, and all others wait for its report."""

import mmap
import threading
from collections.abc import Callable
from typing import Any

import attrs

from acceptor.core.deadlines import Clock, Deadline
from acceptor.core.drain import Drain, DrainPlan
from acceptor.core.events import DrainReport, Stopped
from acceptor.core.intake import ServingLoop
from acceptor.core.lifecycle import Lifecycle, Phase
from acceptor.core.reporting import Reporter
from acceptor.core.seat import Seat
from acceptor.core.values import define


def _shared_byte() -> "mmap.mmap":
    # Memory that forked children see, too: they are told through it that the end has come.
    return mmap.mmap(-1, 1)


@define(eq=False)
class Ending:
    """Ends a server once, however often and from however many threads it is asked to."""

    _lifecycle: Lifecycle
    _seat: Seat
    _report: Reporter
    _clock: Clock
    _hurry: Callable[[], object]
    closer: int | None = attrs.field(default=None, init=False)
    """Identity of the thread that drains; None if none does."""
    _drained: DrainReport | None = attrs.field(default=None, init=False)
    # How many had ended by themselves, and how many were cut, before the first attempt.
    _before: tuple[int, int] | None = attrs.field(default=None, init=False)
    _begun: "mmap.mmap" = attrs.field(factory=_shared_byte, init=False, repr=False)

    @property
    def has_begun(self) -> bool:
        """Whether a drain has begun, in this process or in the one that has forked it."""
        return self._begun[0] != 0

    def run(
        self, opened: Callable[[], ServingLoop[Any, Any] | None], plan: DrainPlan
    ) -> DrainReport:
        """Drain and close what is opened, or wait for the thread that does; return the report."""
        with self._seat.changed:
            loop = opened()  # only now: it may have been about to listen
            is_ours = loop is None or not loop.waiter.is_inherited
            # Before anybody can see that it drains: a handler may end for that.
            if loop is not None and is_ours and self._before is None:
                self._before = loop.intake.admission.tally()
            self._lifecycle.try_advance(Phase.DRAINING)
            if is_ours:
                self._begun[0] = 1
                self._await_other_closer(plan.timeout)  # a forked child does not have that thread
            if self._drained is not None:
                return self._drained
            self.closer = threading.get_ident()
        try:
            report = self._drain(loop, plan)
        except BaseException:  # Ctrl-C, most likely: the next call goes on with it
            with self._seat.changed:
                self.closer = None
                self._seat.changed.notify_all()
            raise
        try:
            with self._seat.changed:
                self._lifecycle.advance(Phase.CLOSED, "close")
                self.closer = None
                self._drained = report
                self._seat.changed.notify_all()
                if loop is not None and self._seat.is_free:
                    loop.close()
        finally:
            self._report(Stopped(report=report))
        return report

    def _drain(self, loop: ServingLoop[Any, Any] | None, plan: DrainPlan) -> DrainReport:
        if loop is None:
            return DrainReport(
                finished=0, cut=0, refused=0, left_in_backlog=0, elapsed=0.0, cause=plan.cause
            )
        before = self._before or (0, 0)
        return Drain(loop, self._seat, self._report, plan, self._clock, before).run()

    def _await_other_closer(self, timeout: float | None) -> None:
        seconds = Deadline.after(timeout).remaining()
        if not self._seat.changed.wait_for(lambda: self.closer is None, seconds):
            self._hurry()
            self._seat.changed.wait_for(lambda: self.closer is None)
