"""Sessions: one for each connection, told when it begins, and once when it has ended."""

import itertools
import os
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from acceptor import (
    Closed,
    Connection,
    Message,
    Outcome,
    Reply,
    RequestState,
    Server,
    lines,
)
from acceptor.testing import FakeClock
from tests.fakes import Call
from tests.framed_kit import IN_THREADS, STRATEGIES, by, read_line, tcp
from tests.support import Recorder, ask, connect, read_all, serving, wait_until

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
in_threads = pytest.mark.parametrize("strategy", IN_THREADS)


@attrs.define(eq=False)
class Session:
    """Counts its messages, and how often it was told of what."""

    number: int
    messages: int = 0
    told: list[str] = attrs.field(factory=list[str])
    connection: "Connection[Session] | None" = None

    def opened(self, connection: "Connection[Session]") -> None:
        self.told.append("opened")
        self.connection = connection
        assert connection.session is self
        assert connection.reply(b"hello %d" % connection.id)

    def closed(self, connection: "Connection[Session]") -> None:
        assert connection is self.connection
        assert not connection.reply(b"too late")
        self.told.append("closed")


@attrs.define(eq=False)
class Sessions:
    """Makes them, and keeps them for the test."""

    made: list[Session] = attrs.field(factory=list[Session])
    _numbers: "itertools.count[int]" = attrs.field(factory=lambda: itertools.count(1))

    def __call__(self) -> Session:
        self.made.append(Session(next(self._numbers)))
        return self.made[-1]


def serve(message: Message[Session], client_address: object, server: Server[Any, Any]) -> None:
    session = message.session
    session.messages += 1
    match message.payload:
        case b"fail":
            raise ValueError("as it was told")
        case b"exit":
            os._exit(3)
        case b"close":
            message.close()
        case b"kick":
            server.close_connection(session.number)
        case _:
            message.reply(b"%d %d" % (session.number, session.messages))


@every_strategy
def test_session_greets_and_is_one_for_each_connection(strategy: str) -> None:
    sessions, recorder = Sessions(), Recorder()
    stage = by(strategy, tcp().framed(lines(), session=sessions).observe(recorder)).handler(serve)
    with serving(stage) as server:
        with connect(server.address) as first, connect(server.address) as second:
            assert read_line(first) == b"hello 1\n"
            assert read_line(second) == b"hello 2\n"
            for count in range(1, 4):
                for number, client in enumerate((first, second), 1):
                    client.sendall(b"?\n")
                    # A child counts in its own copy, which ends with it.
                    counted = 1 if strategy == "forked" else count
                    assert read_line(client) == b"%d %d\n" % (number, counted)
        recorder.wait_for(Closed, 2)

    assert [session.told for session in sessions.made] == [["opened", "closed"]] * 2


def leave(client: socket.socket, server: Server[Any, Any]) -> None:
    client.close()


def leave_half(client: socket.socket, server: Server[Any, Any]) -> None:
    client.shutdown(socket.SHUT_WR)
    read_all(client)


def reset(client: socket.socket, server: Server[Any, Any]) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def say(text: bytes) -> Callable[[socket.socket, Server[Any, Any]], None]:
    def end(client: socket.socket, server: Server[Any, Any]) -> None:
        client.sendall(text)
        with client:
            try:
                read_all(client)
            except ConnectionResetError:
                pass

    return end


def stop(client: socket.socket, server: Server[Any, Any]) -> None:
    server.stop()


def drain(client: socket.socket, server: Server[Any, Any]) -> None:
    call = Call(server.drain)
    with client:
        read_all(client)
    call.result()


def close_by_number(client: socket.socket, server: Server[Any, Any]) -> None:
    assert server.close_connection(1)


def wait(client: socket.socket, server: Server[Any, Any]) -> None:
    read_all(client)


ENDS: Final[dict[str, tuple[Any, Outcome]]] = {
    "leaves": (leave, Outcome.FINISHED),
    "half-closes": (leave_half, Outcome.FINISHED),
    "resets": (reset, Outcome.CLIENT_LEFT),
    "handler fails": (say(b"fail\n"), Outcome.FAILED),
    "handler closes": (say(b"close\nfail\n"), Outcome.FINISHED),
    "too long": (say(b"a" * 2000), Outcome.BAD_MESSAGE),
    "incomplete": (say(b"close\nrest"), Outcome.FINISHED),
    "cut by number": (close_by_number, Outcome.CUT),
    "drain": (drain, Outcome.FINISHED),
    "stop": (stop, Outcome.CUT),
}


@every_strategy
@pytest.mark.parametrize("way", ENDS)
def test_session_is_told_once_that_its_connection_has_ended(strategy: str, way: str) -> None:
    sessions, recorder = Sessions(), Recorder()
    end, outcome = ENDS[way]
    framed = tcp().framed(lines(max_length=1000), session=sessions, refusal=Reply(b"no\n"))
    with serving(by(strategy, framed.observe(recorder)).handler(serve)) as server:
        with connect(server.address) as client:
            read_line(client)
            end(client, server)
        closed = recorder.wait_for(Closed)

    assert [event.outcome for event in closed] == [outcome]
    assert [session.told for session in sessions.made] == [["opened", "closed"]]


@every_strategy
@pytest.mark.parametrize("kind", ["idle", "first_data", "connection"])
def test_session_is_told_when_the_time_is_over(strategy: str, kind: str) -> None:
    sessions, recorder, clock = Sessions(), Recorder(), FakeClock()
    framed = tcp().framed(lines(), session=sessions).timeouts(**{kind: 1000}).observe(recorder)
    with serving(by(strategy, framed.clock(clock)).handler(serve)) as server:
        with connect(server.address) as client:
            read_line(client)
            if kind == "idle":
                client.sendall(b"?\n")
                read_line(client)
                wait_until(lambda: server.connections()[0].state is RequestState.RESTING)
            clock.advance(2000)
            for _ in range(1000):
                if recorder.of(Closed, lambda event: event.id == 1):
                    break
                clock.advance(10)
                ask(server.address, b"")  # has it look at the clock
        closed = recorder.wait_for(Closed, where=lambda event: event.id == 1)

    assert [event.outcome for event in closed] == [Outcome.TIMED_OUT]
    assert sessions.made[0].told == ["opened", "closed"]


@in_threads
def test_connection_that_a_session_keeps_may_be_replied_to_at_any_time(strategy: str) -> None:
    sessions = Sessions()
    stage = by(strategy, tcp().framed(lines(), session=sessions)).handler(serve)
    with serving(stage) as server, connect(server.address) as client:
        read_line(client)
        kept = sessions.made[0].connection
        assert kept is not None
        assert kept.reply(b"by the way")
        assert read_line(client) == b"by the way\n"
        kept.close()
        assert read_all(client) == b""
