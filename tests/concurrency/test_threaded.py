"""Threads: bounded, used again while they are warm, and gone once the server has closed."""

import errno
import functools
import socket
import threading
from typing import Any

import pytest

from acceptor import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Closed,
    DrainReport,
    Outcome,
    Server,
)
from acceptor.concurrency import warm_threads as thread_module
from tests.fakes import Call, greet, held, hold, let_go, tcp
from tests.support import PATIENCE, Recorder, ask, connect, serving, wait_until


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "acceptor-worker"]


def test_third_client_waits_in_the_backlog_of_two_threads_and_is_served_later() -> None:
    recorder = Recorder()
    with serving(tcp().threaded(max_threads=2).observe(recorder).handler(hold)) as server:
        first, second = held(server.address), held(server.address)
        third = connect(server.address)
        before = server.stats

        assert let_go(first) == b"?"
        assert third.recv(1) == b"!"
        assert let_go(third) == let_go(second) == b"?"
        recorder.wait_for(Closed, 3)
        kinds = [type(event) for event in recorder.events if isinstance(event, Accepted | Closed)]

    assert (before.accepted, before.active) == (2, 2)
    assert kinds[:4] == [Accepted, Accepted, Closed, Accepted]


@pytest.mark.parametrize("bound", [1, 2, 5])
def test_bound_is_never_passed_and_always_used(bound: int) -> None:
    running, most = 0, 0
    lock, full = threading.Lock(), threading.Barrier(bound)

    def count(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait(PATIENCE)  # so many run at a time, or nobody gets further
        with lock:
            running -= 1

    with serving(tcp().threaded(bound).handler(count)) as server:
        clients = [connect(server.address) for _ in range(bound * 4)]
        for client in clients:
            with client:
                assert client.recv(1) == b""

    assert most == bound


def test_threads_are_used_again_while_they_are_warm() -> None:
    seen: list[threading.Thread] = []

    def note(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        seen.append(threading.current_thread())

    with serving(tcp().threaded().handler(note)) as server:
        for _ in range(50):
            ask(server.address, b"")
            # A moment after this its thread is idle; not each time before the next client comes.
            wait_until(lambda: server.stats.active == 0)

    assert len(seen) == 50
    assert len(set(seen)) < 25


def test_idle_threads_go_home_when_the_server_closes() -> None:
    with serving(tcp().threaded().handler(hold)) as server:
        for client in [held(server.address) for _ in range(5)]:
            let_go(client)
        assert 1 <= len(workers()) <= 6  # one more than there were clients

        server.drain()

        wait_until(lambda: not workers())


def test_idle_threads_but_one_go_home_by_themselves_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thread_module, "KEEP_WARM", 0.01)
    with serving(tcp().threaded().handler(hold)) as server:
        for client in [held(server.address) for _ in range(5)]:
            let_go(client)
        wait_until(lambda: len(workers()) == 1)

        assert let_go(held(server.address)) == b"?"


def test_no_job_is_lost_between_a_thread_going_home_and_a_new_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thread_module, "KEEP_WARM", 0.0)
    with serving(tcp().threaded().handler(greet)) as server:
        for _ in range(300):
            assert ask(server.address, b"") == b"hello"


def test_workers_never_keep_the_interpreter_from_ending() -> None:
    with serving(tcp().threaded().handler(hold)) as server:
        client = held(server.address)

        assert {thread.daemon for thread in workers()} == {True}
        let_go(client)


def test_client_is_kept_while_there_are_no_more_threads_and_served_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = threading.Thread.start
    refused: list[threading.Thread] = []

    def refuse(thread: threading.Thread) -> None:
        # The first was to wait for clients.
        if thread.name == "acceptor-worker" and len(refused) < 3:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recorder = Recorder()
    with serving(tcp().threaded().observe(recorder).handler(greet)) as server:
        answer = ask(server.address, b"")
        second = ask(server.address, b"")

    assert answer == second == b"hello"
    (paused,) = recorder.of(AcceptPaused)
    assert getattr(paused.cause, "errno", None) == errno.EAGAIN
    assert "can't start new thread" in str(paused.cause)
    assert [resumed.attempts for resumed in recorder.of(AcceptResumed)] == [2]
    assert server.stats.accepted == 2


def test_kept_client_is_served_by_a_drain_and_cut_by_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "acceptor-worker" and refusing:
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    reports: list[DrainReport] = []
    answers: list[bytes] = []
    for end in ("drain", "stop"):
        refusing = True
        recorder = Recorder()
        with serving(tcp().threaded().observe(recorder).handler(greet)) as server:
            client = Call(functools.partial(ask, server.address, b""))
            recorder.wait_for(AcceptPaused)
            refusing = end == "stop"

            reports.append(getattr(server, end)())
            answers.append(client.result())

    assert [(report.finished, report.cut) for report in reports] == [(1, 0), (0, 1)]
    assert answers == [b"hello", b""]


def test_cut_ends_a_blocked_read_and_a_blocked_write() -> None:
    blocked = threading.Event()

    def write(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.sendall(b"!")
        while True:
            request.sendall(bytes(2**20))
            blocked.set()

    recorder = Recorder()
    stage = tcp().threaded().observe(recorder)
    with serving(stage.handler(write)) as server, held(server.address):
        report = server.drain(0.01)
        (closed,) = recorder.wait_for(Closed)

    assert report.cut == 1
    assert closed.outcome is Outcome.CUT
