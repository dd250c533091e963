"""What breaks a loop ends its server, and reaches whoever waits."""

import errno
import threading

import attrs
import pytest

from acceptor import Phase, ServerBuilder, Stopped, run
from acceptor.core import drain
from tests.fakes import (
    Call,
    FakeDispatcher,
    FakeIncoming,
    ScriptedListener,
    ScriptedTransport,
    attempt,
    in_phase,
    scripted,
)
from tests.support import PATIENCE, Recorder, wait_until

BREAKS = [
    OSError(errno.EBADF, "it broke"),
    OSError(errno.EINVAL, "it broke"),
    TypeError("it broke"),
]


@pytest.mark.parametrize("error", BREAKS, ids=repr)
def test_serve_forever_raises_what_broke_the_listener_and_has_closed(error: Exception) -> None:
    listener, stage = scripted(error)
    server = stage.handler(lambda *_: None).build()

    with pytest.raises(type(error)) as caught:
        server.serve_forever()

    assert caught.value is error
    assert server.phase is Phase.CLOSED
    assert listener.history[-1] == "closed"


@pytest.mark.parametrize("error", BREAKS, ids=repr)
@pytest.mark.parametrize("call", ["wait", "drain"])
def test_error_that_ends_a_started_loop_is_raised_to_whoever_waits(
    call: str, error: Exception
) -> None:
    listener, stage = scripted(error)
    server = stage.handler(lambda *_: None).build().start()
    wait_until(lambda: listener.accepts)

    with pytest.raises(type(error)) as caught:
        getattr(server, call)()

    wait_until(lambda: in_phase(server, Phase.CLOSED))
    assert caught.value is error
    assert listener.history[-1] == "closed"


def test_error_that_ends_a_started_loop_is_raised_at_the_end_of_the_block() -> None:
    listener, stage = scripted(TypeError("it broke"))

    server = stage.handler(lambda *_: None).build()

    def leave() -> None:
        with server:
            server.start()
            wait_until(lambda: listener.accepts)

    with pytest.raises(TypeError, match="it broke"):
        leave()

    assert in_phase(server, Phase.CLOSED)


def test_error_that_ends_a_started_loop_is_logged_when_nobody_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, stage = scripted(TypeError("it broke"))
    server = stage.handler(lambda *_: None).build().start()

    wait_until(lambda: in_phase(server, Phase.CLOSED))
    server.stop()

    assert "it broke" in caplog.text


class BreaksOff(ScriptedListener):
    """A listener at which the thread that accepts is broken off."""

    def accept(self) -> None:
        raise SystemExit("from outside")


def test_thread_that_is_broken_off_in_the_background_leaves_no_port_that_nobody_serves() -> None:
    transport = ScriptedTransport(BreaksOff([FakeIncoming()]))
    server = ServerBuilder().transport(transport).handler(lambda *_: None).build().start()
    wait_until(lambda: in_phase(server, Phase.CLOSED))

    with pytest.raises(SystemExit, match="from outside"):
        server.wait()


def test_run_ends_all_servers_when_a_thread_that_serves_one_is_broken_off() -> None:
    broken, sound = (ScriptedTransport(listener([])) for listener in (BreaksOff, ScriptedListener))
    broken.listener.add(FakeIncoming())
    stages = (ServerBuilder().transport(transport) for transport in (broken, sound))

    with pytest.raises(SystemExit, match="from outside"):
        run(*(stage.handler(lambda *_: None).build() for stage in stages))

    assert sound.listener.history[-1] == broken.listener.history[-1] == "closed"


@attrs.define(eq=False)
class BreaksAtTheEnd(FakeDispatcher):
    """A dispatcher that cannot be closed."""

    def close(self) -> None:
        super().close()
        raise ValueError("it broke")


@pytest.mark.parametrize("driver", ["closer", "server"])
def test_strategy_that_cannot_be_closed_leaves_a_closed_server(driver: str) -> None:
    listener, stage = scripted(*([TypeError("first")] if driver == "server" else []))
    recorder = Recorder()
    stage = stage.concurrency(BreaksAtTheEnd()).observe(recorder)
    server = stage.handler(lambda *_: None).build().listen()

    raised = attempt(server.serve_forever if driver == "server" else server.drain)
    reports = [attempt(server.drain), Call(server.drain).result()]

    assert str(raised) == "it broke"
    assert in_phase(server, Phase.CLOSED)
    assert listener.history[-1] == "closed"
    assert [stopped.report for stopped in recorder.of(Stopped)] == reports[:1]
    assert reports[0] is reports[1]


def test_thread_that_cannot_close_what_it_has_served_is_waited_for_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drain, "LEAVE_PATIENCE", 0.0)
    listener, stage = scripted(FakeIncoming())
    inside, go_on = threading.Event(), threading.Event()

    def linger(peer: object) -> bool:
        inside.set()
        return go_on.wait(PATIENCE)

    stage = stage.concurrency(BreaksAtTheEnd()).access(linger)
    server = stage.handler(lambda *_: None).build()
    serving = Call(server.serve_forever)
    inside.wait(PATIENCE)
    server.stop()  # it gives up on the thread

    go_on.set()

    assert str(serving.result()) == "it broke"
    assert server.wait(PATIENCE)
    assert listener.history[-1] == "closed"
