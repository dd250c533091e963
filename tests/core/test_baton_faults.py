"""Turns among threads where something comes in between: nobody waits for ever, nobody for long."""

import ctypes
import math
import threading

import pytest

from acceptor.core import baton as module
from acceptor.core.baton import Baton
from tests.core.test_baton import holder_waiting_elsewhere, member, threads
from tests.support import PATIENCE, wait_until

pytestmark = pytest.mark.skipif(not module._has_gil(), reason="nobody takes turns there")


class FromOutsideError(BaseException):
    """What another thread has set."""


class OpeningLock:
    """A lock whose next taker is held up until turns have ended."""

    def __init__(self, baton: Baton) -> None:
        self._baton = baton
        self._lock = threading.Lock()
        self.opens = False

    def acquire(self, blocking: bool = True) -> bool:
        got = self._lock.acquire(blocking)
        if got and self.opens:
            self.opens = False
            self._baton._open()
        return got

    def release(self) -> None:
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()


def set_in(thread: threading.Thread) -> None:
    assert thread.ident is not None
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    set_exception(ctypes.c_ulong(thread.ident), ctypes.py_object(FromOutsideError))


def test_call_inside_of_another_that_waits_leaves_the_turn_to_that_one() -> None:
    baton = Baton()

    with member(baton):
        with baton.aside(), baton.aside():
            pass
        was_watched = baton._is_watched  # or it had to be taken away from itself
        has_it = baton._lock.locked()

    assert (was_watched, has_it) == (False, True)


def test_holder_that_has_not_said_so_keeps_nobody_waiting_where_turns_end() -> None:
    baton, came = Baton(), threading.Event()
    baton._is_watched = True  # the watch ends with the turns
    baton._lock.acquire()

    def come() -> None:
        with member(baton):
            came.set()

    with threads(come):
        wait_until(lambda: bool(baton.waiting), "it waits")
        baton._open()
        has_come = came.wait(PATIENCE)
        baton._release()  # or it would never come

    assert has_come


def test_who_takes_it_just_as_turns_end_does_not_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    baton = Baton()
    lock = OpeningLock(baton)
    monkeypatch.setattr(baton, "_lock", lock)
    lock.opens = True

    with member(baton):
        has_it = bool(baton._held) or lock.locked()

    assert not has_it


def test_those_who_wait_still_when_turns_come_back_are_seen_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    baton, now = Baton(), [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    baton._open()
    baton.waiting.add(0)  # one that was not let go yet
    now[0] += module.SHORTEST_SPELL

    with member(baton):
        is_watched = baton._is_watched
        baton.waiting.clear()

    assert is_watched


def test_thread_that_is_broken_off_while_it_waits_is_no_longer_waited_for() -> None:
    baton, errors = Baton(), list[BaseException]()
    baton._is_watched = True  # so nobody takes it away before the exception is set

    def wait() -> None:
        try:
            baton.join()
            baton.take()
        except FromOutsideError as error:
            errors.append(error)
        finally:
            baton.leave()

    thread = threading.Thread(target=wait)
    with member(baton):
        thread.start()
        wait_until(lambda: bool(baton.waiting), "it waits")
        set_in(thread)
    thread.join()

    assert errors
    assert not baton.waiting


def test_who_begins_to_take_turns_does_not_wait() -> None:
    baton = Baton()
    baton._is_watched = True  # so nobody takes it away

    with member(baton), threads(baton.join):
        pass  # or this never ended


def test_who_takes_no_turns_does_not_pass_for_a_holder_that_gets_on() -> None:
    baton = Baton()

    with holder_waiting_elsewhere(baton):
        steps = baton._steps
        baton.pass_on()

        assert baton._steps == steps


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_watch_that_is_broken_off_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    baton, others = Baton(), set(threading.enumerate())

    with monkeypatch.context() as ever:
        ever.setattr(module, "QUICK", 0)
        ever.setattr(module, "QUIET", math.inf)
        with holder_waiting_elsewhere(baton), member(baton):
            begun = set(threading.enumerate()) - others
            (watch,) = [it for it in begun if it.name == "acceptor-baton"]
            set_in(watch)
            watch.join()

    with holder_waiting_elsewhere(baton), member(baton):
        pass  # or this never came
