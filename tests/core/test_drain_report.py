"""What a drain reports is what its events and its clients say."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Closed,
    DrainReport,
    Phase,
    Server,
    StopCause,
    Stopped,
)
from acceptor.core.admission import Admission
from tests.core.kit import STRATEGIES, WORKERS, begin_drain, crowd, leave, since_draining, stage_of
from tests.fakes import greet, held, hold, let_go, scripted, tcp
from tests.programs import program
from tests.support import Recorder, serving

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
each_with_workers = pytest.mark.parametrize("strategy", WORKERS)
ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def vary(request: Any, client_address: object, server: Server[Any, Any]) -> None:
    """Hold on, and fail if the client says so."""
    request.sendall(b"!")
    if request.recv(1) == b"f":
        raise ValueError
    request.sendall(b"?")


@each_with_workers
@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_report_counts_what_the_events_tell(transport: str, strategy: str, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder)
    with serving(stage.handler(vary)) as server:
        let_go(held(server.address))
        recorder.wait_for(Closed)  # before the drain, so none of its business
        with crowd(server.address, 7) as clients:
            for client in clients:
                assert client.recv(1) == b"!"
            drain = begin_drain(server, recorder)
            for client, answer in zip(clients[:4], b"??ff", strict=True):
                client.sendall(bytes([answer]))
                client.recv(1)
                leave(client)  # the server waits for that
            recorder.wait_for(Closed, 5)

            server.hurry()

            report = drain.result()
            recorder.wait_for(Closed, 8)  # one that is slow to notice is told of afterwards

    assert (report.finished, report.cut) == (4, 3) == since_draining(recorder)
    assert report.refused == 0
    assert report.cause is StopCause.DRAIN
    assert recorder.of(Stopped) == [Stopped(report=report)]
    stats = server.stats
    assert (stats.finished, stats.failed, stats.cut, stats.active) == (3, 2, 3, 0)


@ONLY_LINUX
@each_strategy
def test_report_says_how_many_were_left_in_the_backlog(strategy: str) -> None:
    stage = getattr(tcp(), strategy)().limits(max_connections=1)
    with serving(stage.handler(hold)) as server, held(server.address), crowd(server.address, 3):
        report = server.drain(0.01)

    assert (report.cut, report.left_in_backlog) == (1, 3)
    assert server.stats.accepted == 1


@ONLY_LINUX
def test_clients_of_a_server_that_only_listened_were_left_in_the_backlog() -> None:
    server = tcp().handler(greet).build().listen()
    with crowd(server.address, 3):
        report = server.drain()

    assert (report.finished, report.cut, report.left_in_backlog) == (0, 0, 3)


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream", "unix_datagram"])
def test_nobody_is_left_where_nobody_came(transport: str, tmp_path: Path) -> None:
    with serving(stage_of(transport, "threaded", tmp_path).handler(lambda *_: None)) as server:
        report = server.drain()

    assert report.left_in_backlog in (0, None)
    assert (report.finished, report.cut, report.refused) == (0, 0, 0)


@each_strategy
def test_request_that_fails_in_the_drain_has_finished(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "acceptor")
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(recorder)
    with serving(stage.handler(vary)) as server, crowd(server.address, 1) as [client]:
        assert client.recv(1) == b"!"
        drain = begin_drain(server, recorder)
        client.sendall(b"f")
        assert client.recv(1) == b""
        leave(client)
        report = drain.result()

    assert (report.finished, report.cut) == (1, 0) == since_draining(recorder)
    assert server.stats.failed == 1


def test_cause_is_the_call_that_came_first() -> None:
    drained, stopped = (tcp().handler(greet).build().start() for _ in range(2))

    assert (drained.drain().cause, drained.stop().cause) == (StopCause.DRAIN, StopCause.DRAIN)
    assert (stopped.stop().cause, stopped.drain().cause) == (StopCause.STOP, StopCause.STOP)


def test_cause_is_the_end_of_the_block() -> None:
    recorder = Recorder()
    with tcp().observe(recorder).handler(greet).build() as server:
        server.start()

    assert recorder.of(Stopped)[0].report.cause is StopCause.BLOCK_ENDED


def test_cause_is_that_the_block_raised() -> None:
    recorder = Recorder()

    def fail() -> None:
        with tcp().observe(recorder).handler(greet).build() as server:
            server.start()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert recorder.of(Stopped)[0].report.cause is StopCause.BLOCK_RAISED


def test_cause_is_the_listener_that_broke(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    _, stage = scripted(TypeError("broken"))
    server = stage.observe(recorder).handler(lambda *_: None).build()
    with pytest.raises(TypeError, match="broken"):
        server.serve_forever()

    [stopped] = recorder.wait_for(Stopped)
    assert stopped.report.cause is StopCause.BROKEN
    assert server.stop() is stopped.report


@each_strategy
def test_cause_is_the_signal(strategy: str) -> None:
    source = f"""
        server = tcp().{strategy}().handler(hold).build()
        [report] = run(server, on_ready=lambda: say("port", server.address.port))
        say("cause", report.cause.name)
    """
    with program(source) as it:
        it.address()
        it.signal(15)

        assert it.hear("cause") == ["SIGNAL"]


def test_report_of_a_server_that_never_listened_is_all_zero() -> None:
    report = tcp().handler(greet).build().drain()

    assert report == DrainReport(
        finished=0,
        cut=0,
        refused=0,
        left_in_backlog=report.left_in_backlog,
        elapsed=report.elapsed,
        cause=StopCause.DRAIN,
    )
    assert report.left_in_backlog in (0, None)


def test_report_begins_to_count_before_it_can_be_seen_that_the_server_drains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[bool, Phase]] = []
    tally = Admission.tally

    def look(admission: Admission) -> tuple[int, int]:
        seen.append((server.is_draining, server.phase))
        return tally(admission)

    monkeypatch.setattr(Admission, "tally", look)
    server = tcp().sync().handler(greet).build().listen()
    server.drain()

    assert seen[0] == (False, Phase.LISTENING)
