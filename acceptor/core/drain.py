"""How a server ends: first the door, then patience, then the axe, and a report."""

import time
from collections.abc import Callable
from typing import Any, Final

from acceptor.core.deadlines import Deadline
from acceptor.core.events import Draining, DrainReport, Stats
from acceptor.core.intake import ServingLoop
from acceptor.core.reporting import Reporter
from acceptor.core.seat import Seat

# `docker stop` kills after 10 s; a drain that ends before that is seen to end.
DRAIN_TIMEOUT: Final = 8.0  # seconds

# How long what was cut may take to notice. A blocked read returns within a millisecond.
CUT_PATIENCE: Final = 0.05  # seconds


# How long a driver that is in no handler may take to leave: it is between two steps of the loop,
# such as a fork on a busy machine.
LEAVE_PATIENCE: Final = 5.0  # seconds

_SLICE: Final = 0.5  # seconds


def drain(
    loop: ServingLoop[Any, Any],
    seat: Seat,
    report: Reporter,
    before: Stats,
    timeout: float | None,
) -> DrainReport:
    """Close the port, wait for what runs until the timeout, cut what is left.

    New clients meet a closed door from the first moment on, instead of hanging. The thread that
    drives the loop leaves it by itself; if a handler keeps it there, it is waited for as the
    other requests are.
    """
    began = time.monotonic()
    if loop.waiter.is_inherited:  # by a child that the program forked: all of it is the parent's
        loop.listener.release()
        return DrainReport(finished=0, cut=0, elapsed=0.0)
    deadline = Deadline.after(timeout)
    loop.retire()
    loop.waiter.wake()
    report(Draining(running=loop.intake.admission.stats().active, timeout=timeout))
    if seat.wait_until_free(deadline, heed_hurry=True) or _driver_leaves(loop, seat):
        _wait_until_idle(loop, deadline, seat.is_hurried)
    after = loop.intake.admission.stats()
    cut = loop.intake.cut(CUT_PATIENCE)
    if cut:
        soon = Deadline.after(CUT_PATIENCE)
        if seat.wait_until_free(soon, heed_hurry=False):
            _wait_until_idle(loop, soon, lambda: False)
    return DrainReport(
        finished=(after.accepted - after.active) - (before.accepted - before.active),
        cut=cut,
        elapsed=time.monotonic() - began,
    )


def _driver_leaves(loop: ServingLoop[Any, Any], seat: Seat) -> bool:
    """Wait for a driver in the middle of a step; False if a handler holds it."""
    end = Deadline.after(LEAVE_PATIENCE)
    while not end.passed:
        driver = seat.driver
        if driver is None:
            return True
        if loop.intake.admission.runs_in(driver):
            return False
        seat.wait_until_free(Deadline.after(CUT_PATIENCE), heed_hurry=False)
    return False


def _wait_until_idle(
    loop: ServingLoop[Any, Any], deadline: Deadline, is_hurried: Callable[[], bool]
) -> None:
    """Drive the loop, without taking clients, until nothing runs or there is no more patience."""
    while not (loop.intake.admission.expect_idle() or deadline.passed or is_hurried()):
        # In slices: a Ctrl-C that slips in right before the wait does not end it.
        loop.turn(deadline.sooner(Deadline.after(_SLICE)).remaining(), 0)
