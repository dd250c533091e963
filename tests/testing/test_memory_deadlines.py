"""The deadlines of connections, on memory and by a clock that a test moves: nobody waits."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from acceptor import Closed, DeadlineError, Outcome, Server, ServerBuilder, StreamHandler, Timeouts
from acceptor.testing import FakeClock, MemoryTransport, Serving, serve, wait_until

Handler = Callable[[socket.socket, object, Server[Any, Any]], object]


def read(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    while request.recv(100):
        pass


def flood(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    request.sendall(bytes(10**6))


def read_and_forgive(
    request: socket.socket, client_address: object, server: Server[Any, Any]
) -> None:
    try:
        read(request, client_address, server)
    except DeadlineError:
        pass


class Lines(StreamHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


def await_read(serving: Serving[Any, Any], clock: FakeClock, received: int) -> None:
    """Wait until the handler has read so much, and waits for more or for room."""
    wait_until(lambda: [live.received for live in serving.server.connections()] == [received])
    clock.wait_for_waits(1)


@pytest.mark.parametrize("strategy", ["sync", "threaded"])
@pytest.mark.parametrize(
    ("handler", "timeouts", "first"),
    [
        (read, Timeouts(first_data=7), b""),
        (read, Timeouts(idle=7), b"abc"),
        (read, Timeouts(connection=7), b""),
        (Lines, Timeouts(first_data=7), b""),
        (Lines, Timeouts(idle=7), b"abc\n"),
        (Lines, Timeouts(idle=7), b"half a line"),
        (flood, Timeouts(write=7), b""),
        (flood, Timeouts(connection=7, write=None), b""),
        (read_and_forgive, Timeouts(first_data=7), b""),
    ],
)
def test_client_that_takes_too_long_is_timed_out(
    handler: Handler, timeouts: Timeouts, first: bytes, strategy: str
) -> None:
    clock = FakeClock()
    stage = ServerBuilder().transport(MemoryTransport(clock=clock)).timeouts(timeouts)
    stage = stage.sync() if strategy == "sync" else stage.threaded()
    with serve(stage.handler(handler), client=True, clock=clock) as serving:
        serving.client.sendall(first)
        await_read(serving, clock, len(first))

        clock.advance(6.5)
        early = serving.events.of(Closed)
        clock.advance(0.5)
        [closed] = serving.events.wait_for(Closed)

    assert early == []
    assert (closed.outcome, closed.elapsed) == (Outcome.TIMED_OUT, 7.0)


@pytest.mark.parametrize(
    ("handler", "timeouts", "words"),
    [
        (read, Timeouts(first_data=3), "the client sent nothing for 3 s"),
        (flood, Timeouts(write=2.5), "the client took nothing for 2.5 s"),
        (read, Timeouts(connection=3), "the connection has lasted longer than it may"),
    ],
)
def test_deadline_says_what_the_real_transports_say(
    handler: Handler, timeouts: Timeouts, words: str
) -> None:
    clock, caught = FakeClock(), list[str]()

    def note(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        try:
            handler(request, client_address, server)
        except DeadlineError as error:
            caught.append(str(error))
            raise

    stage = ServerBuilder().transport(MemoryTransport(clock=clock)).timeouts(timeouts)
    with serve(stage.handler(note), client=True, clock=clock) as serving:
        clock.wait_for_waits(1)
        clock.advance(3)
        serving.events.wait_for(Closed)

    assert caught == [words]


def test_client_that_goes_on_after_a_deadline_was_caught_has_not_timed_out() -> None:
    clock = FakeClock()

    def patient(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        with contextlib.suppress(DeadlineError):
            request.recv(1)
        request.sendall(b"still there?")
        request.recv(1)

    stage = ServerBuilder().transport(MemoryTransport(clock=clock)).timeouts(first_data=3)
    with serve(stage.handler(patient), client=True, clock=clock) as serving:
        clock.wait_for_waits(1)
        clock.advance(3)
        assert serving.client.recv(100) == b"still there?"
        serving.client.sendall(b"y")
        [closed] = serving.events.wait_for(Closed)

    assert closed.outcome is Outcome.FINISHED


def test_own_timeout_of_a_handler_holds_by_the_same_clock() -> None:
    clock = FakeClock()

    def impatient(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.settimeout(2)
        request.recv(1)

    # Longer or shorter than the server's, it holds in the place of that.
    stage = ServerBuilder().transport(MemoryTransport(clock=clock)).timeouts(first_data=1)
    with serve(stage.handler(impatient), client=True, clock=clock) as serving:
        clock.wait_for_waits(1)
        clock.advance(1.5)
        early = serving.events.of(Closed)
        clock.advance(0.5)
        [closed] = serving.events.wait_for(Closed)

    assert early == []
    assert closed.outcome is Outcome.TIMED_OUT


def test_slow_drip_does_not_outlive_the_connection_deadline() -> None:
    clock = FakeClock()
    stage = ServerBuilder().transport(MemoryTransport(clock=clock)).threaded()
    stage = stage.timeouts(idle=5, connection=20)
    with serve(stage.handler(read), client=True, clock=clock) as serving:
        for sent in range(1, 5):
            serving.client.sendall(b".")
            await_read(serving, clock, sent)
            clock.advance(4)
        [live] = serving.server.connections()
        clock.advance(4)
        [closed] = serving.events.wait_for(Closed)

    assert (live.age, live.received) == (16.0, 4)
    assert (closed.outcome, closed.elapsed) == (Outcome.TIMED_OUT, 20.0)


def test_connection_deadline_holds_for_what_would_not_wait() -> None:
    clock = FakeClock()
    transport = MemoryTransport(clock=clock)
    listener = transport.listen()
    with transport.connect() as client:
        incoming = listener.accept()
        assert incoming is not None
        clock.advance(1)
        request = incoming.handshake(Timeouts(connection=5), [0, 0])
        client.sendall(b"ab")
        in_time = request.recv(1)
        clock.advance(4)

        with pytest.raises(DeadlineError, match="longer than it may"):
            request.recv(1)
        with pytest.raises(DeadlineError, match="longer than it may"):
            request.send(b"x")
        request.close()
    listener.close()

    assert in_time == b"a"
