"""What policies behind `.framed` hear of each message, whatever becomes of it."""

import pytest

from tests.core.access_kit import Remembers
from tests.framed.held_kit import EVERY, ask, framed, held, upper
from tests.support import read_all, serving


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
