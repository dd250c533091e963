"""What two threads do to slots and counters at the same moment, one step at a time."""

from collections.abc import Callable
from typing import Any

from acceptor import Outcome
from acceptor.core.admission import Admission
from tests.core.test_admission import IdleJob


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


def test_one_of_two_who_cut_a_job_at_once_is_told_that_it_was_he() -> None:
    admission = Admission(1, lambda: None)
    admission._settled = settled = Watched()
    job = IdleJob()
    admission.enter(job)
    told: list[bool] = []

    settled.meanwhile = lambda: told.append(admission.settle_now(job, Outcome.CUT))
    told.append(admission.settle_now(job, Outcome.CUT))

    assert told == [True, False]
