"""A clock that stands still until a test moves it."""

import itertools
import threading
from collections.abc import Callable, Iterator

import attrs

from acceptor.core.deadlines import Clock, Deadline
from acceptor.testing.patience import PATIENCE


@attrs.define(eq=False)
class FakeClock:
    """Seconds that pass only by `advance`: for `.clock(...)` and for the memory transports.

    Whatever waits by this clock alone is told when it moves, so nothing has to sleep.
    """

    _now: float = 0.0
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _waits: int = attrs.field(default=0, init=False)
    _subscribers: dict[int, Callable[[], object]] = attrs.field(
        factory=dict[int, Callable[[], object]], init=False, repr=False
    )
    _keys: Iterator[int] = attrs.field(factory=itertools.count, init=False, repr=False)

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, and tell whoever has subscribed.

        Raises:
            ValueError: They are negative: this is a clock that never runs backwards.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock can only be advanced by 0 s or more, got {seconds!r}")
        with self._changed:
            self._now += seconds
            subscribers = list(self._subscribers.values())
        for tell in subscribers:
            tell()

    def subscribe(self, on_advance: Callable[[], object]) -> Callable[[], None]:
        """Have a function called after each `advance`; return what ends that."""
        with self._changed:
            key = next(self._keys)
            self._subscribers[key] = on_advance

        def unsubscribe() -> None:
            with self._changed:
                self._subscribers.pop(key, None)

        return unsubscribe

    def wait_for_waits(self, count: int = 1, timeout: float = PATIENCE) -> None:
        """Wait until so many reads and writes hang on this clock; then it is time to advance it.

        Raises:
            AssertionError: It does not come to that within so many (real) seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._waits >= count, timeout):
                raise AssertionError(f"waited for {count} waits by the clock, have {self._waits}")

    def note_wait(self, change: int) -> None:
        """Count one that begins (1) or ends (-1) to wait by this clock."""
        with self._changed:
            self._waits += change
            self._changed.notify_all()


def wait_by_clock(
    changed: threading.Condition, fact: Callable[[], bool], deadline: Deadline, clock: Clock
) -> bool:
    """Wait for a fact until the deadline, both under the condition; return whether it came.

    By a `FakeClock` the wait ends when that is advanced; by any other it takes real time.
    """
    if fact():
        return True
    if not isinstance(clock, FakeClock):
        while not (deadline.passed or fact()):
            changed.wait(deadline.remaining())
        return fact()

    def look_again() -> None:
        with changed:
            changed.notify_all()

    unsubscribe = clock.subscribe(look_again)
    clock.note_wait(1)
    try:
        while not (deadline.passed or fact()):
            changed.wait()
        return fact()
    finally:
        clock.note_wait(-1)
        unsubscribe()
