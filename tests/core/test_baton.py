"""Turns among threads: one at a time, nobody for long, and not at any price."""

import contextlib
import os
import threading
from collections.abc import Callable, Generator

import pytest

from acceptor.core import baton as module
from acceptor.core.baton import Baton
from tests.programs import program
from tests.support import wait_until

pytestmark = pytest.mark.skipif(not module._has_gil(), reason="nobody takes turns there")

Step = Callable[[], object]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the time that batons see, to be set."""
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have batons taken from nobody who does not pass them on."""
    monkeypatch.setattr(Baton, "_have_it_watched", lambda baton: None)


@contextlib.contextmanager
def threads(*steps: Step) -> Generator[None, None, None]:
    """Run each of these in a thread of its own, and wait in the end until all are over."""
    errors: list[BaseException] = []

    def run(step: Step) -> None:
        try:
            step()
        except BaseException as error:
            errors.append(error)

    started = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in started:
        thread.start()
    try:
        yield
    finally:
        for thread in started:
            thread.join(20)
        assert not any(thread.is_alive() for thread in started)
        assert errors == []


@contextlib.contextmanager
def member(baton: Baton) -> Generator[None, None, None]:
    baton.join()
    if baton.give_up():
        baton.take()
    try:
        yield
    finally:
        baton.leave()


@contextlib.contextmanager
def holder_waiting_elsewhere(baton: Baton) -> Generator[threading.Event, None, None]:
    """Have a thread keep the baton while it waits for the event that is given."""
    has_it, goes_on = threading.Event(), threading.Event()

    def hold() -> None:
        with member(baton):
            has_it.set()
            assert goes_on.wait(20)

    with threads(hold):
        try:
            assert has_it.wait(20)
            yield goes_on
        finally:
            goes_on.set()


