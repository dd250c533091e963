"""Clients that reset, half-close or vanish: no traceback, nothing left behind."""

import logging
import socket
import struct
import threading
from typing import Any

import pytest

from acceptor import Closed, HandlerFailed, Outcome, Server, StreamHandler
from tests.fakes import held, hold, let_go, tcp
from tests.support import Recorder, ask, connect, open_descriptors, serving, wait_until


@pytest.fixture(params=["sync", "threaded"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def reset(client: socket.socket) -> None:
    """Close so that the other side finds a reset instead of an end; socket(7), SO_LINGER."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


class Echo(StreamHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


def flood(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    """Send until the client has gone."""
    while True:
        request.sendall(bytes(2**16))


def test_client_that_resets_while_it_is_read_from_has_left(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(hold)) as server:
        reset(held(server.address))
        (closed,) = recorder.wait_for(Closed)

        assert let_go(held(server.address)) == b"?"
        server.drain()
    assert closed.outcome is Outcome.CLIENT_LEFT
    assert server.stats.client_left == 1
    assert errors(caplog) == []


@pytest.mark.parametrize("leave", [reset, socket.socket.close])
def test_client_that_goes_while_it_is_written_to_has_left(
    strategy: str, leave: Any, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(flood)) as server:
        client = connect(server.address)
        client.recv(1)
        leave(client)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.CLIENT_LEFT
    assert errors(caplog) == []


def test_client_that_resets_before_it_is_taken_is_no_error(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    with getattr(tcp(), strategy)().handler(Echo).build() as server:
        for _ in range(10):
            reset(connect(server.address))
        server.start()

        assert ask(server.address, b"hello\n") == b"hello\n"
    assert errors(caplog) == []


def test_client_that_half_closes_gets_its_answer(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(Echo)) as server:
        assert ask(server.address, b"one\ntwo\n") == b"one\ntwo\n"
        server.drain()
    assert server.stats.finished == 1


def test_client_that_vanishes_without_a_word_is_an_ordinary_end(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(Echo)) as server:
        connect(server.address).close()
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.FINISHED
    assert errors(caplog) == []


@pytest.mark.parametrize("kind", [ConnectionResetError, BrokenPipeError, ConnectionAbortedError])
def test_same_error_from_elsewhere_is_logged_with_its_traceback(
    strategy: str, kind: type[OSError], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.sendall(b"!")
        request.recv(1)
        raise kind("from the database")

    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(fail)) as server:
        let_go(held(server.address))
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.FAILED
    assert len(recorder.of(HandlerFailed)) == 1
    (record,) = errors(caplog)
    assert record.exc_info
    assert record.exc_info[0] is kind


def test_ten_thousand_connects_and_drops_leave_nothing_behind(
    strategy: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("acceptor.concurrency.warm_threads.KEEP_WARM", 0.05)
    quiet = 3 if strategy == "threaded" else 2  # one waits for the next client
    with serving(getattr(tcp(), strategy)().handler(Echo)) as server:
        ask(server.address, b"warm\n")
        wait_until(lambda: server.stats.finished == 1 and threading.active_count() == quiet)
        descriptors = open_descriptors()

        for number in range(1000):
            clients = [connect(server.address) for _ in range(10)]
            for client in clients:
                drop = (socket.socket.close, reset)[number % 2]
                drop(client)

        # A reset client may be gone before it is taken; so one that comes last marks the end.
        ask(server.address, b"last\n")
        wait_until(lambda: server.stats.active == 0)
        wait_until(lambda: open_descriptors() == descriptors)
        wait_until(lambda: threading.active_count() == quiet)

    assert errors(caplog) == []
    stats = server.stats
    assert stats.accepted == stats.finished + stats.client_left
    assert stats.accepted > 5000
