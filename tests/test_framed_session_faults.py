"""Sessions that fail, or want no client: it ends that connection, and nothing else."""

from typing import Any

import attrs
import pytest

from acceptor import Closed, Connection, HandlerFailed, Outcome, lines
from tests.framed_kit import STRATEGIES, by, read_line, tcp, upper
from tests.support import Recorder, ask, connect, read_all, serving

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


class BadBirth:
    def __init__(self) -> None:
        raise ValueError("no session")


@attrs.define(eq=False)
class BadBegin:
    told: list[str] = attrs.field(factory=list[str])

    def opened(self, connection: object) -> None:
        self.told.append("opened")
        raise ValueError("no session")

    def closed(self, connection: object) -> None:
        self.told.append("closed")


class BadEnd:
    def closed(self, connection: object) -> None:
        raise ValueError("no session")


@every_strategy
@pytest.mark.parametrize("kind", [BadBirth, BadBegin])
def test_connection_whose_session_cannot_begin_fails_alone(strategy: str, kind: Any) -> None:
    recorder = Recorder()
    made: list[Any] = []

    def session() -> object:
        made.append(None)
        made[-1] = kind() if len(made) == 2 else object()
        return made[-1]

    stage = by(strategy, tcp().framed(lines(), session=session).observe(recorder))
    with serving(stage.handler(upper)) as server, connect(server.address) as first:
        first.sendall(b"a\n")
        assert read_line(first) == b"A\n"
        with connect(server.address) as second:
            assert read_all(second) == b""
        recorder.wait_for(Closed, where=lambda event: event.outcome is Outcome.FAILED)
        first.sendall(b"b\n")

        assert read_line(first) == b"B\n"
        assert [repr(event.error) for event in recorder.of(HandlerFailed)] == [
            "ValueError('no session')"
        ]
    if kind is BadBegin:
        assert made[1].told == ["opened"]


@every_strategy
def test_session_that_fails_at_the_end_is_told_of_and_holds_up_nothing(strategy: str) -> None:
    recorder = Recorder()
    stage = by(strategy, tcp().framed(lines(), session=BadEnd).observe(recorder))
    with serving(stage.handler(upper)) as server:
        for _ in range(3):
            assert ask(server.address, b"a\n") == b"A\n"
        closed = recorder.wait_for(Closed, 3)

    assert {event.outcome for event in closed} == {Outcome.FINISHED}
    assert len(recorder.of(HandlerFailed)) == 3


@every_strategy
def test_session_may_turn_its_client_away_with_a_word(strategy: str) -> None:
    class Busy:
        def opened(self, connection: Connection[object]) -> None:
            connection.reply(b"busy")
            connection.close()

    recorder = Recorder()
    stage = by(strategy, tcp().framed(lines(), session=Busy).observe(recorder)).handler(upper)
    with serving(stage) as server:
        with connect(server.address) as client:
            assert read_all(client) == b"busy\n"
        assert recorder.wait_for(Closed)[0].outcome is Outcome.FINISHED
