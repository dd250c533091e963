"""Who waits for a busy server is not idle: what has come in time is served, and answered whole."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from acceptor import Closed, MessageServed, Outcome, Started
from acceptor.testing import FakeClock, serve
from tests.framed.held_kit import (
    EVERY,
    THREADS,
    Gate,
    Handed,
    ask,
    framed,
    held,
    is_at_end,
    read_line,
    upper,
)
from tests.support import PATIENCE, Recorder, connect, serving, wait_until

ONE_WORKER: Final[dict[str, Callable[[Any], Any]]] = {
    "threaded": lambda stage: stage.threaded(1),
    "pooled": lambda stage: stage.pooled(1),
    "handed": lambda stage: stage.concurrency(Handed(1)),
}


def with_one_worker(strategy: str, gate: Gate, **timeouts: float) -> Any:
    """Begin a server that serves one message at a time."""
    return ONE_WORKER[strategy](framed(strategy)).timeouts(**timeouts).handler(gate)


@pytest.mark.parametrize("strategy", THREADS)
@pytest.mark.parametrize("is_first", [True, False])
def test_message_that_waits_for_a_worker_is_served_however_long(
    strategy: str, is_first: bool
) -> None:
    clock, gate = FakeClock(), Gate()
    stage = with_one_worker(strategy, gate, idle=10.0, first_data=10.0)
    with (
        serve(stage, clock=clock) as run,
        held(run.server) as busy,
        connect(run.address) as waiting,
        connect(run.address) as silent,
    ):
        run.events.wait_for(Started, 3)
        if not is_first:
            assert ask(waiting, b"hello") == ask(silent, b"hello") == b"HELLO"
        busy.sendall(b"wait\n")
        gate.wait_for_begin()
        waiting.sendall(b"mine\n")

        def somebody_has_ended() -> bool:
            clock.advance(0.5)
            return bool(run.events.of(Closed))

        wait_until(somebody_has_ended)
        clock.advance(30.0)
        assert is_at_end(silent)
        gate.let_go()

        assert read_line(waiting) == b"MINE"
        assert [closed.id for closed in run.events.of(Closed)] == [3]


@pytest.mark.parametrize("strategy", THREADS)
def test_message_that_waits_for_a_worker_ends_in_time_with_its_connection(strategy: str) -> None:
    clock, gate = FakeClock(), Gate()
    stage = with_one_worker(strategy, gate, connection=10.0)
    with serve(stage, clock=clock) as run, held(run.server) as busy, held(run.server) as waiting:
        busy.sendall(b"wait\n")
        gate.wait_for_begin()
        waiting.sendall(b"mine\n")

        clock.advance(10.0)

        assert is_at_end(waiting)
        assert [closed.outcome for closed in run.events.wait_for(Closed)] == [Outcome.TIMED_OUT]
        gate.let_go()


@pytest.mark.parametrize("strategy", EVERY)
def test_message_that_came_while_nobody_drove_the_server_is_served(strategy: str) -> None:
    clock, recorder = FakeClock(), Recorder()
    stage = framed(strategy).timeouts(idle=10.0).clock(clock).handler(upper).observe(recorder)
    with serving(stage) as server, held(server) as client:
        recorder.wait_for(MessageServed)
        server.shutdown()
        assert server.wait(PATIENCE)
        client.sendall(b"meanwhile\n")
        clock.advance(20.0)

        server.start()

        assert read_line(client) == b"MEANWHILE"
