"""Idle threads into which an exception is set from outside: no client waits for them in vain."""

import ctypes
import socket
import sys
import threading

import pytest

from acceptor import NeedsHandler
from acceptor.concurrency import warm_threads
from acceptor.concurrency.anteroom import Anteroom
from acceptor.concurrency.warm_threads import ThreadDispatcher
from acceptor.core.peers import InetPeer
from tests.concurrency.test_pooled_crew import Note
from tests.fakes import greet, tcp
from tests.support import PATIENCE, ask, serving, wait_until

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"  # a thread may die of it
)


class FromOutsideError(BaseException):
    """What another thread has set."""


def workers() -> list[threading.Thread]:
    names = ("acceptor-worker", "acceptor-pool")
    return [thread for thread in threading.enumerate() if thread.name.startswith(names)]


def break_off(thread: threading.Thread) -> None:
    assert thread.ident is not None
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    set_exception(ctypes.c_ulong(thread.ident), ctypes.py_object(FromOutsideError))


def waits_for_a_client(thread: threading.Thread) -> bool:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_code is Anteroom.wait.__code__


@pytest.mark.skipif(sys.platform != "linux", reason="threads wait at the port on Linux only")
@pytest.mark.parametrize("stage", [tcp().threaded(3), tcp().pooled(3)], ids=["threaded", "pooled"])
def test_clients_are_taken_still_where_all_who_wait_for_them_were_broken_off(
    stage: NeedsHandler[socket.socket, InetPeer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_threads, "KEEP_WARM", 10 * PATIENCE)
    with serving(stage.handler(greet)) as server:
        for _ in range(4):
            assert ask(server.address, b"") == b"hello"
            wait_until(lambda: server.stats.active == 0 and all(map(waits_for_a_client, workers())))
            for thread in workers():
                break_off(thread)

        assert [ask(server.address, b"") for _ in range(3)] == [b"hello"] * 3


@pytest.mark.parametrize("is_called_before", [True, False])
def test_job_is_run_although_the_thread_that_it_was_handed_to_was_broken_off(
    is_called_before: bool,
) -> None:
    dispatcher, ran_in = ThreadDispatcher(), list[int]()
    dispatcher.submit(Note(ran_in))
    wait_until(lambda: bool(dispatcher._idle), "it is idle")
    (thread,) = workers()

    with dispatcher._lock:  # so it cannot tell anybody
        if is_called_before:
            worker = dispatcher._idle.pop()
            break_off(thread)
            worker.call(Note(ran_in))
        else:
            break_off(thread)
            dispatcher._idle[0].called.release()  # the end of its wait
    wait_until(lambda: not dispatcher._idle, "nobody waits for a thread that is gone")
    dispatcher.submit(Note(ran_in))

    wait_until(lambda: len(ran_in) == 2 + is_called_before, "all jobs have run")
    dispatcher.close()
