"""An observer for tests: it keeps all events and lets a test wait for them."""

import threading
from collections.abc import Callable
from typing import TypeVar

import attrs

from acceptor.core.events import Event
from acceptor.testing.patience import PATIENCE

E = TypeVar("E")


@attrs.define(eq=False)
class EventRecorder:
    """Keeps what it is told: `ServerBuilder().tcp(...).observe(recorder)`.

    What a forked child tells (`HandlerFailed`) stays in the child.
    """

    events: list[Event] = attrs.field(factory=list)
    """All of them, in the order in which they were told."""
    _changed: threading.Condition = attrs.field(
        factory=lambda: threading.Condition(threading.RLock()), init=False, repr=False
    )

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def of(self, kind: type[E], where: Callable[[E], bool] | None = None) -> list[E]:
        """Return the events of one kind so far, or those of them of which `where` is true."""
        with self._changed:
            found: list[E] = [event for event in self.events if isinstance(event, kind)]
        return found if where is None else [event for event in found if where(event)]

    def wait_for(
        self,
        kind: type[E],
        count: int = 1,
        *,
        where: Callable[[E], bool] | None = None,
        timeout: float = PATIENCE,
    ) -> list[E]:
        """Wait until there are so many events as `of` would return, and return them.

        Raises:
            AssertionError: They have not come within so many seconds; it says what has.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.of(kind, where)) >= count, timeout):
                raise AssertionError(f"waited for {count} {kind.__name__}, have {self.events}")
            return self.of(kind, where)

    def wait_until(self, fact: Callable[["EventRecorder"], bool], timeout: float) -> bool:
        """Wait until something is true of what was recorded; say whether it came to that."""
        with self._changed:
            return self._changed.wait_for(lambda: fact(self), timeout)
