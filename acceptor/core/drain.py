"""How a server ends: first the door, then patience, then the axe, and a report."""

import time
from typing import Any, Final

from acceptor.core.accept_loop import AcceptLoop
from acceptor.core.deadlines import Deadline
from acceptor.core.events import Draining, DrainReport
from acceptor.core.reporting import Reporter
from acceptor.core.seat import Seat

# `docker stop` kills after 10 s; a drain that ends before that is seen to end.
DRAIN_TIMEOUT: Final = 8.0  # seconds

# How long what was cut may take to notice. A blocked read returns within a millisecond.
CUT_PATIENCE: Final = 0.05  # seconds


def drain(
    loop: AcceptLoop[Any, Any], seat: Seat, report: Reporter, timeout: float | None
) -> DrainReport:
    """Close the port, wait for what runs until the timeout, cut what is left.

    New clients meet a closed door from the first moment on, instead of hanging. The thread that
    drives the loop leaves it by itself; if a handler keeps it there, it is waited for as the
    other requests are.
    """
    began = time.monotonic()
    deadline = Deadline.after(timeout)
    loop.retire()
    loop.waiter.wake()
    before = loop.admission.stats()
    report(Draining(running=before.active, timeout=timeout))
    if seat.wait_until_free(deadline, heed_hurry=True):
        loop.wait_until_idle(deadline, heed_hurry=True)
    after = loop.admission.stats()
    cut = loop.cut(CUT_PATIENCE)
    if cut:
        soon = Deadline.after(CUT_PATIENCE)
        if seat.wait_until_free(soon, heed_hurry=False):
            loop.wait_until_idle(soon, heed_hurry=False)
    return DrainReport(
        finished=(after.accepted - after.active) - (before.accepted - before.active),
        cut=cut,
        elapsed=time.monotonic() - began,
    )
