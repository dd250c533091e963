"""Clients that workers take by themselves: observers and policies are called in the worker."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor import Accepted, Event, Outcome, SelfWaitError, Server
from acceptor.core.admission import Admission
from acceptor.core.interfaces import Job
from acceptor.core.lending import GLANCE, Lending
from tests.fakes import greet, tcp
from tests.support import PATIENCE, ask, connect, serving, wait_until

each_strategy = pytest.mark.parametrize("strategy", ["threaded", "pooled"])
Look = Callable[[Server[Any, Any]], object]


@each_strategy
@pytest.mark.parametrize(
    "look",
    [lambda server: server.stats, lambda server: server.connections(), Server.hurry],
    ids=["stats", "connections", "hurry"],
)
def test_observer_of_an_accept_may_look_at_the_server_while_it_is_stopped(
    strategy: str, look: Look
) -> None:
    inside, go_on = threading.Event(), threading.Event()
    servers: list[Server[Any, Any]] = []

    def watch(event: Event) -> None:
        if isinstance(event, Accepted):
            inside.set()
            go_on.wait(0.05)  # so that it meets whoever stops the server
            look(servers[0])

    for _ in range(5):
        inside.clear()
        with serving(getattr(tcp(), strategy)().observe(watch).handler(greet)) as server:
            servers[:] = [server]
            with connect(server.address):
                assert inside.wait(20)
                server.stop()


@each_strategy
@pytest.mark.parametrize(
    "end", [Server.drain, Server.stop, Server.wait], ids=lambda end: end.__name__
)
def test_observer_and_policy_cannot_wait_for_the_server_that_calls_them(
    strategy: str, end: Callable[[Server[Any, Any]], object]
) -> None:
    servers: list[Server[Any, Any]] = []
    errors: list[BaseException] = []

    def try_to_end(*_: object) -> bool:
        with pytest.raises(SelfWaitError) as caught:
            end(servers[0])
        errors.append(caught.value)
        return True

    def watch(event: Event) -> None:
        if isinstance(event, Accepted):
            try_to_end()

    stage = getattr(tcp(), strategy)().observe(watch).access(try_to_end)
    with serving(stage.handler(greet)) as server:
        servers.append(server)
        for count in range(1, 4):
            assert ask(server.address, b"") == b"hello"
            assert len(errors) == 2 * count


@each_strategy
def test_observer_of_an_accept_may_pause_the_server_and_nobody_comes_in_afterwards(
    strategy: str,
) -> None:
    servers: list[Server[Any, Any]] = []

    def watch(event: Event) -> None:
        if isinstance(event, Accepted):
            servers[0].pause()

    with serving(getattr(tcp(), strategy)().observe(watch).handler(greet)) as server:
        servers.append(server)
        for accepted in range(1, 4):
            clients: list[socket.socket] = [connect(server.address) for _ in range(3)]
            wait_until(lambda expected=accepted: server.stats.accepted == expected)  # type: ignore[misc]
            wait_until(lambda: server.stats.active == 0 and server.phase.name == "PAUSED")
            for client in clients:
                client.close()
            assert server.stats.accepted == accepted
            wait_until(lambda: server.stats.backlog is not None)
            if accepted < 3:
                server.resume()


@each_strategy
def test_stop_waits_for_no_end_of_clients_who_are_turned_away(strategy: str) -> None:
    flooded, stopped, until = threading.Event(), threading.Event(), time.monotonic() + PATIENCE / 2

    def turn_away(peer: object) -> bool:
        with contextlib.suppress(OSError):  # the port is closed
            connect(server.address).close()  # who waits already when this one has gone
        if server.stats.refused > 100:  # so there is no other end to it
            flooded.set()
        return stopped.is_set() or time.monotonic() > until

    with serving(getattr(tcp(), strategy)().access(turn_away).handler(greet)) as server:
        connect(server.address).close()
        assert flooded.wait(PATIENCE)

        server.stop()

        stopped.set()
    assert time.monotonic() < until


@attrs.define
class _Intake:
    """An intake in a spell without room."""

    admission: Admission
    is_full: bool = True

    def admit(self, incoming: Any, worker: int | None = None) -> Job | None:
        return None

    def note_full(self) -> None:
        """Do nothing."""

    def note_room(self) -> float:
        return 0.25

    def next_overdue(self) -> float | None:
        return None


def test_server_without_room_is_not_woken_by_each_who_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, wakes = [100.0], list[None]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    admission = Admission(1, lambda: wakes.append(None))
    unused: Any = None
    lending = Lending(unused, _Intake(admission), unused, unused, unused)

    def come_and_go() -> float | None:
        job: Any = object()
        admission.enter(job)
        left = lending.look()
        admission.settle(job, Outcome.FINISHED)
        admission.leave(job)
        return left

    first, second = come_and_go(), come_and_go()
    now[0] += GLANCE
    third = come_and_go()
    with_room = lending.look()

    assert (first, second, third, with_room) == (None, GLANCE, None, 0.25)
    assert len(wakes) == 2
