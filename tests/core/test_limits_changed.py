"""Limits that change while a server runs, and slots that come back exactly once."""

import contextlib
import functools
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor import (
    Close,
    Closed,
    Full,
    Outcome,
    Refused,
    Server,
)
from tests.core.kit import STRATEGIES, WORKERS, at_once, crowd, ending, leave, reset
from tests.fakes import held, hold, let_go, tcp
from tests.support import Recorder, connect, read_all, serving, wait_until

each_strategy = pytest.mark.parametrize("strategy", WORKERS)


@each_strategy
def test_raising_max_connections_takes_who_waits(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().limits(max_connections=1).handler(hold)) as server:
        first = held(server.address)
        with crowd(server.address, 2) as waiting:
            server.limits = attrs.evolve(server.limits, max_connections=3)

            assert [client.recv(1) for client in waiting] == [b"!", b"!"]
            assert server.limits.max_connections == 3
        let_go(first)


@each_strategy
def test_lowering_max_connections_lets_all_finish_and_takes_no_more(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=2).observe(recorder)
    with serving(stage.handler(hold)) as server:
        clients = [held(server.address) for _ in range(2)]
        server.limits = attrs.evolve(server.limits, max_connections=1)
        with connect(server.address) as late:
            assert let_go(clients.pop()) == b"?"
            recorder.wait_for(Closed)
            wait_until(lambda: server.stats.active == 1)
            assert server.stats.accepted == 2  # there is still one, and no room for another

            assert let_go(clients.pop()) == b"?"
            assert late.recv(1) == b"!"


@each_strategy
def test_limit_that_comes_later_holds_for_who_is_in_work_already(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        clients = [held(server.address) for _ in range(2)]

        server.limits = attrs.evolve(server.limits, per_peer=2)

        with connect(server.address) as third:
            assert ending(third) == b""
        server.limits = attrs.evolve(server.limits, per_peer=None)
        clients.append(held(server.address))
        assert [let_go(client) for client in clients] == [b"?"] * 3


@each_strategy
def test_overflow_that_changes_turns_away_who_waits(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=1).observe(recorder)
    with serving(stage.handler(hold)) as server:
        first = held(server.address)
        with crowd(server.address, 3) as waiting:
            recorder.wait_for(Full)

            server.limits = attrs.evolve(server.limits, overflow=Close())

            assert [ending(client) for client in waiting] == [b""] * 3
        let_go(first)
    assert len(recorder.of(Refused)) == 3


def test_limits_can_be_changed_before_the_server_listens() -> None:
    server = tcp().handler(hold).build()

    server.limits = attrs.evolve(server.limits, max_connections=7)

    assert server.limits.max_connections == 7


def test_limits_that_many_threads_change_at_once_are_those_that_hold() -> None:
    def change(count: int) -> None:
        server.limits = attrs.evolve(server.limits, max_connections=count)

    with serving(tcp().threaded().handler(hold)) as server:
        for _ in range(20):
            for call in at_once(*(functools.partial(change, count) for count in (1, 2, 3))):
                assert call.result() is None

            assert server.limits.max_connections is not None
            check_slots(server, server.limits.max_connections)
            wait_until(lambda: server.stats.active == 0)


def check_slots(server: Server[Any, Any], slots: int) -> None:
    """Assert that there are exactly so many: none is lost, none was given back twice."""
    accepted = server.stats.accepted
    with crowd(server.address, slots + 1) as clients:
        for client in clients[:-1]:
            assert client.recv(1) == b"!"
        assert server.stats.active == slots
        assert server.stats.accepted == accepted + slots
        clients[0].sendall(b"?")
        clients[0].shutdown(socket.SHUT_WR)
        clients[0].recv(1)
        clients[0].close()
        assert clients[-1].recv(1) == b"!"


def vary(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    """Hold on, then end as the client says."""
    request.sendall(b"!")
    match request.recv(1):
        case b"f":
            raise ValueError
        case b"k":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"c":
            request.close()
        case b"l":
            request.settimeout(0.01)
            request.recv(1)
        case answer:
            request.sendall(answer or b".")


def finish(server: Server[Any, Any], client: socket.socket) -> None:
    client.sendall(b"?")
    client.shutdown(socket.SHUT_WR)
    read_all(client)


def fail(server: Server[Any, Any], client: socket.socket) -> None:
    client.sendall(b"f")
    read_all(client)


def close_in_handler(server: Server[Any, Any], client: socket.socket) -> None:
    client.sendall(b"c")
    with contextlib.suppress(ConnectionError):
        read_all(client)


def be_reset(server: Server[Any, Any], client: socket.socket) -> None:
    reset(client)


def be_late(server: Server[Any, Any], client: socket.socket) -> None:
    client.sendall(b"l")
    read_all(client)


def be_closed(server: Server[Any, Any], client: socket.socket) -> None:
    for live in server.connections():
        assert server.close_connection(live.id)
    read_all(client)


def be_killed(server: Server[Any, Any], client: socket.socket) -> None:
    client.sendall(b"k")
    read_all(client)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (finish, Outcome.FINISHED),
        (fail, Outcome.FAILED),
        (close_in_handler, Outcome.FINISHED),
        (be_reset, Outcome.CLIENT_LEFT),
        (be_late, Outcome.TIMED_OUT),
        (be_closed, Outcome.CUT),
        (be_killed, Outcome.LOST),
    ],
)
def test_slot_is_given_back_exactly_once_however_a_request_ends(
    end: Callable[[Server[Any, Any], socket.socket], None], outcome: Outcome, strategy: str
) -> None:
    if end is be_killed and strategy != "forked":
        pytest.skip("only a child can be killed")
    recorder = Recorder()
    slots = 1 if strategy == "sync" else 2
    stage = getattr(tcp(), strategy)().limits(max_connections=slots).observe(recorder)
    with serving(stage.handler(vary)) as server:
        for count in range(1, 4):
            with held(server.address) as client:
                end(server, client)
                leave(client)  # it is waited for, but not by us
                recorder.wait_for(Closed, count)

        wait_until(lambda: server.stats.active == 0)
        check_slots(server, slots)

    assert [event.outcome for event in recorder.of(Closed)[:3]] == [outcome] * 3
