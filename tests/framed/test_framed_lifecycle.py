"""What becomes of held connections when their server pauses, drains, stops or goes on."""

import sys
import threading
from typing import Any

import pytest

from acceptor import (
    Accepted,
    Closed,
    Draining,
    DrainReport,
    Event,
    MessageServed,
    Outcome,
    Phase,
    RequestState,
    SelfWaitError,
    Started,
    lines,
)
from acceptor.testing import FakeClock, serve
from tests.fakes import Call, attempt, drain_meanwhile, in_phase
from tests.framed.held_kit import (
    EVERY,
    THREADS,
    Gate,
    ask,
    framed,
    handler_of,
    held,
    is_at_end,
    read_line,
    upper,
)
from tests.support import PATIENCE, Recorder, connect, read_all, serving, wait_until


@pytest.mark.parametrize("strategy", EVERY)
def test_drain_ends_connections_at_rest_at_once(strategy: str) -> None:
    recorder = Recorder()
    server = framed(strategy).handler(upper).observe(recorder).build().start()
    with held(server) as one, held(server) as other, connect(server.address) as fresh:
        recorder.wait_for(Started, 3)
        drain = drain_meanwhile(server)
        assert is_at_end(one)
        assert is_at_end(other)
        assert is_at_end(fresh)
        for client in (one, other, fresh):
            client.close()

        report: DrainReport = drain.result()

    assert (report.finished, report.cut) == (3, 0)
    assert {event.outcome for event in recorder.of(Closed)} == {Outcome.FINISHED}


@pytest.mark.parametrize("strategy", THREADS)
def test_drain_lets_a_message_in_work_finish_and_answers_what_came_with_it(strategy: str) -> None:
    gate = Gate()
    server = framed(strategy).handler(gate).build().start()
    with connect(server.address) as client:
        client.sendall(b"wait\nsecond\nthird\n")
        gate.wait_for_begin()
        drain = drain_meanwhile(server)
        wait_until(lambda: server.is_draining)
        gate.let_go()

        answers = read_all(client)
        client.close()

    report: DrainReport = drain.result()
    assert answers == b"WAIT\nSECOND\nTHIRD\n"
    assert (report.finished, report.cut) == (1, 0)


def test_drain_lets_a_message_in_a_child_finish() -> None:
    def wait(message: Any) -> None:
        message.reply(b"begun")
        if message.payload == b"wait":
            assert first.recv(1)
        message.reply(b"ended")

    first, second = socket_pair()
    server = framed("forked").handler(handler_of(wait)).build().start()
    with first, second, connect(server.address) as client:
        client.sendall(b"wait\nagain\n")
        assert read_line(client) == b"begun"
        drain = drain_meanwhile(server)
        second.sendall(b"!")

        answers = read_all(client)
        client.close()

    report: DrainReport = drain.result()
    assert answers == b"ended\nbegun\nended\n"
    assert (report.finished, report.cut) == (1, 0)


def socket_pair() -> Any:
    import socket

    one, other = socket.socketpair()
    one.settimeout(PATIENCE)
    return one, other


@pytest.mark.parametrize("strategy", EVERY)
def test_drain_answers_all_that_has_come_however_much(strategy: str) -> None:
    count = 2**15 if strategy != "forked" else 2**6
    server = framed(strategy).handler(upper).build().start()

    with connect(server.address) as client:
        server.pause()
        client.sendall(b"123456789012345\n" * count)  # more than is read at a time, and no rest
        server.resume()
        server.wait(0)
        sent = Call(lambda: read_all(client))
        wait_until(lambda: server.stats.messages > 0)
        drain = Call(lambda: server.drain(None))

        answers = sent.result()
        client.close()
        drain.result()

    assert answers.count(b"\n") == count


@pytest.mark.parametrize("strategy", EVERY)
def test_drain_answers_what_comes_at_the_moment_that_it_begins(strategy: str) -> None:
    recorder, gate = Recorder(), threading.Event()

    def be_busy(event: Event) -> None:
        if isinstance(event, Accepted) and event.id > 1:
            assert gate.wait(PATIENCE)  # so that the server hears of the drain first

    stage = framed(strategy).handler(upper).observe(recorder).observe(be_busy)
    server = stage.build().start()
    with held(server) as client:
        recorder.wait_for(MessageServed)
        with connect(server.address):
            recorder.wait_for(Accepted, 2)
            drain = Call(lambda: server.drain(None))
            recorder.wait_for(Draining)
            client.sendall(b"hello\n")
            gate.set()

            assert read_all(client) == b"HELLO\n"

    drain.result()


@pytest.mark.parametrize("strategy", EVERY)
def test_drain_gives_half_a_message_until_the_deadline(strategy: str) -> None:
    recorder = Recorder()
    server = framed(strategy).handler(upper).observe(recorder).build().start()
    with held(server) as client, held(server) as never:
        client.sendall(b"hel")
        never.sendall(b"hel")
        wait_until(lambda: sorted(it.received for it in server.connections()) == [9, 9])
        drain = drain_meanwhile(server)
        client.sendall(b"lo\n")
        assert read_all(client) == b"HELLO\n"
        client.close()
        recorder.wait_for(Closed)
        assert not drain.has_ended

        server.hurry()
        report: DrainReport = drain.result()

        assert is_at_end(never)
    assert (report.finished, report.cut) == (1, 1)


