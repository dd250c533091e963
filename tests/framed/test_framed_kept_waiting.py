"""Who waits for a busy server is not idle: what has come in time is served, and answered whole."""

import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

from acceptor import Closed, Message, MessageServed, Outcome, Started
from acceptor.testing import FakeClock, serve
from tests.framed.held_kit import (
    EVERY,
    THREADS,
    Gate,
    Handed,
    ask,
    framed,
    handler_of,
    held,
    is_at_end,
    read_line,
    upper,
)
from tests.support import PATIENCE, Recorder, connect, read_all, serving, wait_until

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


def test_client_that_was_cut_while_it_waits_for_a_worker_is_not_kept() -> None:
    clock, gate = FakeClock(), Gate()
    stage = with_one_worker("handed", gate, idle=10.0)
    with serve(stage, clock=clock) as run, held(run.server) as busy, held(run.server) as waiting:
        busy.sendall(b"wait\n")
        gate.wait_for_begin()
        waiting.sendall(b"mine\n")
        wait_until(lambda: run.server.connections()[1].received == len(b"hello\nmine\n"))
        assert run.server.close_connection(2)

        clock.advance(11.0)

        assert is_at_end(waiting)
        assert [closed.id for closed in run.events.wait_for(Closed)] == [2]
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


def test_client_whose_turn_took_longer_than_idle_may_send_more() -> None:
    clock = FakeClock()

    def take_long(message: Message[Any]) -> None:
        if message.payload == b"long":
            clock.advance(5.0)
        message.reply(message.payload)

    stage = framed("sync").timeouts(idle=2.0).handler(handler_of(take_long))
    with serve(stage, clock=clock) as run, connect(run.address) as client:
        client.sendall(b"x\n" * 70 + b"long\n")  # more than are served in one turn
        assert [read_line(client) for _ in range(71)] == [b"x"] * 70 + [b"long"]
        clock.advance(1.9)

        assert ask(client, b"y") == b"y"


@pytest.mark.parametrize("strategy", ["sync", *THREADS])
@pytest.mark.parametrize("is_observed", [True, False])
def test_last_reply_is_read_whole_however_long_its_handler_took(
    strategy: str, is_observed: bool
) -> None:
    clock, kept = FakeClock(), list[Any]()
    begun, more_has_come = threading.Event(), threading.Event()

    def take_long(message: Message[Any]) -> None:
        kept.append(message)
        clock.advance(3.0)
        begun.set()
        assert more_has_come.wait(PATIENCE)
        message.reply(b"x" * 200_000)
        message.close()

    stage = framed(strategy).clock(clock).handler(handler_of(take_long))
    if is_observed:
        stage = stage.observe(Recorder())
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"one\n")
        assert begun.wait(PATIENCE)
        client.sendall(b"two\n")  # to close now would reset the connection, and lose the reply
        more_has_come.set()
        connection = kept[0]._connection
        wait_until(lambda: connection.lingers or connection.is_over)

        assert len(read_all(client)) == 200_001
