"""The live view: who is in work, how far, by which worker; and ending one from outside."""

import os
import signal
import threading
from typing import Any

import pytest

from acceptor import (
    Accepted,
    Closed,
    LiveRequest,
    Outcome,
    RequestState,
    Server,
)
from tests.core.kit import STRATEGIES, STREAMS, WORKERS, Gate, crowd, leave, sender, stage_of
from tests.fakes import FakeDispatcher, FakeIncoming, greet, held, hold, let_go, scripted, tcp
from tests.support import Recorder, connect, read_all, serving, wait_until

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def only(server: Server[Any, Any]) -> LiveRequest:
    """Return the one request that is in work."""
    [live] = server.connections()
    return live


def traffic(server: Server[Any, Any]) -> list[tuple[int, int]]:
    return [(live.received, live.sent) for live in server.connections()]


@each_strategy
@pytest.mark.parametrize("transport", STREAMS)
def test_connections_tell_who_is_in_work(transport: str, strategy: str, tmp_path: Any) -> None:
    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder)
    with serving(stage.handler(hold)) as server:
        assert server.connections() == []
        client = held(server.address)
        live = only(server)

        let_go(client)
        wait_until(lambda: server.connections() == [])

    [accepted] = recorder.of(Accepted)
    assert (live.id, live.peer) == (accepted.id, accepted.peer) == (1, recorder.of(Closed)[0].peer)
    assert live.state is RequestState.HANDLING
    assert live.age > 0


@pytest.mark.parametrize("strategy", WORKERS)
def test_connections_are_in_the_order_in_which_they_came(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        clients = [held(server.address) for _ in range(4)]
        peers = [client.getsockname() for client in clients]
        let_go(clients.pop(1))
        wait_until(lambda: server.stats.active == 3)

        lives = server.connections()

        assert [live.id for live in lives] == [1, 3, 4]
        assert [live.peer for live in lives] == [peers[0], *peers[2:]]
        for client in clients:
            let_go(client)


@each_strategy
def test_connections_count_bytes_while_the_handler_runs(strategy: str) -> None:
    def count(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        for size in (3, 4):
            request.recv(size)
            request.sendall(b"!" * size * 100)

    ready = getattr(tcp(), strategy)().handler(count)
    with serving(ready) as server, connect(server.address) as client:
        client.sendall(b"abc")
        wait_until(lambda: traffic(server) == [(3, 300)])
        client.sendall(b"abcd")

        assert len(read_all(client)) == 700


@pytest.mark.parametrize("strategy", ["sync", "threaded"])
def test_worker_is_the_thread_that_serves(strategy: str) -> None:
    seen: list[int] = []

    def handle(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        seen.append(threading.get_ident())
        hold(request, client_address, server)

    with serving(getattr(tcp(), strategy)().handler(handle)) as server:
        client = held(server.address)

        assert only(server).worker == seen[0] != threading.get_ident()
        let_go(client)


def test_worker_is_the_child_that_serves() -> None:
    def handle(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        request.sendall(b"%d\n" % os.getpid())
        hold(request, client_address, server)

    with serving(tcp().forked().handler(handle)) as server, connect(server.address) as client:
        pid = int(client.makefile("rb", buffering=0).readline())

        wait_until(lambda: only(server).worker is not None)
        assert only(server).worker == pid != os.getpid()
        leave(client)


def test_age_is_told_by_the_servers_clock() -> None:
    now = [100.0]
    with serving(tcp().threaded().clock(lambda: now[0]).handler(hold)) as server:
        client = held(server.address)
        now[0] = 107.5

        assert only(server).age == 7.5
        let_go(client)


def test_request_without_a_worker_is_waiting() -> None:
    dispatcher = FakeDispatcher()
    _, stage = scripted(FakeIncoming())
    with serving(stage.concurrency(dispatcher).handler(lambda *_: None)) as server:
        wait_until(lambda: dispatcher.jobs)

        assert only(server).state is RequestState.WAITING
        assert only(server).worker is None
        dispatcher.end_all()
        assert server.connections() == []


def test_request_in_its_handshake_says_so() -> None:
    with Gate.shut() as gate:

        class Slow(FakeIncoming):
            def handshake(self, *args: Any) -> str:
                gate.wait()
                return "request"

        _, stage = scripted(Slow())
        with serving(stage.threaded().handler(lambda *_: None)) as server:
            wait_until(server.connections)
            wait_until(lambda: only(server).state is RequestState.HANDSHAKE)

            gate.let(1)

            wait_until(lambda: server.connections() == [])


def test_request_that_is_being_closed_says_so() -> None:
    with serving(tcp().threaded().handler(greet)) as server:
        with connect(server.address) as client:
            assert read_all(client) == b"hello"  # and the server waits for our end

            assert only(server).state is RequestState.CLOSING
        wait_until(lambda: server.connections() == [])


@pytest.mark.parametrize("strategy", WORKERS)
def test_datagrams_in_work_are_listed_too(strategy: str, tmp_path: Any) -> None:
    with Gate.shut() as gate:
        stage = stage_of("udp", strategy, tmp_path)
        with serving(stage.handler(lambda *_: gate.wait())) as server:
            with sender(server.address, tmp_path) as client:
                client.send(b"hello")
                wait_until(server.connections)

                assert only(server).peer == client.getsockname()
                gate.let(1)
            wait_until(lambda: server.connections() == [])


@each_strategy
@pytest.mark.parametrize("transport", STREAMS)
def test_close_connection_cuts_it_and_no_other(
    transport: str, strategy: str, tmp_path: Any
) -> None:
    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder)
    with serving(stage.handler(hold)) as server:
        victim = held(server.address)
        [live] = server.connections()
        with crowd(server.address, 1) as [other]:
            assert server.close_connection(live.id) is True
            assert read_all(victim) in (b"", b".")
            victim.close()
            [closed] = recorder.wait_for(Closed)

            assert other.recv(1) == b"!"
            other.sendall(b"?")
            assert other.recv(1) == b"?"
        recorder.wait_for(Closed, 2)
        wait_until(lambda: server.stats.active == 0)
        assert server.close_connection(live.id) is False
        assert server.close_connection(99) is False

    assert (closed.id, closed.outcome) == (live.id, Outcome.CUT)
    assert [event.outcome for event in recorder.of(Closed)] == [Outcome.CUT, Outcome.FINISHED]
    assert server.stats.cut == 1


def test_close_connection_ends_a_child_that_heeds_nothing() -> None:
    def ignore(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        request.sendall(b"!")
        threading.Event().wait()

    recorder = Recorder()
    ready = tcp().forked().observe(recorder).handler(ignore)
    with serving(ready) as server, held(server.address):
        assert server.close_connection(1)

        [closed] = recorder.wait_for(Closed)
    assert closed.outcome is Outcome.CUT


def test_nothing_is_live_before_a_server_listens_and_after_it_has_closed() -> None:
    server = tcp().threaded().handler(hold).build()
    before = server.connections(), server.close_connection(1)
    server.start()
    with held(server.address):
        server.drain(0)

    assert before == ([], False)
    assert (server.connections(), server.close_connection(1)) == ([], False)