@pytest.mark.parametrize("strategy", EVERY)
def test_drain_by_the_servers_clock_cuts_what_is_half_sent(strategy: str) -> None:
    clock = FakeClock()
    server = framed(strategy).handler(upper).clock(clock).build().start()
    with held(server) as client:
        client.sendall(b"hel")
        wait_until(lambda: server.connections()[0].received == 9)
        drain = drain_meanwhile(server, 5.0)

        def has_ended() -> bool:
            clock.advance(5.0)
            return drain.has_ended

        wait_until(has_ended)
        report: DrainReport = drain.result()

        assert is_at_end(client)
    assert (report.finished, report.cut) == (0, 1)


@pytest.mark.parametrize("strategy", THREADS)
def test_stop_cuts_a_message_in_work(strategy: str) -> None:
    recorder, gate, accepted = Recorder(), Gate(), []

    def handle(message: Any, client_address: object, server: object) -> None:
        gate(message, client_address, server)
        accepted.append(message.reply(b"late"))

    server = framed(strategy).handler(handle).observe(recorder).build().start()
    with connect(server.address) as client:
        client.sendall(b"wait\n")
        gate.wait_for_begin()

        report = server.stop()

        assert is_at_end(client)
    gate.let_go()
    assert report.cut == 1
    assert recorder.wait_for(Closed)[0].outcome is Outcome.CUT
    wait_until(lambda: accepted == [False])


@pytest.mark.parametrize("strategy", EVERY)
def test_close_connection_ends_one_at_rest(strategy: str) -> None:
    recorder = Recorder()
    with (
        serving(framed(strategy).handler(upper).observe(recorder)) as server,
        held(server) as client,
        held(server) as other,
    ):
        wait_until(lambda: server.connections()[0].state is RequestState.RESTING)
        first = server.connections()[0]

        assert server.close_connection(first.id)

        assert is_at_end(client)
        assert ask(other, b"x") == b"X"
        assert not server.close_connection(first.id)
        (closed,) = recorder.wait_for(Closed)
        assert (closed.id, closed.outcome) == (first.id, Outcome.CUT)


@pytest.mark.parametrize("strategy", THREADS)
def test_connections_tell_which_one_is_handled_and_where(strategy: str) -> None:
    gate = Gate()
    with serving(framed(strategy).handler(gate)) as server, held(server) as client:  # noqa: SIM117
        with held(server) as other:
            client.sendall(b"wait\n")
            gate.wait_for_begin()

            busy, resting = server.connections()

            assert (busy.state, resting.state) == (RequestState.HANDLING, RequestState.RESTING)
            assert busy.worker is not None
            assert resting.worker is None
            gate.let_go()
            assert read_line(client) == b"WAIT"
            wait_until(lambda: server.connections()[0].state is RequestState.RESTING)
            assert ask(other, b"x") == b"X"


@pytest.mark.parametrize("strategy", THREADS)
def test_close_connection_cuts_a_message_in_work(strategy: str) -> None:
    gate, recorder = Gate(), Recorder()
    with (
        serving(framed(strategy).handler(gate).observe(recorder)) as server,
        connect(server.address) as client,
    ):
        client.sendall(b"wait\n")
        gate.wait_for_begin()

        assert server.close_connection(1)

        assert is_at_end(client)
        gate.let_go()
        assert recorder.wait_for(Closed)[0].outcome is Outcome.CUT


@pytest.mark.parametrize("strategy", EVERY)
def test_pause_leaves_held_connections_alone(strategy: str) -> None:
    with serving(framed(strategy).handler(upper)) as server, held(server) as client:
        server.pause()
        with connect(server.address) as waiting:
            waiting.sendall(b"x\n")
            assert ask(client, b"y") == b"Y"
            assert server.stats.accepted == 1
            server.resume()

            assert read_line(waiting) == b"X"


@pytest.mark.parametrize("strategy", EVERY)
def test_shutdown_keeps_connections_for_the_next_serving(strategy: str) -> None:
    server = framed(strategy).handler(upper).build().start()
    with held(server) as client:
        server.shutdown()
        assert server.wait(PATIENCE)
        assert in_phase(server, Phase.LISTENING)
        client.sendall(b"again\n")

        server.start()

        assert read_line(client) == b"AGAIN"
        client.close()
    server.drain()


@pytest.mark.parametrize("strategy", EVERY)
def test_shutdown_works_in_a_handler(strategy: str) -> None:
    def end(message: Any, client_address: object, server: Any) -> None:
        message.reply(b"bye")
        server.shutdown()

    server = framed(strategy).handler(end).build().start()
    with connect(server.address) as client:
        client.sendall(b"x\n")
        assert read_line(client) == b"bye"

        assert server.wait(PATIENCE)

    server.stop()


