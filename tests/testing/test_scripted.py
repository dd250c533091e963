"""Listeners, dispatchers and policies that do what a test says."""

import errno
import select
from typing import Any

import pytest

from acceptor import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Closed,
    HandshakeFailed,
    Outcome,
    Refused,
    ResourceError,
    Server,
    ServerBuilder,
)
from acceptor.testing import (
    EventRecorder,
    FakeClock,
    FakeDispatcher,
    FakeIncoming,
    RaisingPolicy,
    ScriptedListener,
    ScriptedTransport,
    serve,
)
from tests.fakes import Call


def nothing(request: Any, client_address: Any, server: Server[Any, Any]) -> None:
    pass


def is_readable(listener: ScriptedListener) -> bool:
    return bool(select.select([listener.fileno()], [], [], 0)[0])


def test_listener_does_its_steps_in_order_and_then_nothing() -> None:
    client = FakeIncoming()
    listener = ScriptedListener.of([OSError(errno.EMFILE, "none left"), None, client])
    readable = [is_readable(listener)]

    with pytest.raises(OSError, match="none left"):
        listener.accept()
    taken = [listener.accept(), listener.accept(), listener.accept()]
    readable.append(is_readable(listener))
    listener.close()

    assert taken == [None, client, None]
    assert readable == [True, False]
    assert (listener.accepts, listener.history) == (4, ["closed"])


@pytest.mark.parametrize("error", [ConnectionAbortedError(), ConnectionResetError()])
def test_listener_returns_none_for_a_client_that_is_gone(error: OSError) -> None:
    listener = ScriptedListener.of([error])

    assert listener.accept() is None
    listener.close()


def test_listener_is_readable_again_when_steps_are_added() -> None:
    listener = ScriptedListener.of([])
    before = is_readable(listener)

    listener.add(FakeIncoming(), FakeIncoming())
    after = is_readable(listener), listener.waiting()
    listener.close()

    assert not before
    assert after == (True, 2)


def test_listener_takes_nobody_once_it_is_retired() -> None:
    listener = ScriptedListener.of([FakeIncoming(), None])

    left = listener.retire(), listener.retire()

    assert left == (1, 0)
    assert listener.fileno() == -1
    with pytest.raises(ConnectionRefusedError):
        listener.add(FakeIncoming())
    listener.close()


def test_server_goes_on_after_the_faults_of_a_script() -> None:
    fault = OSError(errno.EMFILE, "none left")
    transport = ScriptedTransport.of(
        fault, ConnectionAbortedError(), FakeIncoming(), FakeIncoming()
    )

    with serve(ServerBuilder().transport(transport).handler(nothing)) as serving:
        serving.events.wait_for(Closed, 2)
        kinds = [type(event) for event in serving.events.events]

    assert AcceptPaused in kinds
    assert AcceptResumed in kinds
    assert transport.listener.history[:1] == ["retired"]


def test_handshake_that_fails_is_told() -> None:
    client = FakeIncoming(fault=ConnectionResetError("reset"))
    transport = ScriptedTransport.of(client)

    with serve(ServerBuilder().transport(transport).handler(nothing)) as serving:
        [failed] = serving.events.wait_for(HandshakeFailed)

    assert failed.error is client.fault
    assert client.history == ["closed"]


def test_handshake_that_stalls_ends_when_the_clock_says_so() -> None:
    clock = FakeClock()
    transport = ScriptedTransport.of(FakeIncoming(stalls=True, clock=clock))
    stage = ServerBuilder().transport(transport).threaded().timeouts(handshake=7)

    with serve(stage.handler(nothing), clock=clock) as serving:
        clock.wait_for_waits(1)
        clock.advance(7)
        [closed] = serving.events.wait_for(Closed)

    assert (closed.outcome, closed.elapsed) == (Outcome.HANDSHAKE_FAILED, 7.0)


def test_handshake_that_stalls_ends_when_it_is_cut() -> None:
    client = FakeIncoming(stalls=True)
    transport = ScriptedTransport.of(client)

    with serve(ServerBuilder().transport(transport).threaded().handler(nothing)) as serving:
        serving.events.wait_for(Accepted)
        report = serving.server.stop()

    assert report.cut == 1
    assert client.history == ["cut", "closed"]


def test_dispatcher_keeps_jobs_until_it_is_told_to_run_them() -> None:
    dispatcher = FakeDispatcher()
    transport = ScriptedTransport.of(FakeIncoming(), FakeIncoming())
    recorder = EventRecorder()
    stage = ServerBuilder().transport(transport).concurrency(dispatcher).observe(recorder)
    server = stage.handler(nothing).build().start()

    recorder.wait_for(Accepted, 2)
    before = recorder.of(Closed)
    dispatcher.end_all()
    after = recorder.of(Closed)
    server.stop()

    assert before == []
    assert [event.outcome for event in after] == [Outcome.FINISHED] * 2
    assert dispatcher.history[-1] == "closed"


def test_dispatcher_raises_its_errors_one_for_each_job() -> None:
    dispatcher = FakeDispatcher(errors=[ResourceError(errno.EAGAIN, "no threads")], by_itself=True)
    transport = ScriptedTransport.of(FakeIncoming())
    stage = ServerBuilder().transport(transport).concurrency(dispatcher)

    with serve(stage.handler(nothing)) as serving:
        [paused] = serving.events.wait_for(AcceptPaused)
        serving.events.wait_for(Closed)

    assert isinstance(paused.cause, ResourceError)


def test_raising_policy_lets_nobody_in() -> None:
    policy = RaisingPolicy(ValueError("oh no"))
    transport = ScriptedTransport.of(FakeIncoming())
    stage = ServerBuilder().transport(transport).access(policy).handler(nothing)

    with serve(stage, may_fail=True) as serving:
        [refused] = serving.events.wait_for(Refused)

    assert refused.error is policy.error


def test_stalled_handshake_in_real_time_raises_at_its_deadline() -> None:
    client = FakeIncoming(stalls=True)
    server = ServerBuilder().transport(ScriptedTransport.of(client)).timeouts(handshake=0.01)
    recorder = EventRecorder()
    built = server.observe(recorder).handler(nothing).build()

    served = Call(lambda: built.handle_request(5)).result()
    built.stop()

    assert served is True
    [failed] = recorder.of(HandshakeFailed)
    assert isinstance(failed.error, TimeoutError)
