"""A server that ends while connections rest, and while messages are in work."""

import signal
import threading
from typing import Any

import pytest

from acceptor import Accepted, Closed, Message, MessageServed, Outcome, lines
from tests.fakes import Call, drain_meanwhile
from tests.framed_kit import BESIDE, IN_THREADS, STRATEGIES, by, read_line, tcp, upper
from tests.support import PATIENCE, Recorder, connect, read_all, serving

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


@every_strategy
def test_drain_closes_connections_at_rest_at_once(strategy: str) -> None:
    recorder = Recorder()
    stage = by(strategy, tcp().framed(lines()).observe(recorder)).handler(upper)
    with serving(stage) as server:
        clients = [connect(server.address) for _ in range(20)]
        for client in clients[::2]:
            client.sendall(b"a\n")
            assert read_line(client) == b"A\n"
        recorder.wait_for(MessageServed, 10)
        recorder.wait_for(Accepted, 20)
        ending = Call(server.drain)
        for client in clients:
            with client:
                assert read_all(client) == b""
        report = ending.result()

    assert (report.finished, report.cut) == (20, 0)
    assert {event.outcome for event in recorder.of(Closed)} == {Outcome.FINISHED}


@pytest.mark.parametrize("strategy", IN_THREADS)
def test_drain_lets_messages_in_work_and_those_behind_them_finish(strategy: str) -> None:
    came, goes = threading.Event(), threading.Event()

    def slow(message: Message, client_address: object, server: object) -> None:
        came.set()
        assert goes.wait(PATIENCE)
        message.reply(message.payload)

    with serving(by(strategy, tcp().framed(lines())).handler(slow)) as server:
        with connect(server.address) as client:
            client.sendall(b"one\ntwo\n")
            assert came.wait(PATIENCE)
            ending = drain_meanwhile(server)
            goes.set()

            assert read_all(client) == b"one\ntwo\n"
        report = ending.result()

    assert (report.finished, report.cut) == (1, 0)


@pytest.mark.parametrize("strategy", BESIDE)
def test_stop_cuts_what_rests_and_what_is_in_work(strategy: str) -> None:
    came, goes = threading.Event(), threading.Event()
    recorder, served = Recorder(), list[bytes]()

    def stuck(message: Message, client_address: object, server: object) -> None:
        served.append(message.payload)
        came.set()
        assert goes.wait(PATIENCE)

    stage = by(strategy, tcp().framed(lines()).observe(recorder)).handler(stuck)
    with serving(stage) as server:
        with connect(server.address) as client, connect(server.address) as idle:
            client.sendall(b"one\ntwo\n")
            assert came.wait(PATIENCE)
            recorder.wait_for(Accepted, 2)  # or one in the backlog is reset
            ending = Call(server.stop)

            assert read_all(idle) == b""
            assert read_all(client) == b""
            goes.set()
        report = ending.result()
        closed = recorder.wait_for(Closed, 2)

    assert (report.finished, report.cut) == (0, 2)
    assert {event.outcome for event in closed} == {Outcome.CUT}
    assert served == [b"one"]


def pause(message: Message, client_address: object, server: object) -> None:
    """Wait for the end, in a child."""
    message.reply(b"waits")
    while True:
        signal.pause()


def ignore(message: Message, client_address: object, server: object) -> None:
    """Wait for a hard end, in a child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pause(message, client_address, server)


@pytest.mark.parametrize("handler", [pause, ignore])
def test_stop_ends_children_that_serve_messages(handler: Any) -> None:
    recorder = Recorder()
    stage = tcp().framed(lines()).forked().observe(recorder).timeouts(drain=0.1)
    with serving(stage.handler(handler)) as server:
        with connect(server.address) as client:
            client.sendall(b"one\ntwo\n")
            assert read_line(client) == b"waits\n"
            report = server.stop()
            assert read_all(client) == b""
        closed = recorder.wait_for(Closed)

    assert (report.finished, report.cut) == (0, 1)
    assert [event.outcome for event in closed] == [Outcome.CUT]


def test_child_that_is_killed_ends_its_connection_as_lost() -> None:
    def die(message: Message, client_address: object, server: object) -> None:
        message.reply(b"last words")
        signal.raise_signal(signal.SIGKILL)

    recorder = Recorder()
    stage = tcp().framed(lines()).forked().observe(recorder).handler(die)
    with serving(stage) as server:
        with connect(server.address) as client, connect(server.address) as other:
            client.sendall(b"one\ntwo\n")
            assert read_all(client) == b"last words\n"
            other.sendall(b"three\n")
            assert read_all(other) == b"last words\n"
        closed = recorder.wait_for(Closed, 2)

    assert [event.outcome for event in closed] == [Outcome.LOST] * 2
