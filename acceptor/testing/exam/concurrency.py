"""The exam for concurrency strategies."""

import contextlib
import os
import signal
import warnings
from collections.abc import Callable, Generator
from typing import Final

import attrs

from acceptor.core.errors import ForkWithThreadsWarning
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Concurrency, Dispatcher
from acceptor.testing.dispatching import FakeWorkplace
from acceptor.testing.exam.job import RECEIVED, SENT, ExamJob
from acceptor.testing.exam.paper import EXAM_PATIENCE, Aside, leaving_nothing, promised, require

_GLANCE: Final = 0.005  # seconds
_MOST: Final = 4  # jobs at a time; a strategy's limit may be a thousand
_CROWD: Final = 30  # jobs one after the other

# What a worker can say of a request; the others are found by the server itself.
_TOLD: Final = (
    Outcome.FINISHED,
    Outcome.FAILED,
    Outcome.CLIENT_LEFT,
    Outcome.TIMED_OUT,
    Outcome.HANDSHAKE_FAILED,
    Outcome.DENIED,
)


def check_concurrency(strategy: Concurrency, *, patience: float = EXAM_PATIENCE) -> None:
    """Hold a concurrency strategy against what a server expects of one.

    Each job is served once and ended once, with the outcome that serving it had; `submit` does
    not wait for it where several may run; `cut` ends those that it is told to and no others; at
    the end no thread, child or descriptor is left. Of a strategy with an attribute `queue`, so many
    jobs within its limit may wait for a worker instead of running.

    Raises:
        AssertionError: It breaks the contract; the message says how.
    """
    limit = strategy.limit
    require(
        isinstance(limit, int) and not isinstance(limit, bool) and limit >= 1,
        f"limit must be a whole number, 1 or more, is {limit!r}",
    )
    questions: list[Callable[[Bench], None]] = [_ends_each_job_once, _tells_outcomes, _cuts_one]
    if _queue_of(strategy):
        questions.append(_runs_what_waits)
    if _at_once(strategy) > 1:
        questions += [_runs_side_by_side, _cuts_no_other]
    for question in questions:
        with leaving_nothing("the strategy", patience), _bench(strategy, patience) as bench:
            question(bench)


def _queue_of(strategy: Concurrency) -> int:
    return int(getattr(strategy, "queue", 0))


def _at_once(strategy: Concurrency) -> int:
    return strategy.limit - _queue_of(strategy)


@attrs.define(eq=False)
class Bench:
    """A dispatcher with a workplace, and the jobs that it was given."""

    dispatcher: Dispatcher
    workplace: FakeWorkplace
    at_once: int
    most: int
    patience: float
    jobs: list[ExamJob] = attrs.field(factory=list[ExamJob], init=False)

    def job(self, *, held: bool = False, outcome: Outcome = Outcome.FINISHED) -> ExamJob:
        """Make a job; one that is held runs until it is let go or cut."""
        # Longer than anybody waits for it, or its own end would be taken for somebody's doing.
        job = ExamJob(outcome, held, 2 * self.patience)
        self.jobs.append(job)
        return job

    def submit(self, job: ExamJob) -> ExamJob:
        """Hand it in."""
        with promised("submit() takes a job over"):
            self.dispatcher.submit(job)
        return job

    def until(self, fact: Callable[[], bool], contract: str) -> None:
        """Be the accept thread until something is true."""
        for _ in range(int(self.patience / _GLANCE)):
            if fact():
                return
            self.workplace.turn(_GLANCE)
        require(fact(), contract)

    def await_end(self, *jobs: ExamJob) -> None:
        """Be the accept thread until these have ended."""
        for job in jobs:
            self.until(lambda job=job: job.has_ended, "each job must end: end() was never called")  # type: ignore[misc]

    def close(self) -> None:
        """Have everything end, and close the dispatcher."""
        with contextlib.ExitStack() as leaving:
            for job in self.jobs:
                leaving.callback(job.close)
                job.let_go()
            with promised("close() lets idle workers go"):
                self.dispatcher.close()
            self.workplace.turn(0.0)


@contextlib.contextmanager
def _bench(strategy: Concurrency, patience: float) -> Generator[Bench, None, None]:
    workplace = FakeWorkplace()
    with contextlib.closing(workplace), warnings.catch_warnings():
        # The exam has threads of its own.
        warnings.simplefilter("ignore", ForkWithThreadsWarning)
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        with promised("start() makes a dispatcher"):
            dispatcher = strategy.start(workplace)
        at_once = _at_once(strategy)
        bench = Bench(dispatcher, workplace, at_once, min(at_once, _MOST), patience)
        try:
            yield bench
            _check_all(bench.jobs)
        finally:
            bench.close()
        _check_all(bench.jobs)  # nothing has happened to them since


