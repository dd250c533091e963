"""How a server ends: first the door, then patience, then the axe, and a report."""

from collections.abc import Callable
from typing import Any, Final

from acceptor.core.deadlines import Clock, Deadline
from acceptor.core.events import Draining, DrainReport, StopCause
from acceptor.core.intake import ServingLoop
from acceptor.core.reporting import Reporter
from acceptor.core.seat import Seat
from acceptor.core.values import define, frozen

# How long what was cut may take to notice. A blocked read returns within a millisecond.
CUT_PATIENCE: Final = 0.05  # seconds

# How long a driver that is in no handler may take to leave: it is between two steps of the loop,
# such as a fork on a busy machine.
LEAVE_PATIENCE: Final = 5.0  # seconds

_SLICE: Final = 0.5  # seconds


@frozen(kw_only=True)
class DrainPlan:
    """How a server is to end."""

    timeout: float | None  # seconds that running requests have, from the closing of the port
    lame_duck: float  # seconds for which clients are still taken
    cause: StopCause


@define(eq=False)
class Drain:
    """Closes the port, waits for what runs until the timeout, cuts what is left."""

    _loop: ServingLoop[Any, Any]
    _seat: Seat
    _report: Reporter
    _plan: DrainPlan
    _clock: Clock
    _before: tuple[int, int]  # how many had ended by themselves, and how many were cut

    def run(self) -> DrainReport:
        """Do it, and tell how it went.

        From the moment that the port is closed, new clients are refused, instead of hanging. The
        thread that drives the loop leaves it by itself; if a handler keeps it there, it is
        waited for as the other requests are.
        """
        began = self._clock()
        loop, seat = self._loop, self._seat
        if loop.waiter.is_inherited:  # by a child that the program forked: it is the parent's
            loop.listener.release()
            return DrainReport(
                finished=0, cut=0, refused=0, left_in_backlog=None, elapsed=0.0,
                cause=self._plan.cause,
            )  # fmt: skip
        admission = loop.intake.admission
        refused = admission.stats().refused
        finished, cut = self._before
        goes_on = bool(self._plan.lame_duck) or loop.shares_port
        left = None if goes_on else self._close_port()
        self._announce()
        self._be_lame_duck()
        deadline = Deadline.after(self._plan.timeout, self._clock)
        if goes_on:
            self._empty_queue(deadline)
            left = self._close_port()
        loop.intake.dismiss()
        if seat.wait_until_free(deadline, heed_hurry=True) or self._driver_leaves():
            self._wait_until_idle(deadline, seat.is_hurried)
        self._cut_the_rest()
        now_finished, now_cut = admission.tally()
        return DrainReport(
            finished=now_finished - finished,
            cut=now_cut - cut,
            refused=admission.stats().refused - refused,
            left_in_backlog=left,
            elapsed=self._clock() - began,
            cause=self._plan.cause,
        )

    def _announce(self) -> None:
        active = self._loop.intake.admission.stats().active
        timeout, lame_duck = self._plan.timeout, self._plan.lame_duck
        self._report(Draining(running=active, timeout=timeout, lame_duck=lame_duck))

    def _be_lame_duck(self) -> None:
        """Go on as before, until the time is over or somebody is in a hurry."""
        if self._plan.lame_duck:
            until = Deadline.after(self._plan.lame_duck, self._clock)
            # A loop that nobody drives takes no clients; they wait until the port is closed.
            self._seat.wait_until_free(until, heed_hurry=True)

    def _empty_queue(self, deadline: Deadline) -> None:
        """Have the driver take what the system has put into our queue, and nobody else can."""
        if self._loop.shares_port:
            self._seat.ask_to_empty()
            self._loop.waiter.wake()
            self._seat.wait_until_free(deadline, heed_hurry=True)

    def _close_port(self) -> int | None:
        """Close the port, which ends the loop; return how many clients were left there."""
        left = self._loop.retire()
        self._loop.waiter.wake()
        return left

    def _driver_leaves(self) -> bool:
        """Wait for a driver in the middle of a step; False if a handler holds it."""
        end = Deadline.after(LEAVE_PATIENCE)
        while not end.passed:
            driver = self._seat.driver
            if driver is None:
                return True
            if self._loop.intake.admission.runs_in(driver):
                return False
            self._seat.wait_until_free(Deadline.after(CUT_PATIENCE), heed_hurry=False)
        return False

    def _wait_until_idle(self, deadline: Deadline, is_hurried: Callable[[], bool]) -> None:
        """Drive the loop, without taking clients, until nothing runs or patience is over."""
        while not (self._loop.intake.admission.expect_idle() or deadline.passed or is_hurried()):
            # In slices: a Ctrl-C that slips in right before the wait does not end it.
            self._loop.turn(deadline.at_most(_SLICE), 0)

    def _cut_the_rest(self) -> None:
        if self._loop.intake.cut(CUT_PATIENCE):
            soon = Deadline.after(CUT_PATIENCE)
            if self._seat.wait_until_free(soon, heed_hurry=False):
                self._wait_until_idle(soon, lambda: False)
