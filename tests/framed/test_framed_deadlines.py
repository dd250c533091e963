"""The deadlines of held connections, on a clock that stands still unless it is moved."""

import socket
from typing import Any

import pytest

from acceptor import (
    Closed,
    HandshakeFailed,
    Outcome,
    RequestState,
    ServerBuilder,
    Started,
    lines,
)
from acceptor.testing import FakeClock, serve
from tests.framed.held_kit import (
    EVERY,
    STRATEGIES,
    THREADS,
    Gate,
    ask,
    framed,
    handler_of,
    held,
    is_at_end,
    upper,
)
from tests.support import connect, wait_until
from tests.tls_files import pki


def outcome_in_the_end(run: Any, clock: FakeClock) -> Outcome:
    """Let time pass until a connection has ended; return how.

    Bit by bit: a server may still be busy with the last byte when its client sees the answer.
    """

    def has_ended() -> bool:
        clock.advance(0.5)
        return bool(run.events.of(Closed))

    wait_until(has_ended)
    outcome: Outcome = run.events.of(Closed)[0].outcome
    return outcome


@pytest.mark.parametrize("strategy", EVERY)
def test_connection_that_sends_nothing_is_closed_after_first_data(strategy: str) -> None:
    clock = FakeClock()
    stage = framed(strategy).timeouts(first_data=30.0).handler(upper)
    with serve(stage, clock=clock) as run, connect(run.address) as client:
        run.events.wait_for(Started)
        clock.advance(29.9)
        assert not run.events.of(Closed)

        assert outcome_in_the_end(run, clock) is Outcome.TIMED_OUT
        assert is_at_end(client)


@pytest.mark.parametrize("strategy", EVERY)
def test_connection_is_closed_when_it_was_idle_and_not_before(strategy: str) -> None:
    clock = FakeClock()
    stage = framed(strategy).timeouts(idle=10.0).handler(upper)
    with serve(stage, clock=clock) as run, held(run.server) as client:
        for _ in range(5):
            clock.advance(9.9)
            assert ask(client, b"x") == b"X"

        assert outcome_in_the_end(run, clock) is Outcome.TIMED_OUT
        assert clock() < 100.0
        assert is_at_end(client)


@pytest.mark.parametrize("strategy", EVERY)
def test_idle_is_kept_where_it_is_shorter_than_first_data(strategy: str) -> None:
    clock = FakeClock()
    stage = framed(strategy).timeouts(first_data=1000.0, idle=2.0).handler(upper)
    with serve(stage, clock=clock) as run, held(run.server) as client:
        assert outcome_in_the_end(run, clock) is Outcome.TIMED_OUT
        assert clock() < 900.0
        assert is_at_end(client)


@pytest.mark.parametrize("strategy", EVERY)
def test_connection_ends_in_time_however_lively_it_is(strategy: str) -> None:
    clock = FakeClock()
    stage = framed(strategy).timeouts(connection=10.0).handler(upper)
    with serve(stage, clock=clock) as run, held(run.server) as client:
        clock.advance(9.0)
        assert ask(client, b"x") == b"X"

        assert outcome_in_the_end(run, clock) is Outcome.TIMED_OUT
        assert is_at_end(client)


@pytest.mark.parametrize("strategy", THREADS)
def test_message_that_takes_longer_than_idle_is_not_cut_nor_its_connection(strategy: str) -> None:
    clock, gate = FakeClock(), Gate()
    stage = framed(strategy).timeouts(idle=2.0).handler(gate)
    with serve(stage, clock=clock) as run, held(run.server) as client, held(run.server) as other:
        client.sendall(b"wait\n")
        gate.wait_for_begin()
        clock.advance(5.0)
        assert outcome_in_the_end(run, clock) is Outcome.TIMED_OUT
        assert is_at_end(other)  # so the deadlines were looked at
        gate.let_go()
        assert client.recv(5) == b"WAIT\n"
        clock.advance(1.9)

        assert ask(client, b"x") == b"X"