@pytest.mark.parametrize("strategy", EVERY)
def test_handler_cannot_wait_for_its_own_server(strategy: str) -> None:
    def drain(message: Any, client_address: object, server: Any) -> None:
        error = attempt(server.drain)
        message.reply(type(error).__name__.encode())

    with serving(framed(strategy).handler(drain)) as server, connect(server.address) as client:
        assert ask(client, b"x") == SelfWaitError.__name__.encode()


@pytest.mark.parametrize("strategy", EVERY)
def test_is_draining_is_seen_in_a_handler(strategy: str) -> None:
    def tell(message: Any, client_address: object, server: Any) -> None:
        message.reply(b"%d" % server.is_draining)

    server = framed(strategy).handler(tell).build().start()
    with connect(server.address) as client:
        before = ask(client, b"x")
        client.sendall(b"x")
        wait_until(lambda: server.connections()[0].received == 3)
        drain = drain_meanwhile(server)
        client.sendall(b"\n")

        assert (before, read_line(client)) == (b"0", b"1")
    drain.result()


@pytest.mark.parametrize("strategy", EVERY)
def test_lame_duck_goes_on_serving_whom_it_holds(strategy: str) -> None:
    server = framed(strategy).handler(upper).build().start()
    with held(server) as client:
        drain = Call(lambda: server.drain(None, lame_duck=3600.0))
        wait_until(lambda: server.is_draining)
        assert ask(client, b"x") == b"X"
        with held(server) as late:
            assert ask(late, b"y") == b"Y"

            server.hurry()

            assert is_at_end(late)
        assert is_at_end(client)
    drain.result()


@pytest.mark.parametrize("strategy", EVERY)
def test_handle_request_serves_a_message(strategy: str) -> None:
    recorder = Recorder()
    with (
        framed(strategy).handler(upper).observe(recorder).build() as server,
        connect(server.address) as client,
    ):
        client.sendall(b"first\n")

        first = server.handle_request(timeout=PATIENCE)
        if strategy not in ("forked", "handed"):
            recorder.wait_for(MessageServed)
        none = server.handle_request(timeout=0.01)
        client.sendall(b"second\n")
        second = server.handle_request(timeout=PATIENCE)
        while len(recorder.of(MessageServed)) < 2:  # what a child replies comes by here
            server.handle_request(timeout=0.01)

        assert (first, none, second) == (True, False, True)
        assert read_line(client) == b"FIRST"
        assert read_line(client) == b"SECOND"
        client.close()


@pytest.mark.parametrize("strategy", ["threaded", "pooled"])
@pytest.mark.skipif(sys.platform != "linux", reason="messages wait for the next call there")
def test_handle_request_finds_what_was_served_since_the_last_call(strategy: str) -> None:
    recorder = Recorder()
    with (
        framed(strategy).handler(upper).observe(recorder).build() as server,
        connect(server.address) as client,
    ):
        client.sendall(b"first\n")
        server.handle_request(timeout=PATIENCE)
        recorder.wait_for(MessageServed)
        server.handle_request(timeout=0.01)  # or it would be woken for the first one
        client.sendall(b"second\n")
        recorder.wait_for(MessageServed, 2)
        woken = threading.Event()

        def wake() -> None:
            woken.set()
            server.shutdown()

        too_late = threading.Timer(PATIENCE, wake)
        too_late.start()

        second = server.handle_request()

        too_late.cancel()
        too_late.join()
        assert second
        assert not woken.is_set()
        client.close()


@pytest.mark.parametrize("strategy", THREADS)
@pytest.mark.parametrize("is_observed", [True, False])
def test_handle_request_does_not_wait_for_the_end_of_a_message(
    strategy: str, is_observed: bool
) -> None:
    gate = Gate()
    stage = framed(strategy).handler(gate)
    with (
        (stage.observe(Recorder()) if is_observed else stage).build() as server,
        connect(server.address) as client,
    ):
        call = Call(server.handle_request)
        client.sendall(b"wait\n")
        gate.wait_for_begin()

        assert call.result()

        gate.let_go()
        assert read_line(client) == b"WAIT"


@pytest.mark.parametrize("strategy", EVERY)
def test_with_block_that_raises_cuts_connections(strategy: str) -> None:
    server = framed(strategy).handler(upper).build()
    with pytest.raises(ZeroDivisionError), server:  # noqa: PT012
        server.start()
        client = held(server)
        raise ZeroDivisionError

    assert is_at_end(client)
    client.close()


def test_session_hears_of_the_end_that_a_drain_makes() -> None:
    heard: list[str] = []

    class Session:
        def opened(self, connection: Any) -> None:
            heard.append("opened")

        def closed(self, connection: Any) -> None:
            heard.append("closed")

    stage = framed("threaded", lines(), session=Session).handler(upper)
    with serve(stage) as run, held(run.server):
        pass

    wait_until(lambda: heard == ["opened", "closed"])
