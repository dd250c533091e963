"""A drain that is itself interrupted or broken leaves nobody waiting for ever."""

import errno
import signal

import pytest

from acceptor import Closed, Draining, Event, Phase, ResourceError, ServerBuilder
from tests.fakes import (
    Call,
    FakeDispatcher,
    FakeIncoming,
    ScriptedListener,
    ScriptedTransport,
    held,
    hold,
    in_phase,
    let_go,
    scripted,
    tcp,
)
from tests.programs import program
from tests.support import Recorder, serving, wait_until


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
@pytest.mark.parametrize("end", ["stop", "drain"])
def test_ctrl_c_during_a_drain_leaves_a_server_that_can_be_stopped(strategy: str, end: str) -> None:
    with program(
        f"""
        warnings.simplefilter("ignore")

        def observe(event):
            if isinstance(event, Draining):
                say("draining")

        server = tcp().{strategy}().observe(observe).handler(hold).build().start()
        client = socket.create_connection(server.address)
        client.recv(1)
        try:
            server.drain(None)
        except KeyboardInterrupt:
            say("interrupted")
        client.shutdown(socket.SHUT_WR)
        report = server.{end}()
        say("closed", server.phase.value, server.{end}() is report)
        """
    ) as it:
        it.hear("draining")

        it.signal(signal.SIGINT)

        it.hear("interrupted")
        assert it.hear("closed") == ["closed", "True"]
        assert it.end() == (0, "")


@pytest.mark.parametrize("error", [TypeError("it broke"), OSError(errno.EBADF, "it broke")])
def test_strategy_that_breaks_during_a_drain_ends_it_with_the_cause(error: Exception) -> None:
    client = FakeIncoming()
    _, stage = scripted(client)
    refusal = ResourceError(errno.EAGAIN, "no more")
    dispatcher = FakeDispatcher(errors=[refusal, error])
    server = stage.concurrency(dispatcher).handler(lambda *_: None).build()
    server.handle_request()

    drain = Call(lambda: server.drain(None))

    assert drain.result() is error
    assert Call(server.stop).result() is not None
    assert in_phase(server, Phase.CLOSED)
    assert client.history == ["closed"]
    wait_until(lambda: "closed" in dispatcher.history)


def test_report_counts_from_the_first_of_two_drains_when_ctrl_c_ended_that() -> None:
    recorder, drains = Recorder(), list[Event]()

    def press(event: Event) -> None:
        if isinstance(event, Draining):
            drains.append(event)
            if len(drains) == 1:
                let_go(finishes)
                recorder.wait_for(Closed)
                raise KeyboardInterrupt

    stage = tcp().threaded().observe(recorder).observe(press).handler(hold)
    with serving(stage) as server, held(server.address) as finishes, held(server.address):
        with pytest.raises(KeyboardInterrupt):
            server.drain(None)

        report = server.stop()

    assert (report.finished, report.cut) == (1, 1)


def test_port_is_closed_by_the_next_drain_when_ctrl_c_came_before_that() -> None:
    class Interrupted(ScriptedListener):
        def retire(self) -> int | None:
            if not presses:
                presses.append(None)
                raise KeyboardInterrupt
            return super().retire()

    presses = list[None]()
    listener = Interrupted([FakeIncoming()])
    stage = ServerBuilder().transport(ScriptedTransport(listener))
    server = stage.handler(lambda *_: None).build().listen()
    with pytest.raises(KeyboardInterrupt):
        server.drain()

    report = server.drain()

    assert listener.history == ["retired", "closed"]
    assert report.left_in_backlog == 1
