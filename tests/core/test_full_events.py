"""Full and room again: told once per spell, with what happened meanwhile."""

import contextlib
import logging
import socket

import attrs
import pytest

from acceptor import AllowAll, Close, Closed, Full, Refused, RoomAgain
from tests.core.bench import Bench, Clock
from tests.core.kit import WORKERS, connect_from, crowd, ending
from tests.fakes import FakeDispatcher, ScriptedListener, greet, held, hold, let_go, tcp
from tests.support import Recorder, ask, connect, serving, wait_until

SPELL: list[type[object]] = [Full, RoomAgain]


@pytest.fixture(params=WORKERS)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def spells(recorder: Recorder) -> list[type[object]]:
    return [type(event) for event in recorder.events if isinstance(event, Full | RoomAgain)]


def test_full_is_told_once_for_all_who_wait(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=2).observe(recorder)
    server = stage.handler(hold).build().listen()
    with server, crowd(server.address, 6) as clients:
        server.start()
        recorder.wait_for(Full)
        for client in clients:  # each that ends makes room for one who waits already
            assert client.recv(1) == b"!"
            client.sendall(b"?")
            client.shutdown(socket.SHUT_WR)
        recorder.wait_for(Closed, 6)
        [room] = recorder.wait_for(RoomAgain)

    assert spells(recorder) == SPELL
    assert recorder.of(Full) == [Full(limit=2, active=2)]
    assert room.refused == 0
    assert room.elapsed > 0


def test_room_again_counts_who_was_turned_away_in_its_spell(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=1, overflow=Close())
    with serving(stage.observe(recorder).handler(hold)) as server:
        for spell, count in enumerate((5, 3), 1):
            first = held(server.address)
            for _ in range(count):
                with connect(server.address) as late:
                    assert ending(late) == b""
            let_go(first)
            recorder.wait_for(Closed, spell)
            recorder.wait_for(RoomAgain, spell)

    assert spells(recorder) == SPELL * 2
    assert [room.refused for room in recorder.of(RoomAgain)] == [5, 3]
    assert len(recorder.of(Refused)) == 8


def test_spell_ends_when_the_limit_is_raised(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=1).observe(recorder)
    with serving(stage.handler(hold)) as server:
        first = held(server.address)
        with crowd(server.address, 1) as [second]:
            recorder.wait_for(Full)
            assert recorder.of(RoomAgain) == []

            server.limits = attrs.evolve(server.limits, max_connections=3)

            recorder.wait_for(RoomAgain)
            assert second.recv(1) == b"!"
        let_go(first)
    assert spells(recorder) == SPELL


def test_full_is_not_told_while_there_is_room(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=3, overflow=Close())
    with serving(stage.observe(recorder).handler(hold)) as server:
        for _ in range(3):
            clients = [held(server.address) for _ in range(2)]
            for client in clients:
                let_go(client)
            wait_until(lambda: server.stats.active == 0)

    assert spells(recorder) == []


def test_peer_that_has_enough_makes_nobody_full() -> None:
    recorder = Recorder()
    stage = tcp().threaded().limits(max_connections=3, per_peer=1).observe(recorder)
    with serving(stage.handler(hold)) as server, held(server.address):
        with connect(server.address) as second:
            assert ending(second) == b""
        with connect_from("127.0.0.2", server.address) as other:
            assert other.recv(1) == b"!"

    assert spells(recorder) == []


def test_sync_server_is_not_called_full_for_serving_one_client_at_a_time() -> None:
    recorder = Recorder()
    with serving(tcp().observe(recorder).handler(greet)) as server:
        for _ in range(5):
            ask(server.address, b"")
        server.drain()

    assert spells(recorder) == []


def test_spell_that_the_end_interrupts_is_told_of_no_more(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=1).observe(recorder)
    with serving(stage.handler(hold)) as server, held(server.address), connect(server.address):
        recorder.wait_for(Full)

        server.drain(0.01)

    assert recorder.of(Full) == [Full(limit=1, active=1)]
    assert len(recorder.of(RoomAgain)) <= 1


def test_full_and_room_again_are_logged_as_warnings(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "acceptor")
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(max_connections=1, overflow=Close())
    with serving(stage.observe(recorder).handler(hold)) as server:
        first = held(server.address)
        with connect(server.address) as late:
            ending(late)
        let_go(first)
        recorder.wait_for(RoomAgain)

    told = [record.getMessage() for record in caplog.records if "full" in record.getMessage()]
    again = [record.getMessage() for record in caplog.records if "room" in record.getMessage()]
    assert (len(told), len(again)) == (1, 1)
    assert "1" in told[0]


def test_full_counts_one_that_ends_while_it_is_told() -> None:
    clock = Clock()
    bench = Bench(ScriptedListener.of([]), FakeDispatcher(limit=1), AllowAll(), clock)
    with contextlib.closing(bench.loop):
        bench.loop.intake.note_full()

    assert bench.recorder.of(Full) == [Full(limit=1, active=1)]
