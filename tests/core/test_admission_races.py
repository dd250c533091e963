"""What two threads do to slots and counters at the same moment, one step at a time."""

import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor import Limits, Outcome
from acceptor.core.admission import Admission
from tests.core.test_admission import IdleJob, end


class Watched(dict[Any, Any]):
    """A dictionary in which something happens right after it was looked at, once."""

    meanwhile: Callable[[], object] | None = None

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        self._let_it_happen()
        return found

    def copy(self) -> dict[Any, Any]:
        found = super().copy()
        self._let_it_happen()
        return found

    def _let_it_happen(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()


@attrs.define(eq=False)
class LateLock:
    """A lock for which the first one waits while something happens that needs it, too."""

    meanwhile: Callable[[], object] | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def __enter__(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_one_of_two_who_cut_a_job_at_once_is_told_that_it_was_he() -> None:
    admission = Admission(1, lambda: None)
    job = IdleJob()
    admission.enter(job)
    told: list[bool] = []
    lock: Any = LateLock(lambda: told.append(admission.settle_now(job, Outcome.CUT)))
    admission._lock = lock

    told.append(admission.settle_now(job, Outcome.CUT))

    assert told == [True, False]


@pytest.mark.parametrize("meanwhile", [Limits(per_peer=1), Limits()], ids=str)
def test_peer_is_counted_once_when_limits_change_while_it_enters(meanwhile: Limits) -> None:
    admission = Admission(2, lambda: None, Limits(per_peer=2))
    lock: Any = LateLock(lambda: admission.change_limits(meanwhile))
    admission._lock = lock
    job = IdleJob()

    admission.enter(job)
    counted = admission._of_peer.total()
    end(admission, job, Outcome.FINISHED)

    assert counted == (0 if meanwhile.per_peer is None else 1)
    assert admission.has_room_for(job.peer)
    assert not admission._of_peer


def test_new_limits_hold_before_those_are_counted_who_are_in() -> None:
    admission = Admission(2, lambda: None)
    admission._running = running = Watched()
    held: list[Limits] = []

    running.meanwhile = lambda: held.append(admission.limits)
    admission.change_limits(Limits(per_peer=1))

    assert held == [Limits(per_peer=1)]


def test_tally_takes_no_job_for_ended_that_enters_meanwhile() -> None:
    admission = Admission(2, lambda: None)
    admission._running = running = Watched()

    running.meanwhile = lambda: admission.enter(IdleJob())

    assert admission.tally() == (0, 0)
    assert admission.tally() == (0, 0)
