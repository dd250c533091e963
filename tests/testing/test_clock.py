"""A clock that a test moves."""

import threading
import time

import pytest

from acceptor.core.deadlines import Clock, Deadline
from acceptor.testing import FakeClock
from acceptor.testing.clock import wait_by_clock
from tests.fakes import Call


def test_clock_stands_still_until_it_is_advanced() -> None:
    clock = FakeClock()
    before = clock(), clock()

    clock.advance(1.5)
    clock.advance(0)

    assert before == (0.0, 0.0)
    assert clock() == 1.5


def test_clock_begins_where_it_is_told() -> None:
    assert FakeClock(100.0)() == 100.0


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan")])
def test_clock_never_runs_backwards(seconds: float) -> None:
    clock = FakeClock()

    with pytest.raises(ValueError, match="0 s or more"):
        clock.advance(seconds)

    assert clock() == 0.0


def test_subscribers_are_told_after_the_clock_has_moved_until_they_leave() -> None:
    clock, seen = FakeClock(), list[float]()
    unsubscribe = clock.subscribe(lambda: seen.append(clock()))

    clock.advance(2)
    unsubscribe()
    unsubscribe()
    clock.advance(2)

    assert seen == [2.0]


def wait(clock: Clock, seconds: float | None, fact: threading.Event) -> Call:
    changed = threading.Condition()

    def waiting() -> bool:
        with changed:
            return wait_by_clock(changed, fact.is_set, Deadline.after(seconds, clock), clock)

    return Call(waiting)


def test_wait_by_a_fake_clock_ends_when_that_has_advanced_far_enough() -> None:
    clock = FakeClock()
    call = wait(clock, 10, threading.Event())
    clock.wait_for_waits(1)

    clock.advance(9.9)
    early = call.has_ended
    clock.advance(0.1)

    assert not early
    assert call.result() is False


def test_wait_by_a_fake_clock_ends_at_any_advance_when_the_fact_has_come() -> None:
    clock, fact = FakeClock(), threading.Event()
    call = wait(clock, None, fact)
    clock.wait_for_waits(1)

    fact.set()
    clock.advance(0)

    assert call.result() is True


def test_wait_by_the_system_clock_takes_real_time() -> None:
    assert wait(time.monotonic, 0.01, threading.Event()).result() is False


def test_wait_is_over_at_once_when_the_fact_is_there() -> None:
    fact = threading.Event()
    fact.set()

    assert wait(FakeClock(), 0, fact).result() is True


def test_waits_are_counted_only_while_they_last() -> None:
    clock = FakeClock()
    calls = [wait(clock, 1, threading.Event()) for _ in range(3)]

    clock.wait_for_waits(3)
    clock.advance(1)
    ended = [call.result() for call in calls]

    assert ended == [False] * 3
    with pytest.raises(AssertionError, match="waited for 1 waits by the clock, have 0"):
        clock.wait_for_waits(1, timeout=0.01)
