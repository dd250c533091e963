"""What a drain does with jobs that end late, never, or never began."""

import errno
import socket
import threading

from acceptor import (
    Closed,
    Draining,
    Listening,
    Outcome,
    Phase,
    ResourceError,
    Stopped,
)
from tests.fakes import (
    Call,
    FakeDispatcher,
    FakeIncoming,
    drain_meanwhile,
    held,
    hold,
    in_phase,
    scripted,
    tcp,
)
from tests.support import Recorder, serving, wait_until


def test_drain_closes_the_listener_once_its_requests_have_ended() -> None:
    dispatcher = FakeDispatcher()
    client = FakeIncoming()
    listener, stage = scripted(client)
    server = stage.concurrency(dispatcher).handler(lambda *_: None).build()
    server.handle_request()

    drain = Call(lambda: server.drain(None))
    wait_until(lambda: in_phase(server, Phase.DRAINING))
    dispatcher.end_all()
    report = drain.result()

    assert (report.finished, report.cut) == (1, 0)
    assert client.history == ["closed"]
    assert listener.history == ["retired", "closed"]
    assert dispatcher.history[-1] == "closed"


def test_drain_gives_up_on_a_job_that_nothing_can_end() -> None:
    dispatcher = FakeDispatcher()
    client = FakeIncoming()
    _, stage = scripted(client)
    server = stage.concurrency(dispatcher).handler(lambda *_: None).build()
    server.handle_request()

    report = server.drain(0)

    assert (report.finished, report.cut) == (0, 1)
    assert client.history == ["cut"]
    assert in_phase(server, Phase.CLOSED)
    assert server.stats.active == 1


def test_drain_cuts_a_client_for_whom_there_never_was_a_worker() -> None:
    recorder = Recorder()
    client = FakeIncoming()
    _, stage = scripted(client)
    refusing = FakeDispatcher(errors=[ResourceError(errno.EAGAIN, "no more")] * 1000)
    server = stage.concurrency(refusing).observe(recorder).handler(lambda *_: None).build()
    server.handle_request()

    report = server.drain(0)

    assert (report.finished, report.cut) == (0, 1)
    assert client.history == ["closed"]
    assert recorder.of(Closed)[0].outcome is Outcome.CUT
    assert server.stats.active == 0


def test_drain_serves_a_held_client_when_a_worker_is_there_in_time() -> None:
    served = threading.Event()
    client = FakeIncoming()
    _, stage = scripted(client)
    refusing = FakeDispatcher(errors=[ResourceError(errno.EAGAIN, "no more")])
    server = stage.concurrency(refusing).handler(lambda *_: served.set()).build()
    server.handle_request()

    drain = Call(lambda: server.drain(None))
    wait_until(lambda: refusing.jobs)
    refusing.end_all()

    assert drain.result().finished == 1
    assert served.is_set()


def test_drain_tells_its_events_in_order_with_what_runs_and_the_timeout() -> None:
    recorder = Recorder()
    stage = tcp().threaded().observe(recorder)
    with serving(stage.handler(hold)) as server, held(server.address) as client:
        drain = drain_meanwhile(server, 15.0)
        recorder.wait_for(Draining)
        client.shutdown(socket.SHUT_WR)
        report = drain.result()

    kinds = [type(event) for event in recorder.events]
    assert kinds[0] is Listening
    assert kinds.index(Draining) < kinds.index(Closed)
    assert recorder.of(Draining) == [Draining(running=1, timeout=15.0)]
    assert recorder.events[-1] == Stopped(report=report)
