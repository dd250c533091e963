"""Datagrams under `threaded`: taken and served by one and the same thread."""

import socket
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import Accepted, Closed, Limits, Message, Server, Started
from tests.core.kit import DATAGRAMS, begin_drain, sender, stage_of, wait_for_active
from tests.support import Recorder, serving, wait_until


class Choosy:
    """A handler that answers at once, unless it is told to wait until it is let go."""

    def __init__(self) -> None:
        self.may_end = threading.Semaphore(0)
        self.threads: list[str] = []

    def __call__(
        self, message: Message[Any], client_address: object, server: Server[Any, Any]
    ) -> None:
        self.threads.append(threading.current_thread().name)
        if message.payload.startswith(b"wait"):
            self.may_end.acquire()
        message.reply(message.payload)


@pytest.fixture
def handler() -> Generator[Choosy, None, None]:
    """Make one; at the end all are let go."""
    choosy = Choosy()
    yield choosy
    choosy.may_end.release(1000)


def ask(client: socket.socket, *questions: bytes) -> list[bytes]:
    """Send these datagrams, and return the answers."""
    for question in questions:
        client.send(question)
    return [client.recv(100) for _ in questions]


@pytest.mark.parametrize("transport", DATAGRAMS)
def test_handler_that_runs_long_holds_up_nobody(
    transport: str, handler: Choosy, tmp_path: Path
) -> None:
    ready = stage_of(transport, "threaded", tmp_path).handler(handler)
    with serving(ready) as server, sender(server.address, tmp_path) as client:
        for number in range(1, 4):
            client.send(b"wait")
            wait_for_active(server, number)

        answers = ask(client, b"1", b"2", b"3")

        wait_until(lambda: server.stats.finished == 3)
        assert [live.id for live in server.connections()] == [1, 2, 3]
        assert len({live.worker for live in server.connections()}) == 3
        assert "acceptor" not in handler.threads  # the accept thread's name
        handler.may_end.release(3)
        assert [client.recv(100) for _ in range(3)] == [b"wait"] * 3
    assert sorted(answers) == [b"1", b"2", b"3"]


def test_no_more_are_taken_than_there_may_be_threads(handler: Choosy, tmp_path: Path) -> None:
    stage = stage_of("udp", "sync", tmp_path).threaded(max_threads=2)
    with serving(stage.handler(handler)) as server, sender(server.address, tmp_path) as client:
        for _ in range(4):
            client.send(b"wait")
        wait_until(lambda: server.stats.active == 2)
        wait_until(lambda: len(handler.threads) == 2)

        handler.may_end.release(1)
        client.recv(100)
        wait_until(lambda: len(handler.threads) == 3)

        assert (server.stats.accepted, server.stats.active) == (3, 2)
        handler.may_end.release(3)
        assert [client.recv(100) for _ in range(3)] == [b"wait"] * 3
        wait_until(lambda: server.stats.finished == 4)


def test_limits_hold_for_datagrams_that_threads_take(handler: Choosy, tmp_path: Path) -> None:
    stage = stage_of("udp", "threaded", tmp_path).limits(max_connections=1)
    with serving(stage.handler(handler)) as server, sender(server.address, tmp_path) as client:
        client.send(b"wait 1")
        wait_until(lambda: server.stats.active == 1)
        client.send(b"wait 2")
        server.limits = Limits()

        wait_until(lambda: server.stats.active == 2)

        handler.may_end.release(2)
        assert sorted(client.recv(100) for _ in range(2)) == [b"wait 1", b"wait 2"]


def test_paused_server_takes_no_datagram_until_it_resumes(handler: Choosy, tmp_path: Path) -> None:
    ready = stage_of("udp", "threaded", tmp_path).handler(handler)
    with serving(ready) as server, sender(server.address, tmp_path) as client:
        for number in range(1, 21):
            assert ask(client, b"before") == [b"before"]
            server.pause()
            client.send(b"paused")
            taken = server.stats.accepted
            server.resume()

            assert client.recv(100) == b"paused"
            assert taken == 2 * number - 1


def test_server_can_be_shut_down_and_serve_again(handler: Choosy, tmp_path: Path) -> None:
    with stage_of("udp", "threaded", tmp_path).handler(handler).build() as server:
        with sender(server.address, tmp_path) as client:
            for _ in range(5):
                server.start()
                assert ask(client, b"hello") == [b"hello"]
                server.shutdown()
                server.wait()

                client.send(b"later")
                assert server.handle_request()
                assert client.recv(100) == b"later"
        wait_until(lambda: server.stats.finished == 10)


@pytest.mark.parametrize("patience", [5.0, 0.0])
def test_drain_waits_for_what_threads_have_taken_or_cuts_it(
    patience: float, handler: Choosy, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = stage_of("udp", "threaded", tmp_path).observe(recorder)
    server = stage.handler(handler).build().start()
    with sender(server.address, tmp_path) as client:
        client.send(b"wait")
        wait_until(lambda: server.stats.active == 1)

        if patience:
            drain = begin_drain(server, recorder)
            handler.may_end.release()
            assert client.recv(100) == b"wait"
            report = drain.result()
        else:
            report = server.drain(patience)
            handler.may_end.release()
        recorder.wait_for(Closed)

    assert (report.finished, report.cut) == ((1, 0) if patience else (0, 1))


def test_events_are_told_of_each_datagram_once(handler: Choosy, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = stage_of("udp", "threaded", tmp_path).observe(recorder)
    with serving(stage.handler(handler)) as server, sender(server.address, tmp_path) as client:
        for _ in range(20):
            ask(client, b"1", b"2", b"3")
        recorder.wait_for(Closed, 60)

    for events in (recorder.of(Accepted), recorder.of(Started), recorder.of(Closed)):
        assert sorted(event.id for event in events) == list(range(1, 61))
    assert {(event.received, event.sent) for event in recorder.of(Closed)} == {(1, 1)}