def _check_all(jobs: list[ExamJob]) -> None:
    for job in jobs:
        require(job.served == 1, f"each job must be served once, one was {job.served} times")
        require(len(job.ends) == 1, f"each job must end once, one did {len(job.ends)} times")


def _ends_each_job_once(bench: Bench) -> None:
    for _ in range(_CROWD // bench.most):
        crowd = [bench.submit(bench.job()) for _ in range(bench.most)]
        bench.await_end(*crowd)
    _check_all(bench.jobs)
    for job in bench.jobs:
        counts = job.traffic[0], job.traffic[1]
        require(
            counts == (RECEIVED, SENT),
            f"a worker's counts of bytes must be the job's at its end, {(RECEIVED, SENT)}; "
            f"they are {counts}: see Job.count_into",
        )


def _tells_outcomes(bench: Bench) -> None:
    for outcome in _TOLD:
        job = bench.submit(bench.job(outcome=outcome))
        bench.await_end(job)
        require(
            job.ends == [outcome],
            f"a job must end as serving it did, {outcome}; end() was told {job.ends}",
        )


def _runs_side_by_side(bench: Bench) -> None:
    held = []
    for _ in range(bench.most):
        held.append(bench.submit(bench.job(held=True)))
        require(
            not any(job.has_ended for job in held),
            f"submit() must not wait for the job: {bench.most} may run at a time",
        )
    for job in held:
        bench.until(job.is_served, "jobs within the limit must all run at the same time")
    require(
        len({job.worker for job in held}) == len(held),
        "jobs that run at the same time must be run by different threads, or released to children",
    )
    if held[0].is_elsewhere:
        _check_killed(bench, held.pop())
    for job in reversed(held):
        job.let_go()
        bench.await_end(job)
        require(job.ends == [Outcome.FINISHED], f"a job finished, end() was told {job.ends}")


def _runs_what_waits(bench: Bench) -> None:
    """Submit one more than can run at a time."""
    held = [bench.submit(bench.job(held=True)) for _ in range(bench.at_once)]
    for job in held:
        bench.until(job.is_served, "jobs within the limit, less its queue, must all run")
    waiting = bench.submit(bench.job())
    bench.workplace.turn(_GLANCE)
    require(not waiting.served, "no more jobs than the limit, less its queue, may run")
    for job in held:
        job.let_go()
    bench.await_end(waiting, *held)


def _check_killed(bench: Bench, job: ExamJob) -> None:
    """See what becomes of a job whose worker, another process, is killed."""
    if job.worker is not None and hasattr(signal, "SIGKILL"):
        require(job.worker != os.getpid(), "release() must be told the pid of the child")
        os.kill(job.worker, signal.SIGKILL)
        bench.await_end(job)
        require(
            job.ends == [Outcome.LOST],
            f"a job whose worker was killed must end as LOST, end() was told {job.ends}",
        )


def _cuts_one(bench: Bench) -> None:
    job = bench.job(held=True)

    def cut() -> None:
        require(job.wait_until_served(), "each job must be served")
        bench.dispatcher.cut([job], bench.patience)

    # Whoever drains is another thread than the one that accepts, which may well run the job.
    drain = Aside(cut)
    contract = "cut() must make the job end, and not wait until it does by itself"
    bench.submit(job)
    bench.until(lambda: job.has_ended, contract)
    with promised("cut() ends the jobs that it is given, from any thread"):
        drain.result("cut() must return", 3 * bench.patience)
    require(not job.gave_up, contract)


def _cuts_no_other(bench: Bench) -> None:
    other, cut = (bench.submit(bench.job(held=True)) for _ in range(2))
    for job in (other, cut):
        bench.until(job.is_served, "jobs within the limit must all run at the same time")
    with promised("cut() ends the jobs that it is given"):
        bench.dispatcher.cut([cut], bench.patience)
    bench.await_end(cut)
    bench.workplace.turn(_GLANCE)
    require(not other.has_ended, "cut() must end no other jobs than those it is given")
    other.let_go()
    bench.await_end(other)
    require(other.ends == [Outcome.FINISHED], "cut() must leave other jobs alone")
