"""Slots and counters: what a snapshot says while others come and go."""

import queue
import sys
import threading
from collections.abc import Iterator

import attrs
import pytest

from acceptor import Job, Limits, Outcome, RequestState, Stats, Traffic
from acceptor.core.admission import Admission


@attrs.define(eq=False)
class IdleJob(Job):
    """Holds a slot and does nothing."""

    def run(self, *, patient: bool) -> None: ...
    def end(self, outcome: Outcome) -> None: ...
    def cut(self) -> None: ...
    def release(self, worker: int) -> None: ...
    def count_into(self, traffic: Traffic, /) -> None: ...

    def serve(self, *, patient: bool) -> Outcome:
        return Outcome.FINISHED

    id: int = 0
    peer: object = None
    since: float = 0.0
    state: RequestState = RequestState.WAITING
    traffic: Traffic = attrs.field(factory=lambda: [0, 0])
    worker: int | None = None


def end(admission: Admission, job: IdleJob, outcome: Outcome) -> None:
    """Have a job end as jobs do."""
    assert admission.settle(job, outcome) is outcome
    admission.leave(job)


def check(before: Stats, now: Stats) -> None:
    """Every job is in exactly one of the counters, and none but `active` ever shrinks."""
    assert now.accepted == now.active + now.finished + now.failed
    assert now.accepted >= before.accepted
    assert now.finished >= before.finished
    assert now.failed >= before.failed


@pytest.fixture
def hectic() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hectic")
def test_stats_are_consistent_while_jobs_enter_and_leave() -> None:
    admission = Admission(10, lambda: None)
    gone: queue.SimpleQueue[IdleJob] = queue.SimpleQueue()

    def leave_with(outcome: Outcome) -> None:
        for _ in range(2000):
            end(admission, gone.get(), outcome)

    def enter() -> None:
        for _ in range(4000):
            job = IdleJob()
            admission.enter(job)
            gone.put(job)

    outcomes = (Outcome.FINISHED, Outcome.FAILED)
    threads = [threading.Thread(target=leave_with, args=(outcome,)) for outcome in outcomes]
    threads.append(threading.Thread(target=enter))
    for thread in threads:
        thread.start()
    before = admission.stats()
    while any(thread.is_alive() for thread in threads):
        now = admission.stats()
        check(before, now)
        before = now

    assert admission.stats() == Stats(accepted=4000, finished=2000, failed=2000)


def test_stats_count_a_job_that_has_entered_by_half() -> None:
    admission = Admission(10, lambda: None)
    for _ in range(2):
        admission.enter(IdleJob())
    admission.accepted -= 1  # as it is between the two steps of the second

    assert admission.stats() == Stats(accepted=2, active=2)


@pytest.mark.parametrize("outcome", Outcome)
def test_leave_wakes_whoever_waits_for_room_once(outcome: Outcome) -> None:
    wakes: list[None] = []
    admission = Admission(2, lambda: wakes.append(None))
    jobs = [IdleJob(), IdleJob()]
    for job in jobs:
        admission.enter(job)

    assert not admission.expect_room()
    for job in jobs:
        end(admission, job, outcome)

    assert len(wakes) == 1
    assert admission.expect_room()


@pytest.mark.parametrize("outcome", Outcome)
def test_leave_refuses_a_job_that_has_left(outcome: Outcome) -> None:
    admission = Admission(1, lambda: None)
    job = IdleJob()
    admission.enter(job)
    end(admission, job, outcome)

    with pytest.raises(KeyError):
        admission.leave(job)

    assert admission.stats().accepted == 1
    assert admission.stats().active == 0


@pytest.mark.usefixtures("hectic")
def test_slot_that_is_seen_to_be_free_is_free_for_its_peer_too() -> None:
    admission = Admission(1, lambda: None, Limits(per_peer=1))
    gone: queue.SimpleQueue[IdleJob | None] = queue.SimpleQueue()

    def leave_all() -> None:
        while job := gone.get():
            end(admission, job, Outcome.FINISHED)

    thread = threading.Thread(target=leave_all)
    thread.start()
    try:
        for _ in range(2000):
            job = IdleJob()
            admission.enter(job)
            gone.put(job)
            while admission.is_full():
                pass
            assert admission.has_room_for(job.peer)
    finally:
        gone.put(None)
        thread.join()
