"""A pool: so many threads from the first client on, never more and never fewer."""

import socket
import threading
from typing import Any

import pytest

from acceptor import Accepted, AcceptPaused, Close, Closed, Outcome, Pooled, Refused, Server
from tests.fakes import greet, held, hold, let_go, tcp
from tests.support import Recorder, ask, connect, serving, wait_until

NAMES = "acceptor-pool-"


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(NAMES)]


def test_limit_is_what_runs_and_what_waits() -> None:
    assert (Pooled().limit, Pooled(3).limit, Pooled(3, queue=2).limit) == (16, 3, 5)


def test_all_threads_are_there_from_the_first_client_on_and_serve_all() -> None:
    seen: set[threading.Thread] = set()

    def note(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        seen.add(threading.current_thread())

    with serving(tcp().pooled(3).handler(note)) as server:
        ask(server.address, b"")
        before = set(workers())
        for _ in range(50):
            ask(server.address, b"")
        after = set(workers())

    assert len(before) == 3
    assert seen <= before == after
    assert all(thread.daemon for thread in before)


def test_threads_are_gone_and_descriptors_closed_when_the_server_closes() -> None:
    with serving(tcp().pooled(5).handler(hold)) as server:
        let_go(held(server.address))

        server.drain()

        wait_until(lambda: not workers())


def test_server_that_never_served_leaves_nothing() -> None:
    server = tcp().pooled(2).handler(greet).build().listen()

    server.stop()

    assert workers() == []


@pytest.mark.parametrize("queue", [0, 2])
def test_next_client_waits_in_the_backlog_when_threads_and_queue_are_taken(queue: int) -> None:
    recorder = Recorder()
    with serving(tcp().pooled(2, queue).observe(recorder).handler(hold)) as server:
        running = [held(server.address) for _ in range(2)]
        waiting = [connect(server.address) for _ in range(queue + 1)]
        recorder.wait_for(Accepted, 2 + queue)
        before = server.stats

        for client in (*running, *waiting):
            if client in waiting:
                assert client.recv(1) == b"!"
            assert let_go(client) == b"?"
        recorder.wait_for(Closed, 3 + queue)

    assert (before.active, before.backlog) == (2 + queue, 1)
    assert server.stats.finished == 3 + queue


def test_client_that_waits_for_a_thread_is_cut_unserved_by_a_stop() -> None:
    served: list[object] = []

    def stay(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        served.append(client_address)
        hold(request, client_address, server)

    recorder = Recorder()
    with serving(tcp().pooled(1, queue=1).observe(recorder).handler(stay)) as server:
        running, waiting = held(server.address), connect(server.address)
        recorder.wait_for(Accepted, 2)

        report = server.stop()
        with running, waiting:
            assert waiting.recv(1) == b""

    assert (report.finished, report.cut, len(served)) == (0, 2, 1)
    assert [closed.outcome for closed in recorder.of(Closed)] == [Outcome.CUT] * 2


def test_client_that_waits_for_a_thread_is_served_by_a_drain() -> None:
    recorder = Recorder()
    with serving(tcp().pooled(1, queue=1).observe(recorder).handler(hold)) as server:
        running, waiting = held(server.address), connect(server.address)
        recorder.wait_for(Accepted, 2)
        drain = threading.Thread(target=server.drain, args=(None,))
        drain.start()

        assert let_go(running) == b"?"
        assert waiting.recv(1) == b"!"
        assert let_go(waiting) == b"?"
        drain.join()

    assert server.stats.finished == 2


def test_clients_beyond_the_threads_are_turned_away_if_told_so_and_taken_again_later() -> None:
    recorder = Recorder()
    stage = tcp().pooled(2).limits(overflow=Close()).observe(recorder)
    with serving(stage.handler(hold)) as server:
        running = [held(server.address) for _ in range(2)]
        with connect(server.address) as third:
            assert third.recv(1) == b""
        for client in running:
            let_go(client)
        wait_until(lambda: server.stats.active == 0)
        let_go(held(server.address))
        wait_until(lambda: server.stats.finished == 3)

    assert len(recorder.of(Refused)) == 1


def test_limit_below_the_threads_holds_and_may_change_while_the_server_runs() -> None:
    with serving(tcp().pooled(4).limits(max_connections=1).handler(hold)) as server:
        first, second = held(server.address), connect(server.address)
        assert (server.stats.active, server.stats.backlog) == (1, 1)

        server.limits = server.limits.__class__(max_connections=None)
        assert second.recv(1) == b"!"
        third = held(server.address)
        server.limits = server.limits.__class__(max_connections=1)
        for client in (first, second, third):
            let_go(client)
        wait_until(lambda: server.stats.active == 0)
        fourth, fifth = held(server.address), connect(server.address)
        assert server.stats.active == 1
        let_go(fourth)
        assert fifth.recv(1) == b"!"
        let_go(fifth)

        wait_until(lambda: server.stats.finished == 5)


def test_missing_threads_are_started_later_and_those_there_serve_meanwhile(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = threading.Thread.start
    refusing = True

    def refuse(thread: threading.Thread) -> None:
        if refusing and thread.name == f"{NAMES}2":
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recorder = Recorder()
    with serving(tcp().pooled(2).observe(recorder).handler(greet)) as server:
        assert ask(server.address, b"") == b"hello"
        assert len(workers()) == 1
        assert ask(server.address, b"") == b"hello"
        refusing = False

        assert ask(server.address, b"") == b"hello"
        wait_until(lambda: len(workers()) == 2)
        assert ask(server.address, b"") == b"hello"

    assert caplog.text.count("the pool has 1 of its 2 threads") == 1
    assert recorder.of(AcceptPaused) == []