@pytest.fixture
def turns_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have turns taken however slow the machine is."""
    monkeypatch.setattr(module, "QUICK", 0)


def repeat(step: Step, fact: Step) -> None:
    """Do it again and again until something is so."""

    def once() -> object:
        step()
        return fact()

    wait_until(once, "it had an effect")


@pytest.mark.usefixtures("nobody_watches")
def test_one_thread_at_a_time_has_it_as_long_as_turns_are_short() -> None:
    baton, inside, most = Baton(), [0], [0]

    def take_turns() -> None:
        with member(baton):
            for _ in range(300):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                assert baton.give_up()
                baton.take()

    with threads(*[take_turns] * 8):
        pass

    assert most == [1]


@pytest.mark.usefixtures("nobody_watches")
def test_who_gives_it_up_lets_the_next_one_run() -> None:
    baton, order = Baton(), list[str]()

    def come_second() -> None:
        with member(baton):
            order.append("second")

    with member(baton):
        with threads(come_second):
            wait_until(lambda: bool(baton.waiting), "it waits")
            order.append("first")
            baton.give_up()
        baton.take()

    assert order == ["first", "second"]


def test_who_waits_elsewhere_holds_nobody_up() -> None:
    baton = Baton()

    with holder_waiting_elsewhere(baton), member(baton):
        pass  # or this never came


@pytest.mark.usefixtures("turns_go_on")
def test_who_was_passed_over_takes_it_from_nobody_when_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    baton, order = Baton(), list[str]()
    third_came = threading.Event()

    def come_third() -> None:
        third_came.set()
        with member(baton):
            order.append("third")

    with holder_waiting_elsewhere(baton) as goes_on, member(baton):
        goes_on.set()  # it leaves while this thread has the baton
        wait_until(lambda: len(baton._members) == 1, "it has left")
        wait_until(lambda: not baton._is_watched, "nobody takes it away any more")
        monkeypatch.setattr(Baton, "_have_it_watched", lambda baton: None)
        with threads(come_third):
            assert third_came.wait(20)
            wait_until(lambda: bool(baton.waiting), "the third waits")
            order.append("second")
            baton.give_up()

    assert order == ["second", "third"]


def test_who_takes_no_turns_is_told_so_and_gives_nothing_up() -> None:
    baton, answers = Baton(), list[bool]()

    with member(baton), threads(lambda: answers.append(baton.give_up())):
        pass

    assert answers == [False]
    assert not baton._lock.locked()


def test_what_is_done_aside_runs_beside_another_turn() -> None:
    baton, met = Baton(), threading.Barrier(2)

    def wait_inside() -> None:
        with member(baton):
            met.wait(20)

    with member(baton), threads(wait_inside), baton.aside():
        met.wait(20)


def test_aside_is_for_everybody() -> None:
    baton = Baton()

    with baton.aside():
        pass

    assert not baton._members


def test_who_has_run_for_a_while_passes_it_on() -> None:
    baton, came = Baton(), threading.Event()

    def come() -> None:
        with member(baton):
            came.set()

    with member(baton), threads(come):
        wait_until(lambda: bool(baton.waiting) or came.is_set(), "it waits")
        repeat(baton.pass_on, came.is_set)


@pytest.mark.usefixtures("nobody_watches")
def test_who_is_done_stands_back_for_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CROWD", 2)
    monkeypatch.setattr(module, "TURN", 1000)
    baton, stood_back = Baton(), list[bool]()

    def end() -> None:
        with member(baton):
            pass

    with member(baton), threads(end, end):
        wait_until(lambda: len(baton.waiting) == 2, "they wait")
        stood_back.append(baton.stands_back())
        with threads(end):
            wait_until(lambda: len(baton.waiting) == 3, "one more waits")
            stood_back.append(baton.stands_back())
            baton.give_up()  # or the others waited for ever

    assert stood_back == [False, True]


@contextlib.contextmanager
def another_waiting(baton: Baton) -> Generator[threading.Event, None, None]:
    """Hold the baton while another thread waits for it; give what says that it has come."""
    came = threading.Event()

    def come() -> None:
        with member(baton):
            came.set()

    with member(baton), threads(come):
        wait_until(lambda: bool(baton.waiting), "it waits")
        yield came


@pytest.mark.usefixtures("nobody_watches")
def test_who_is_done_lets_others_run_when_its_turn_was_long(now: list[float]) -> None:
    baton = Baton()

    with another_waiting(baton) as came:
        now[0] += module.TURN * 0.9
        baton.stands_back()
        was_too_soon = came.is_set()

        def be_done_later() -> None:  # each time: who is woken may come too late for one
            now[0] += module.TURN * 2
            baton.stands_back()

        repeat(be_done_later, came.is_set)

    assert not was_too_soon


@pytest.mark.usefixtures("nobody_watches")
def test_what_is_begun_with_has_a_slice_of_its_own(now: list[float]) -> None:
    baton = Baton()

    with another_waiting(baton) as came:
        now[0] += module.SLICE * 2
        baton.stands_back()
        baton.pass_on()
        was_too_soon = came.is_set()

        def pass_on_later() -> None:
            now[0] += module.SLICE * 2
            baton.pass_on()

        repeat(pass_on_later, came.is_set)

    assert not was_too_soon


def test_who_begins_with_one_after_the_other_gets_on(
    monkeypatch: pytest.MonkeyPatch, now: list[float]
) -> None:
    """Datagrams, say, which are served without a wait, and so without a turn for each."""
    baton = Baton()

    def serve_meanwhile(seconds: float) -> None:
        now[0] += seconds
        for _ in range(round(2 * seconds * module.QUICK)):
            baton.stands_back()
        if now[0] > 101:
            baton.waiting.clear()

    monkeypatch.setattr(module, "sleep", serve_meanwhile)
    monkeypatch.setattr(module, "TURN", 1000)
    with member(baton):
        baton.waiting.add(-1)
        baton._see_to_turns()  # as the thread that watches
        has_it = baton.give_up() and not baton._lock.locked()

    assert has_it
    assert not baton.is_open


def test_looks_are_seldom_only_where_all_get_on(
    monkeypatch: pytest.MonkeyPatch, now: list[float]
) -> None:
    looks, baton = list[float](), Baton()

    def serve_but_once(seconds: float) -> None:
        now[0] += seconds
        looks.append(seconds)
        if len(looks) != 50:
            for _ in range(round(2 * seconds * module.QUICK)):
                baton.stands_back()
        if len(looks) == 60:
            baton.waiting.clear()

    monkeypatch.setattr(module, "sleep", serve_but_once)
    monkeypatch.setattr(module, "TURN", 1000)
    with member(baton):
        baton.waiting.add(-1)
        baton._see_to_turns()

    assert looks[0] == looks[50] == module.TICK
    assert looks[49] == module.CALM_TICK


def test_nobody_waits_for_a_turn_where_all_wait_elsewhere() -> None:
    baton, count = Baton(), 4
    met = threading.Barrier(count)

    def wait_elsewhere() -> None:
        with member(baton):
            for _ in range(5000):
                if baton.is_open:
                    break
                threading.Event().wait(0.002)
                baton.give_up()
                baton.take()
            met.wait(20)  # all at once

    with threads(*[wait_elsewhere] * count):
        pass


def test_turns_are_tried_again_after_longer_and_longer(now: list[float]) -> None:
    baton, spells = Baton(), list[float]()

    for _ in range(8):
        baton._open()
        spells.append(baton._open_until - now[0])
        now[0] = baton._open_until + 0.1
    now[0] += module.SOON
    baton._open()

    assert spells == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert baton._open_until - now[0] == 0.25


def test_turns_are_taken_again_after_the_spell(now: list[float]) -> None:
    baton = Baton()
    baton._open()

    with member(baton):
        during = baton._lock.locked()
        now[0] += module.SHORTEST_SPELL
        baton.give_up()
        baton.take()
        afterwards = baton._lock.locked()

    assert (during, afterwards) == (False, True)


def test_holder_that_was_broken_off_is_replaced() -> None:
    baton = Baton()
    baton._lock.acquire()  # by a thread that an exception has met right afterwards

    with member(baton):
        pass

    assert not baton._lock.locked()


def test_nobody_takes_turns_where_nobody_can_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    baton, start = Baton(), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "acceptor-baton":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)

    with holder_waiting_elsewhere(baton), member(baton):
        pass

    assert not baton._is_watched


def test_nobody_takes_turns_without_the_interpreters_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    baton = Baton()
    monkeypatch.setattr(module, "_has_gil", lambda: False)

    with holder_waiting_elsewhere(baton), member(baton):
        taken = baton._lock.locked()

    assert not taken


def test_nobody_watches_when_nobody_waits_any_more() -> None:
    baton = Baton()

    with holder_waiting_elsewhere(baton), member(baton):
        pass  # which only whoever watches has let in

    wait_until(lambda: not baton._is_watched, "the watch is over")


FORKED = """
import os
from acceptor.core.baton import BATON

has_it = threading.Event()
def hold():
    BATON.join()
    BATON.take()
    has_it.set()
    threading.Event().wait()

threading.Thread(target=hold, daemon=True).start()
has_it.wait()
if os.fork() == 0:
    BATON.join()
    BATON.take()
    say("took", len(BATON.waiting), BATON._is_watched)
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_forked_child_does_not_wait_for_threads_that_it_does_not_have() -> None:
    with program(FORKED) as it:
        answer = it.hear("took")
        it.end()

    assert answer == ["0", "False"]
