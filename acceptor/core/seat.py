"""The driver's seat of an accept loop: one thread at a time is in it."""

import threading
from typing import Final

import attrs

from acceptor.core.accept_loop import Orders
from acceptor.core.deadlines import Deadline
from acceptor.core.values import define

_SLICE: Final = 0.05  # seconds

_PROMISED: Final = -1  # taken for a thread that is only just starting


@define(eq=False)
class Seat:
    """Says which thread drives the loop and lets others wait until it has left.

    `changed` guards the seat; the server uses it for what must not change meanwhile.
    """

    _orders: Orders
    changed: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    driver: int | None = attrs.field(default=None, init=False)
    """Identity of the thread that drives the loop; None if none does."""

    @property
    def is_free(self) -> bool:
        """Whether no thread drives the loop."""
        return self.driver is None

    def is_hurried(self) -> bool:
        """Say whether somebody asked that nothing be waited for any more."""
        return self._orders.hurried

    def ask_to_empty(self) -> None:
        """Ask the driver to take the clients that wait already, and then to leave."""
        self._orders.paused = False
        self._orders.emptying = True

    def promise(self) -> None:
        """Keep the seat for a thread that will `take` it; the caller holds `changed`."""
        self.driver = _PROMISED

    def take(self) -> None:
        """Sit down; the caller has made sure, under `changed`, that the seat is free or its own."""
        self.driver = threading.get_ident()

    def leave(self) -> None:
        """Get up; the caller holds `changed`."""
        self.driver = None
        self.changed.notify_all()

    def wait_until_free(self, deadline: Deadline, *, heed_hurry: bool) -> bool:
        """Wait until no thread drives the loop; False at the deadline or when in a hurry."""
        with self.changed:
            while not (self.is_free or deadline.passed):
                if heed_hurry and self.is_hurried():
                    break
                # In slices: whoever is in a hurry may be a signal handler, which must not take
                # the lock that a notification needs.
                self.changed.wait(deadline.at_most(_SLICE))
            return self.is_free