def test_handler_on_the_loops_thread_may_take_longer_than_idle() -> None:
    clock = FakeClock()

    def take_long(message: Any) -> None:
        if message.payload == b"long":
            clock.advance(5.0)
        message.reply(message.payload.upper())

    stage = framed("sync").timeouts(idle=2.0).handler(handler_of(take_long))
    with serve(stage, clock=clock) as run, held(run.server) as client:
        answers = [ask(client, b"long")]
        clock.advance(1.9)

        answers.append(ask(client, b"x"))

        assert answers == [b"LONG", b"X"]


@pytest.mark.parametrize("strategy", THREADS)
def test_handler_is_cut_when_its_connection_has_lasted_too_long(strategy: str) -> None:
    clock, gate = FakeClock(), Gate()
    stage = framed(strategy).timeouts(connection=10.0).handler(gate)
    with serve(stage, clock=clock) as run, held(run.server) as client:
        client.sendall(b"wait\n")
        gate.wait_for_begin()

        clock.advance(10.0)

        assert is_at_end(client)
        gate.let_go()
        assert outcome_in_the_end(run, clock) is Outcome.TIMED_OUT


@pytest.mark.parametrize("strategy", EVERY)
def test_silent_tls_client_is_ended_after_handshake_and_holds_up_nobody(strategy: str) -> None:
    clock = FakeClock()
    stage: Any = (
        ServerBuilder()
        .tcp(("127.0.0.1", 0))
        .tls(pki().server.cert, pki().server.key)
        .framed(lines())
    )
    stage = STRATEGIES[strategy](stage).timeouts(handshake=3.0, first_data=100.0)
    with serve(stage.handler(upper), clock=clock) as run, connect(run.address) as silent:
        wait_until(
            lambda: [one.state for one in run.server.connections()] == [RequestState.HANDSHAKE]
        )
        with pki().connect(run.address) as other:
            answer = ask(other, b"x")

            clock.advance(3.0)

            assert is_at_end(silent)
            assert answer == b"X"
            assert ask(other, b"y") == b"Y"
        (failed,) = run.events.wait_for(HandshakeFailed)
        assert failed.reason.name == "TIMEOUT"


@pytest.mark.parametrize("strategy", EVERY)
def test_silent_client_behind_a_proxy_is_ended_after_handshake(strategy: str) -> None:
    clock = FakeClock()
    stage: Any = ServerBuilder().tcp(("127.0.0.1", 0)).proxy_protocol(trusted=["127.0.0.1"])
    stage = STRATEGIES[strategy](stage.framed(lines())).timeouts(handshake=3.0)
    with serve(stage.handler(upper), clock=clock) as run, connect(run.address) as silent:  # noqa: SIM117
        with connect(run.address) as other:
            other.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\n")
            answer = ask(other, b"x")
            silent.sendall(b"PROXY TC")
            wait_until(lambda: run.server.stats.accepted == 2)

            clock.advance(3.0)

            assert answer == b"X"
            assert is_at_end(silent)
            assert ask(other, b"y") == b"Y"


@pytest.mark.parametrize("strategy", ["sync", "handed", "forked"])
def test_client_that_never_reads_is_ended_after_write(strategy: str) -> None:
    clock = FakeClock()
    stage = framed(strategy).timeouts(write=4.0, idle=None, first_data=None)
    big = b"x" * 60000
    stage = stage.handler(handler_of(lambda message: message.reply(big)))
    with serve(stage, clock=clock) as run, connect(run.address) as stuck:
        fill(stuck)
        assert not run.events.of(Closed)

        assert outcome_in_the_end(run, clock) is Outcome.TIMED_OUT


@pytest.mark.parametrize("strategy", ["threaded", "pooled"])
def test_client_that_never_reads_is_ended_after_write_by_the_crew(strategy: str) -> None:
    test_client_that_never_reads_is_ended_after_write(strategy)


def fill(client: socket.socket) -> None:
    """Ask until the server reads no more."""
    client.setblocking(False)
    asked = 0
    while asked < 2**24:
        try:
            asked += client.send(b"q\n" * 1000)
        except BlockingIOError:
            break
    client.settimeout(30)
