"""Handlers that fail: only their own request ends, and it is told once."""

import logging
import os
import socket
from typing import Any

import pytest

from acceptor import BaseHandler, Closed, HandlerFailed, Outcome, Server, StreamHandler
from tests.core.access_kit import Remembers
from tests.fakes import greet, tcp
from tests.support import Recorder, ask, connect, read_all, serving


@pytest.fixture(params=["sync", "threaded", "pooled", "forked"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


ERRORS = [
    ValueError("oh no"),
    SystemExit(0),
    SystemExit("bye"),
    KeyboardInterrupt(),
    GeneratorExit(),
    BaseException("rare"),
    ConnectionResetError("from elsewhere"),
    BrokenPipeError("from elsewhere"),
    TimeoutError("from elsewhere"),
    BlockingIOError("from elsewhere"),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_whatever_a_handler_raises_ends_only_its_own_request(
    strategy: str, error: BaseException
) -> None:
    def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        if request.recv(1) == b"f":
            raise error
        request.sendall(b"hello")

    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(fail)) as server:
        assert ask(server.address, b"f") == b""
        (closed,) = recorder.wait_for(Closed)

        assert ask(server.address, b"g") == b"hello"
        server.drain()
    assert closed.outcome is Outcome.FAILED
    assert (server.stats.failed, server.stats.finished) == (1, 1)
    if strategy != "forked":  # there it is told in the child
        assert [failed.error for failed in recorder.of(HandlerFailed)] == [error]


@pytest.mark.parametrize("error", [ValueError("oh no"), SystemExit(3), KeyboardInterrupt()])
def test_failure_of_a_handler_is_logged_once_with_its_traceback(
    strategy: str, error: BaseException
) -> None:
    reading, writing = os.pipe()  # shared with the children
    log = logging.StreamHandler(os.fdopen(writing, "w"))
    logger = logging.getLogger("acceptor")
    logger.addHandler(log)

    def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        raise error

    recorder = Recorder()
    try:
        with serving(getattr(tcp(), strategy)().observe(recorder).handler(fail)) as server:
            ask(server.address, b"")
            recorder.wait_for(Closed)
    finally:
        logger.removeHandler(log)
        log.stream.close()
    with os.fdopen(reading) as lines:
        text = lines.read()

    assert text.count("handler failed for 127.0.0.1:") == 1
    assert text.count("Traceback (most recent call last)") == 1
    assert "in fail" in text
    assert type(error).__name__ in text


class Diary(BaseHandler[socket.socket]):
    """Tells its client which hooks have been called; fails where the client says."""

    def step(self, name: str) -> None:
        self.request.sendall(name.encode())
        if self.fail_in == name:
            raise ValueError(name)

    def setup(self) -> None:
        self.fail_in = self.request.recv(10).decode()
        self.step("setup ")

    def handle(self) -> None:
        self.step("handle ")

    def finish(self) -> None:
        self.step("finish ")


@pytest.mark.parametrize(
    ("failing", "hooks"),
    [
        ("", b"setup handle finish "),
        ("setup ", b"setup "),
        ("handle ", b"setup handle finish "),
        ("finish ", b"setup handle finish "),
    ],
)
def test_finish_runs_whenever_setup_has_succeeded(
    strategy: str, failing: str, hooks: bytes
) -> None:
    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(Diary)) as server:
        answer = ask(server.address, failing.encode())
        (closed,) = recorder.wait_for(Closed)

    assert answer == hooks
    assert closed.outcome is (Outcome.FAILED if failing else Outcome.FINISHED)


def test_handler_that_cannot_be_made_fails_its_request_alone(strategy: str) -> None:
    class Unmade(BaseHandler[socket.socket]):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            raise ValueError("not today")

    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(Unmade)) as server:
        assert ask(server.address, b"") == b""
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.FAILED


def test_what_a_handler_function_returns_by_chance_is_not_run() -> None:
    class Lookalike:
        def setup(self) -> None:
            raise AssertionError("was run")

        handle = finish = setup

    with serving(tcp().handler(lambda *_: Lookalike())) as server:
        ask(server.address, b"")
        server.drain()

    assert server.stats.finished == 1


class Impatient(StreamHandler):
    timeout = 0.01

    def handle(self) -> None:
        self.wfile.write(b"waiting")
        self.rfile.read(1)


def test_timeout_of_a_handler_class_ends_the_request_as_timed_out(
    strategy: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A forked child holds a copy of our socket, too, so it would wait in vain for us to leave.
    monkeypatch.setattr("acceptor.transports.stream.LINGER_SECONDS", 0.01)
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(recorder)
    with serving(stage.handler(Impatient)) as server, connect(server.address) as client:
        answer = read_all(client)
        (closed,) = recorder.wait_for(Closed)
        server.drain()

    assert answer == b"waiting"
    assert closed.outcome is Outcome.TIMED_OUT
    assert server.stats.timed_out == 1
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("error", [ValueError("oh no"), SystemExit(1), GeneratorExit()])
def test_policy_that_raises_denies_and_is_logged_and_the_next_client_is_served(
    strategy: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    judged = [error, None]

    def judge(peer: object) -> bool:
        verdict = judged.pop(0)
        if verdict is not None:
            raise verdict
        return True

    with serving(getattr(tcp(), strategy)().access(judge).handler(greet)) as server:
        assert ask(server.address, b"") == b""
        assert ask(server.address, b"") == b"hello"
        server.drain()

    assert (server.stats.refused, server.stats.accepted) == (1, 1)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info
    assert record.exc_info[1] is error


def test_policy_that_fails_to_hear_of_a_denial_is_logged_and_the_next_client_is_served(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    error, verdicts = ValueError("oh no"), [False, True]

    def fail() -> None:
        raise error

    stage = getattr(tcp(), strategy)().access(Remembers(on_leave=fail))
    with serving(stage.access(lambda peer: verdicts.pop(0)).handler(greet)) as server:
        assert ask(server.address, b"") == b""
        assert ask(server.address, b"") == b"hello"
        server.drain()

    assert (server.stats.refused, server.stats.accepted) == (1, 1)
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.exc_info and record.exc_info[1] for record in logged] == [error, error]
