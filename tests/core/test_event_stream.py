"""The story that events tell of each request, for each transport under each strategy."""

import logging
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Closed,
    Draining,
    Event,
    Listening,
    Outcome,
    RefusalReason,
    Refused,
    Server,
    Started,
    Stopped,
    access_log,
)
from tests.core.kit import DATAGRAMS, STRATEGIES, STREAMS, crowd, leave, sender, stage_of
from tests.fakes import greet, held, hold, tcp
from tests.support import Recorder, ask, connect, serving, wait_until

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def stories(recorder: Recorder) -> dict[int, list[type[Any]]]:
    """Return what was told of each request, by its id."""
    told: dict[int, list[type[Any]]] = defaultdict(list)
    for event in recorder.events:
        if isinstance(event, Accepted | Started | Closed):
            told[event.id].append(type(event))
    return told


def swap(request: Any, client_address: object, server: Server[Any, Any]) -> None:
    """Read three bytes and answer five."""
    request.recv(3)
    request.sendall(b"12345")


@each_strategy
@pytest.mark.parametrize("transport", STREAMS)
def test_each_stream_is_accepted_started_and_closed_once(
    transport: str, strategy: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder)
    with serving(stage.handler(swap)) as server:
        for _ in range(5):
            assert ask(server.address, b"abc") == b"12345"
        report = server.drain()

    assert stories(recorder) == {number: [Accepted, Started, Closed] for number in range(1, 6)}
    assert [(event.received, event.sent) for event in recorder.of(Closed)] == [(3, 5)] * 5
    assert {event.outcome for event in recorder.of(Closed)} == {Outcome.FINISHED}
    assert all(event.elapsed > 0 for event in recorder.of(Closed))
    whole = [type(event) for event in recorder.events]
    assert (whole[0], whole[-1]) == (Listening, Stopped)
    assert whole.count(Listening) == whole.count(Draining) == whole.count(Stopped) == 1
    assert recorder.of(Stopped)[0].report == report


@each_strategy
@pytest.mark.parametrize("transport", DATAGRAMS)
def test_each_datagram_is_accepted_started_and_closed_once(
    transport: str, strategy: str, tmp_path: Path
) -> None:
    def answer(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        request.reply(request.payload * 2)

    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder)
    with serving(stage.handler(answer)) as server, sender(server.address, tmp_path) as client:
        for _ in range(5):
            client.send(b"abc")
            assert client.recv(100) == b"abcabc"
        server.drain()

    assert stories(recorder) == {number: [Accepted, Started, Closed] for number in range(1, 6)}
    assert [(event.received, event.sent) for event in recorder.of(Closed)] == [(3, 6)] * 5


@each_strategy
@pytest.mark.parametrize("transport", STREAMS)
def test_ids_keep_requests_apart_that_run_side_by_side(
    transport: str, strategy: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder)
    with serving(stage.handler(hold)) as server, crowd(server.address, 20) as clients:
        for client in clients:
            client.sendall(b"?")
            assert [client.recv(1), client.recv(1)] == [b"!", b"?"]
            leave(client)
        recorder.wait_for(Closed, 20)

    assert stories(recorder) == {number: [Accepted, Started, Closed] for number in range(1, 21)}
    peers = {event.id: event.peer for event in recorder.of(Accepted)}
    assert {event.id: event.peer for event in recorder.of(Closed)} == peers


@each_strategy
def test_request_that_is_cut_is_told_of_once(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(recorder)
    with serving(stage.handler(hold)) as server, held(server.address):
        wait_until(lambda: server.connections()[0].sent == 1)

        server.drain(0)

        recorder.wait_for(Closed)
    assert stories(recorder) == {1: [Accepted, Started, Closed]}
    [closed] = recorder.of(Closed)
    assert (closed.outcome, closed.received, closed.sent) == (Outcome.CUT, 0, 1)


@each_strategy
def test_client_that_is_refused_has_no_id_and_no_end(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().access(never).observe(recorder)
    with serving(stage.handler(greet)) as server, connect(server.address) as client:
        assert client.recv(1) == b""
        server.drain()

    assert stories(recorder) == {}
    [refused] = recorder.of(Refused)
    assert refused.reason is RefusalReason.DENIED
    assert "never" in refused.detail
    assert refused.error is None


def never(peer: object) -> bool:
    return False


def test_policy_that_fails_is_told_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "acceptor")
    error = ValueError("oh no")

    def fail(peer: object) -> bool:
        raise error

    recorder = Recorder()
    with serving(tcp().access(fail).observe(recorder).handler(greet)) as server:
        with connect(server.address) as client:
            assert client.recv(1) == b""
        [refused] = recorder.wait_for(Refused)

    assert (refused.reason, refused.error) == (RefusalReason.POLICY_FAILED, error)


def test_pause_and_resume_are_told_without_a_cause() -> None:
    recorder = Recorder()
    with serving(tcp().observe(recorder).handler(greet)) as server:
        server.pause()
        server.resume()

    assert recorder.of(AcceptPaused) == [AcceptPaused(cause=None, delay=None)]
    [resumed] = recorder.of(AcceptResumed)
    assert (resumed.cause, resumed.attempts) == (None, 0)
    assert resumed.elapsed >= 0


@each_strategy
def test_observer_that_keeps_failing_is_told_nothing_any_more(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Event] = []

    def fail(event: Event) -> None:
        told.append(event)
        raise ValueError

    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(fail).observe(recorder)
    with serving(stage.handler(greet)) as server:
        for _ in range(10):
            assert ask(server.address, b"") == b"hello"
        recorder.wait_for(Closed, 10)

    assert 10 <= len(told) < 15  # more, where others are telling it something just then
    assert len(recorder.events) > 30
    disabled = [record for record in caplog.records if "10 times" in record.getMessage()]
    assert [record.levelno for record in disabled] == [logging.ERROR]


def test_observer_that_fails_now_and_then_is_told_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "acceptor")
    told: list[Event] = []

    def fail(event: Event) -> None:
        told.append(event)
        if len(told) % 10:
            raise ValueError

    recorder = Recorder()
    with serving(tcp().observe(fail).observe(recorder).handler(greet)) as server:
        for _ in range(15):
            ask(server.address, b"")
        server.drain()

    assert told == recorder.events


@each_strategy
def test_access_log_has_one_line_for_each_request(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with serving(getattr(tcp(), strategy)().observe(access_log).handler(swap)) as server:
        for _ in range(3):
            ask(server.address, b"abc")
        server.drain()

    lines = [record for record in caplog.records if record.name == "acceptor.access"]
    assert [record.levelno for record in lines] == [logging.INFO] * 3
    told = [record.getMessage() for record in lines]
    assert all(any(f" {number}," in words for words in told) for number in (1, 2, 3))
    for words in told:
        assert "127.0.0.1" in words
        assert "finished" in words
        assert "3 bytes" in words
        assert "5 sent" in words


def test_access_log_is_silent_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(tcp().handler(greet)) as server:
        ask(server.address, b"")
        server.drain()

    assert [record for record in caplog.records if record.name == "acceptor.access"] == []
