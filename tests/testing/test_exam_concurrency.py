"""Every strategy of ours passes its exam, and strategies with a fault do not."""

import contextlib
import os
import threading
from collections.abc import Callable, Collection
from typing import Any

import attrs
import pytest

from acceptor import (
    Concurrency,
    Dispatcher,
    Forked,
    Job,
    Outcome,
    Pooled,
    Sync,
    Threaded,
    Workplace,
)
from acceptor.testing import FakeDispatcher, check_concurrency
from acceptor.testing.exam.paper import EXAM_PATIENCE
from tests.concurrency.test_custom_strategy import Pool
from tests.testing.mutants import SOON


@pytest.mark.parametrize(
    "strategy",
    [
        *(Sync(), Threaded(), Threaded(1), Threaded(2), Forked(), Forked(1), Pool(), Pool(5)),
        *(Pooled(), Pooled(1), Pooled(3, queue=2)),
        FakeDispatcher(limit=1, by_itself=True),
    ],
    ids=str,
)
def test_strategy_passes(strategy: Concurrency) -> None:
    check_concurrency(strategy)


@attrs.define(eq=False)
class Careful(Dispatcher):
    """A thread for each job, as it should be; the mutants change one thing."""

    threads: list[threading.Thread] = attrs.field(factory=list[threading.Thread])

    def submit(self, job: Job, /) -> None:
        self.start(lambda: job.run(patient=True))

    def start(self, work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.threads.append(thread)
        return thread

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        for job in jobs:
            job.cut()

    def close(self) -> None:
        for thread in self.threads:
            thread.join(20)


class RunsTwice(Careful):
    def submit(self, job: Job, /) -> None:
        self.start(lambda: (job.run(patient=True), job.run(patient=True)))


class ServesTwice(Careful):
    def submit(self, job: Job, /) -> None:
        self.start(lambda: (job.serve(patient=True), job.run(patient=True)))


class NeverEnds(Careful):
    def submit(self, job: Job, /) -> None:
        self.start(lambda: job.serve(patient=True))


class EndsTwice(Careful):
    def submit(self, job: Job, /) -> None:
        self.start(lambda: (job.run(patient=True), job.end(Outcome.FINISHED)))


class EndsTwiceInTheEnd(Careful):
    jobs: list[Job]

    def submit(self, job: Job, /) -> None:
        self.jobs = [*getattr(self, "jobs", []), job]
        super().submit(job)

    def close(self) -> None:
        super().close()
        for job in self.jobs:
            job.end(Outcome.LOST)


class EndsUnserved(Careful):
    def submit(self, job: Job, /) -> None:
        self.start(lambda: job.end(Outcome.FINISHED))


class EndsAllAlike(Careful):
    def submit(self, job: Job, /) -> None:
        def work() -> None:
            job.serve(patient=True)
            job.end(Outcome.FINISHED)

        self.start(work)


class Drops(Careful):
    def submit(self, job: Job, /) -> None:
        pass


class Blocks(Careful):
    def submit(self, job: Job, /) -> None:
        job.run(patient=True)


class OneAfterTheOther(Careful):
    lock: Any = threading.Lock()

    def submit(self, job: Job, /) -> None:
        def work() -> None:
            with self.lock:
                job.run(patient=True)

        self.start(work)


class Raises(Careful):
    def submit(self, job: Job, /) -> None:
        raise RuntimeError("not today")


class CutsNothing(Careful):
    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        pass


class CutsAll(Careful):
    jobs: list[Job]

    def submit(self, job: Job, /) -> None:
        self.jobs = [*getattr(self, "jobs", []), job]
        super().submit(job)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        for job in self.jobs:
            job.cut()


class CutsByRaising(Careful):
    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        super().cut(jobs, timeout)
        raise RuntimeError("not today")


class CountsElsewhere(Careful):
    def submit(self, job: Job, /) -> None:
        def work() -> None:
            job.count_into([0, 0])
            outcome = job.serve(patient=True)
            job.count_into([0, 0])
            job.end(outcome)

        self.start(work)


class LeavesAThread(Careful):
    over = threading.Event()

    def close(self) -> None:
        super().close()
        self.start(lambda: self.over.wait(20))


class LeavesADescriptor(Careful):
    numbers: list[int]

    def close(self) -> None:
        super().close()
        LeavesADescriptor.numbers = list(os.pipe())


class FailsToClose(Careful):
    def close(self) -> None:
        super().close()
        raise RuntimeError("not today")


@attrs.frozen
class Strategy(Concurrency):
    kind: type[Careful] = Careful
    limit: int = 3  # pyright: ignore[reportIncompatibleMethodOverride]

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return self.kind()


# Only a wait in vain shows these; the others show at once, however busy the machine is.
WAITED_FOR = {
    *(NeverEnds, Drops, Blocks, OneAfterTheOther, CutsNothing, LeavesAThread, LeavesADescriptor),
}


def test_strategy_that_the_mutants_are_made_of_passes() -> None:
    check_concurrency(Strategy())


@pytest.mark.parametrize(
    ("kind", "contract"),
    [
        (RunsTwice, "served once, one was 2 times|end once, one did 2 times|counts of bytes"),
        (ServesTwice, "served once, one was 2 times"),
        (NeverEnds, "must end: end\\(\\) was never called"),
        (EndsTwice, "end once, one did 2 times|was told"),
        (EndsTwiceInTheEnd, "end once, one did 2 times"),
        (EndsUnserved, "served once, one was 0 times"),
        (EndsAllAlike, "must end as serving it did"),
        (Drops, "must end: end\\(\\) was never called"),
        (Blocks, "submit\\(\\) must not wait"),
        (OneAfterTheOther, "must all run at the same time"),
        (Raises, "submit\\(\\) takes a job over; it raised RuntimeError"),
        (CutsNothing, "cut\\(\\) must make the job end"),
        (CutsAll, "no other jobs|other jobs alone"),
        (CutsByRaising, "cut\\(\\) ends the jobs .* it raised RuntimeError"),
        (CountsElsewhere, "counts of bytes"),
        (LeavesAThread, "ended all its threads"),
        (LeavesADescriptor, "closed all its descriptors"),
        (FailsToClose, "close\\(\\) lets idle workers go; it raised"),
    ],
)
def test_strategy_with_a_fault_is_refused(kind: type[Careful], contract: str) -> None:
    LeavesAThread.over.clear()
    patience = SOON if kind in WAITED_FOR else EXAM_PATIENCE
    try:
        with pytest.raises(AssertionError, match=contract):
            check_concurrency(Strategy(kind), patience=patience)
    finally:
        LeavesAThread.over.set()
        for number in getattr(LeavesADescriptor, "numbers", []):
            with contextlib.suppress(OSError):
                os.close(number)
        LeavesADescriptor.numbers = []


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, None])
def test_strategy_with_an_odd_limit_is_refused(limit: Any) -> None:
    with pytest.raises(AssertionError, match="limit must be a whole number, 1 or more"):
        check_concurrency(Strategy(limit=limit))
