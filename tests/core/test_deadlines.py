"""Points in time, and which times can be waited for."""

import math
import time

import pytest

from acceptor import ConfigurationError
from acceptor.core.deadlines import Deadline, check_timeout
from acceptor.core.waiting import Waiter


def test_deadline_never_passes_when_there_is_none() -> None:
    deadline = Deadline.after(None)

    assert deadline.remaining() is None
    assert not deadline.passed


def test_deadline_has_passed_at_once_when_there_is_no_time() -> None:
    deadline = Deadline.after(0.0)

    assert deadline.passed
    assert deadline.remaining() == 0.0


def test_deadline_tells_what_is_left_and_never_less_than_nothing() -> None:
    ahead, behind = Deadline.after(1000.0), Deadline(time.monotonic() - 1000.0)

    left = ahead.remaining()

    assert left is not None
    assert 900.0 < left <= 1000.0
    assert not ahead.passed
    assert behind.remaining() == 0.0


def test_deadline_at_most_is_what_is_left_or_the_bound() -> None:
    never, soon, late = Deadline.after(None), Deadline.after(50.0), Deadline.after(1000.0)

    assert late.at_most(1.0) == 1.0
    assert soon.at_most(100.0) < 100.0
    assert never.at_most(3.0) == 3.0


@pytest.mark.parametrize("seconds", [None, 0, 0.0, 1, 2.5, math.inf])
def test_check_timeout_passes_what_can_be_waited_for(seconds: float | None) -> None:
    check_timeout("timeout", seconds)


@pytest.mark.parametrize("seconds", [-1, -0.001, math.nan, "1", True, object()])
def test_check_timeout_names_the_argument_and_the_value_when_it_makes_no_sense(
    seconds: float,
) -> None:
    with pytest.raises(ConfigurationError, match="grace must be seconds") as caught:
        check_timeout("grace", seconds)

    assert repr(seconds) in str(caught.value)


def test_waiter_takes_a_timeout_longer_than_the_system_can_wait() -> None:
    waiter = Waiter(lambda: None)
    waiter.wake()

    try:
        assert not waiter.wait(1e9)
    finally:
        waiter.close()
