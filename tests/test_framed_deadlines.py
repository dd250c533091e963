"""Deadlines of held connections come true without anybody looking: nothing else happens here."""

from pathlib import Path

import pytest

from acceptor import Closed, Message, Outcome, ServerBuilder, lines
from tests.framed_kit import STRATEGIES, by, obey, read_line, tcp
from tests.support import Recorder, connect, serving

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


@every_strategy
def test_client_that_does_not_end_its_side_is_not_waited_for_long(strategy: str) -> None:
    recorder = Recorder()
    framed = tcp().framed(lines()).timeouts(idle=None, first_data=None, connection=None)
    stage = by(strategy, framed.observe(recorder)).handler(obey)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"close\n")
        assert read_line(client) == b"close\n"

        closed = recorder.wait_for(Closed)

    assert closed[0].outcome is Outcome.FINISHED


@every_strategy
def test_client_that_does_not_read_is_not_waited_for_long(strategy: str, tmp_path: Path) -> None:
    def much(message: Message, client_address: object, server: object) -> None:
        message.reply(b"a" * 2_000_000)

    recorder = Recorder()
    framed = ServerBuilder().unix_stream(tmp_path / "it.sock").framed(lines())
    framed = framed.timeouts(idle=None, first_data=None, connection=None, write=0.2)
    stage = by(strategy, framed.observe(recorder)).handler(much)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"?\n")

        closed = recorder.wait_for(Closed)

    assert closed[0].outcome is Outcome.TIMED_OUT


@every_strategy
def test_handler_of_a_client_that_does_not_read_is_not_held_for_long(
    strategy: str, tmp_path: Path
) -> None:
    def more_and_more(message: Message, client_address: object, server: object) -> None:
        while message.reply(b"a" * 50_000):
            pass

    recorder = Recorder()
    framed = ServerBuilder().unix_stream(tmp_path / "it.sock").framed(lines())
    framed = framed.timeouts(idle=None, first_data=None, connection=None, write=0.2)
    stage = by(strategy, framed.observe(recorder)).handler(more_and_more)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"?\n")

        closed = recorder.wait_for(Closed)

    assert closed[0].outcome is Outcome.TIMED_OUT
