"""What policies behind `.framed` hear of each message, whatever becomes of it."""

import threading
from typing import Any

import pytest

from acceptor import Closed, Message, Outcome, RefusalReason, Refused
from tests.core.access_kit import Remembers
from tests.framed.held_kit import EVERY, THREADS, Gate, ask, framed, handler_of, held, upper
from tests.support import PATIENCE, Recorder, connect, read_all, serving, wait_until


def fail() -> None:
    """Fail."""
    raise ValueError("as it was told")


@pytest.mark.parametrize("strategy", EVERY)
def test_policy_that_fails_to_hear_of_a_message_harms_nobody(strategy: str) -> None:
    stage = framed(strategy).access(Remembers(on_leave=fail)).handler(upper)
    with serving(stage) as server, held(server) as client, held(server) as other:
        assert [ask(one, b"x") for one in (client, other)] == [b"X", b"X"]


@pytest.mark.parametrize("strategy", EVERY)
def test_policy_that_fails_to_hear_of_a_denied_message_harms_nobody(strategy: str) -> None:
    asked: list[object] = []

    def denies_the_second(peer: object) -> bool:
        asked.append(peer)
        return len(asked) != 2

    stage = (
        framed(strategy).access(Remembers(on_leave=fail)).access(denies_the_second).handler(upper)
    )
    with serving(stage) as server, held(server) as client:
        client.sendall(b"x\n")
        assert read_all(client) == b""

        with held(server) as other:
            assert ask(other, b"x") == b"X"


@pytest.mark.parametrize("strategy", THREADS)
def test_policy_hears_of_a_message_that_outlives_its_server(strategy: str) -> None:
    guests, gate = Remembers(), Gate()
    server = framed(strategy).access(guests).handler(gate).build().start()
    with connect(server.address) as client:
        client.sendall(b"wait\n")
        gate.wait_for_begin()
        server.stop()
        assert (len(guests.entered), guests.left) == (1, [])

        gate.let_go()

        wait_until(lambda: len(guests.left) == 1)


def test_policy_hears_of_a_message_whose_handler_gets_ctrl_c() -> None:
    guests = Remembers()

    def interrupted(message: Message[Any]) -> None:
        raise KeyboardInterrupt

    stage = framed("sync").access(guests).handler(handler_of(interrupted))
    with stage.build() as server, connect(server.address) as client:
        client.sendall(b"x\n")

        with pytest.raises(KeyboardInterrupt):
            server.handle_request(PATIENCE)

        assert guests.left == [Outcome.FAILED]


def test_connection_whose_policy_gets_ctrl_c_ends() -> None:
    guests, recorder = Remembers(), Recorder()

    def interrupted(peer: object) -> bool:
        raise KeyboardInterrupt

    stage = framed("sync").access(guests).access(interrupted).handler(upper).observe(recorder)
    with stage.build() as server, connect(server.address) as client:
        client.sendall(b"x\n")

        with pytest.raises(KeyboardInterrupt):
            server.handle_request(PATIENCE)

        assert read_all(client) == b""
        assert guests.left == [Outcome.DENIED]
        (refused,) = recorder.of(Refused)
        assert refused.reason is RefusalReason.POLICY_FAILED


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("how", ["cut", "closed"])
def test_connection_that_ends_while_its_message_is_judged_has_it_not_served(
    strategy: str, how: str
) -> None:
    guests, recorder, kept = Remembers(), Recorder(), list[Any]()
    asked, go_on = threading.Event(), threading.Event()

    def takes_its_time(peer: object) -> bool:
        if len(guests.entered) > 1:
            asked.set()
            assert go_on.wait(PATIENCE)
        return True

    class Session:
        def opened(self, connection: Any) -> None:
            kept.append(connection)

    stage = framed(strategy, session=Session).access(guests).access(takes_its_time)
    with serving(stage.handler(upper).observe(recorder)) as server, held(server) as client:
        client.sendall(b"never\n")
        assert asked.wait(PATIENCE)

        if how == "cut":
            server.close_connection(1)
        else:
            kept[0].close()
        go_on.set()

        assert read_all(client) == b""
        client.close()
        recorder.wait_for(Closed)
        assert server.stats.messages == 1
        assert guests.left == [Outcome.FINISHED, Outcome.CUT]
