"""Drain and stop: the door first, then patience, then the axe, and a report."""

import pytest

from acceptor import (
    Closed,
    DrainReport,
    Outcome,
    Phase,
    ServerBuilder,
    StopCause,
    Stopped,
)
from tests.fakes import (
    Call,
    drain_meanwhile,
    greet,
    held,
    hold,
    in_phase,
    let_go,
    tcp,
)
from tests.support import Recorder, ask, connect, read_all, serving, wait_until


@pytest.fixture(params=["sync", "threaded", "pooled", "forked"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_drain_closes_the_port_at_once_while_a_request_runs(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        with held(server.address) as client:
            drain = drain_meanwhile(server)

            assert server.fileno() == -1
            assert in_phase(server, Phase.DRAINING)
            assert let_go(client) == b"?"
        assert isinstance(drain.result(), DrainReport)
        assert in_phase(server, Phase.CLOSED)


def test_drain_counts_what_finished_after_it_began(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        let_go(held(server.address))
        wait_until(lambda: server.stats.finished == 1)
        with held(server.address) as client:
            drain = drain_meanwhile(server)
            let_go(client)

            report = drain.result()

    assert (report.finished, report.cut) == (1, 0)
    assert report.elapsed > 0
    assert server.stats.finished == 2


def test_drain_cuts_what_still_runs_at_the_deadline(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(recorder)
    with serving(stage.handler(hold)) as server, held(server.address) as client:
        report = server.drain(0.01)

        assert read_all(client) in (b"", b".")
    assert (report.finished, report.cut) == (0, 1)
    assert [closed.outcome for closed in recorder.wait_for(Closed)] == [Outcome.CUT]
    assert server.stats.cut == 1


def test_drain_tells_finished_and_cut_apart() -> None:
    with (
        serving(tcp().threaded().handler(hold)) as server,
        held(server.address) as patient,
        held(server.address),
    ):
        drain = drain_meanwhile(server)
        let_go(patient)
        wait_until(lambda: server.stats.finished == 1)

        stop = server.stop()

        report = drain.result()

    assert (report.finished, report.cut) == (1, 1)
    assert stop is report


@pytest.mark.parametrize("end", ["drain", "stop"])
def test_sync_handler_that_is_stuck_in_recv_is_cut_from_another_thread(end: str) -> None:
    server = tcp().handler(hold).build().listen()
    driver = Call(server.serve_forever)
    with held(server.address) as client:
        report = server.drain(0.01) if end == "drain" else server.stop()

        assert read_all(client) in (b"", b".")
    assert (report.finished, report.cut) == (0, 1)
    assert driver.result() is None
    assert in_phase(server, Phase.CLOSED)


def test_drain_of_a_new_server_closes_it() -> None:
    server = tcp().handler(greet).build()

    report = server.drain()

    assert report == DrainReport(
        finished=0, cut=0, refused=0, left_in_backlog=0, elapsed=0.0, cause=StopCause.DRAIN
    )
    assert in_phase(server, Phase.CLOSED)


def test_drain_of_a_listening_server_refuses_who_waits_at_the_port() -> None:
    server = tcp().handler(greet).build().listen()
    with connect(server.address) as waiting:
        report = server.drain()

        with pytest.raises(ConnectionResetError):
            waiting.recv(1)
    assert (report.finished, report.cut) == (0, 0)


def test_drain_and_stop_of_a_closed_server_return_the_same_report_once_more() -> None:
    recorder = Recorder()
    server = tcp().observe(recorder).handler(greet).build().start()
    ask(server.address, b"")

    reports = [server.drain(), server.drain(), server.stop(), server.drain(0), server.drain(None)]

    assert all(report is reports[0] for report in reports)
    assert len(recorder.of(Stopped)) == 1


def test_second_drain_with_a_shorter_timeout_wins_and_both_get_the_report(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        with held(server.address):
            patient = drain_meanwhile(server)

            report = server.drain(0.01)

        assert patient.result() is report
    assert report.cut == 1


def test_second_drain_with_a_longer_timeout_waits_for_the_first(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        with held(server.address):
            short = drain_meanwhile(server, 0.5)

            report = server.drain(None)

        assert short.result() is report
    assert report.cut == 1


def test_stop_during_a_drain_ends_it(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        with held(server.address):
            drain = drain_meanwhile(server)

            report = server.stop()

        assert drain.result() is report
    assert report.cut == 1


def test_hurry_ends_a_drain_and_only_asks(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server, held(server.address):
        drain = drain_meanwhile(server)

        server.hurry()

        assert drain.result().cut == 1


def test_many_drains_at_once_get_one_report() -> None:
    with serving(tcp().threaded().handler(greet)) as server:
        ask(server.address, b"")

        calls = [Call(server.drain) for _ in range(8)]
        reports = [call.result() for call in calls]

    assert isinstance(reports[0], DrainReport)
    assert all(report is reports[0] for report in reports)


def test_drain_ends_a_loop_that_has_only_just_started() -> None:
    for _ in range(200):
        server = tcp().handler(greet).build().start()

        report = server.drain()

        assert (report.finished, report.cut) == (0, 0)


def test_stop_has_given_the_port_back_when_it_returns() -> None:
    port = 0
    for _ in range(100):
        ready = ServerBuilder().udp(("127.0.0.1", port)).handler(lambda *_: None)
        server = ready.build().start()
        port = int(server.address.port)

        server.stop()
