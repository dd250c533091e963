"""Threads that share one wait: who leads, who takes over, and who goes home."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from acceptor.concurrency import relay
from acceptor.concurrency.relay import RelayCrew
from acceptor.core.interfaces import RelayWork
from tests.support import PATIENCE, wait_until

Piece = tuple[str, Callable[[], object]]


@attrs.define(eq=False)
class Work(RelayWork):
    """Pieces of work that are calls, and a wait that the test ends."""

    found: "queue.SimpleQueue[list[Piece]]" = attrs.field(factory=queue.SimpleQueue["list[Piece]"])
    closed: list[str] = attrs.field(factory=list[str])
    in_work: set[str] = attrs.field(factory=set[str])
    missed: threading.Event = attrs.field(factory=threading.Event)

    def wait(self) -> list[Piece]:
        return self.found.get()

    def wake(self) -> None:
        self.found.put([])

    def is_in_work(self, piece: Piece, /) -> bool:
        return piece[0] in self.in_work

    def do(self, piece: Piece, me: int, /) -> None:
        piece[1]()

    def miss_thread(self) -> None:
        self.missed.set()

    def close(self) -> None:
        self.closed.append(threading.current_thread().name)


@attrs.define(eq=False)
class Stuck:
    """Work that takes as long as the test wants."""

    begun: threading.Event = attrs.field(factory=threading.Event)
    go: threading.Event = attrs.field(factory=threading.Event)

    def __call__(self) -> None:
        self.begun.set()
        assert self.go.wait(PATIENCE)


def done(event: threading.Event) -> None:
    assert event.wait(PATIENCE)


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def make(work: Work) -> Iterator[Callable[..., Any]]:
    crews: list[RelayCrew] = []
    stuck: list[Stuck] = []

    def make(most: int, keep_warm: float | None = None, slow: str = "") -> tuple[Any, list[Stuck]]:
        crew = RelayCrew(work, most, keep_warm)
        crew._slow.update(slow)
        crews.append(crew)
        crew.start()
        stuck.extend(Stuck() for _ in range(most))
        return crew, stuck

    yield make
    for one in stuck:
        one.go.set()
    for crew in crews:
        crew.close()
    wait_until(lambda: not any(crew._size for crew in crews), "all have gone home")


@pytest.fixture
def nobody_overtakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "TICK", PATIENCE * 10)


@pytest.mark.parametrize("keep_warm", [None, 60.0])
def test_crew_overtakes_leaders_that_are_stuck_while_there_are_threads(
    work: Work, make: Any, keep_warm: float | None
) -> None:
    _, stuck = make(4, keep_warm)
    quick = threading.Event()

    for one in stuck[:3]:
        work.found.put([("a", one)])
        done(one.begun)
    work.found.put([("b", quick.set)])

    done(quick)


@pytest.mark.usefixtures("nobody_overtakes")
def test_leader_hands_on_before_it_does_what_took_long(work: Work, make: Any) -> None:
    _, stuck = make(2, slow="a")
    quick = threading.Event()

    work.found.put([("a", stuck[0]), ("b", quick.set)])

    done(quick)
    assert stuck[0].begun.wait(PATIENCE)


@pytest.mark.usefixtures("nobody_overtakes")
def test_slow_work_does_not_take_the_last_thread_that_is_free(work: Work, make: Any) -> None:
    _, stuck = make(2, slow="ab")
    quick = threading.Event()

    work.found.put([("a", stuck[0])])
    done(stuck[0].begun)
    work.found.put([("b", stuck[1]), ("c", quick.set)])

    done(quick)
    assert not stuck[1].begun.is_set()
    stuck[0].go.set()
    done(stuck[1].begun)


@pytest.mark.usefixtures("nobody_overtakes")
def test_newest_of_what_was_put_off_for_one_owner_stands_for_all(work: Work, make: Any) -> None:
    crew, stuck = make(2, slow="ab")
    quick = threading.Event()

    work.found.put([("a", stuck[0])])
    done(stuck[0].begun)
    work.found.put([("b", print), ("b", print), ("b", stuck[1]), ("c", quick.set)])

    done(quick)
    assert list(crew._put_off.values()) == [("b", stuck[1])]


@pytest.mark.usefixtures("nobody_overtakes")
def test_work_for_whose_owner_a_thread_is_at_work_is_left_to_that(work: Work, make: Any) -> None:
    _, stuck = make(2, slow="a")
    quick = threading.Event()
    work.in_work.add("a")

    work.found.put([("a", stuck[0]), ("b", quick.set)])

    done(quick)
    assert not stuck[0].begun.is_set()


@pytest.mark.usefixtures("nobody_overtakes")
def test_slow_work_is_done_when_the_leader_is_the_only_thread(work: Work, make: Any) -> None:
    _, stuck = make(1, slow="a")

    work.found.put([("a", stuck[0])])

    done(stuck[0].begun)


def test_put_off_work_goes_back_to_the_leader_when_all_others_have_gone_home(work: Work) -> None:
    crew: Any = RelayCrew(work, 2)
    crew._size = 2
    crew._put_off["a"] = ("a", print)

    crew._count_out(relay._Member())

    assert list(crew._todo) == [("a", print)]
    assert not crew._put_off
    assert work.found.get_nowait() == []


def test_threads_go_home_but_for_the_one_that_leads_and_the_one_that_watches(
    work: Work, make: Any
) -> None:
    crew, stuck = make(4, 0.01)
    for one in stuck[:3]:
        work.found.put([("a", one)])
        done(one.begun)
    assert crew._size == 4

    for one in stuck:
        one.go.set()

    wait_until(lambda: crew._size == 2, "two have gone home")
    quick = threading.Event()
    work.found.put([("b", quick.set)])
    done(quick)


@pytest.mark.parametrize("can_replace", [True, False])
def test_crew_goes_on_when_its_leader_breaks(
    work: Work, make: Any, can_replace: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ValueError("oh no")

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    crew, _ = make(3)
    wait_until(lambda: crew._idle, "all have a role")
    if not can_replace:
        monkeypatch.setattr(threading.Thread, "start", refuse)

    work.found.put([("a", fail)])
    wait_until(lambda: crew._leader is not None and crew._leader.rests, "another leads")

    size = 3 if can_replace else 2
    wait_until(lambda: crew._size == size, "it was replaced if that was possible")
    quick = threading.Event()
    work.found.put([("b", quick.set)])
    done(quick)


def test_crew_whose_threads_are_all_stuck_gets_another_when_it_is_reinforced(
    work: Work, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    crew, stuck = make(3, 60.0)
    with monkeypatch.context() as machine:
        machine.setattr(threading.Thread, "start", refuse)
        for name, one in zip("ab", stuck[:2], strict=True):
            work.found.put([(name, one)])
            done(one.begun)
        done(work.missed)
    quick = threading.Event()
    work.found.put([("c", quick.set)])

    crew.reinforce()

    done(quick)
    assert crew._size == 3


def test_thread_that_takes_what_was_put_off_has_another_stand_by(
    work: Work, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    crew, stuck = make(4, 60.0, slow="b")
    with monkeypatch.context() as machine:
        machine.setattr(threading.Thread, "start", refuse)
        work.found.put([("a", stuck[0])])
        done(stuck[0].begun)
        work.found.put([("b", stuck[1]), ("c", stuck[2])])
        done(stuck[2].begun)
    quick = threading.Event()
    work.found.put([("d", quick.set)])

    crew.reinforce()

    done(stuck[1].begun)
    done(quick)


def test_close_sends_threads_of_every_role_home_and_the_last_one_closes_the_work(
    work: Work, make: Any
) -> None:
    crew, stuck = make(4)
    work.found.put([("a", stuck[0])])
    done(stuck[0].begun)
    wait_until(lambda: crew._idle and crew._watcher and crew._leader.rests, "all have a role")

    crew.close()

    wait_until(lambda: crew._size == 1, "all but the one that is busy have gone home")
    assert not work.closed
    stuck[0].go.set()
    wait_until(lambda: work.closed, "the last one has closed the work")
    assert work.closed == ["acceptor-crew"]


def test_close_closes_the_work_of_a_crew_that_never_started(work: Work) -> None:
    RelayCrew(work, 4).close()

    assert work.closed == ["MainThread"]


def test_leader_that_rests_is_not_overtaken(work: Work) -> None:
    crew: Any = RelayCrew(work, 2)
    crew._leader = leader = relay._Member(rests=True)
    me = relay._Member()

    assert not crew._overtake(me, leader, leader.turn)
    assert crew._leader is leader


def test_leader_that_is_overtaken_right_before_its_wait_does_not_wait(work: Work) -> None:
    class Overtaken(relay._Member):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "rests" and value:
                crew._leader = other

    crew: Any = RelayCrew(work, 2)
    other = relay._Member()
    crew._leader = me = Overtaken()

    crew._lead(me)  # it would wait for ever

    assert not me.rests
