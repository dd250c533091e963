"""Policies that fail when they hear that somebody has gone whom they had let in."""

import pytest

from acceptor import Leave, Limits, Outcome, Refused
from tests.core.kit import STRATEGIES
from tests.fakes import greet, held, hold, let_go, tcp
from tests.support import Recorder, ask, serving


class Forgetful:
    """Lets everybody in, and fails when they leave."""

    def allows(self, peer: object) -> bool:
        return True

    def enter(self, peer: object) -> Leave:
        return self._fail

    def _fail(self, outcome: Outcome) -> None:
        raise ValueError(f"forgot who was {outcome.value}")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_server_goes_on_when_a_policy_fails_that_hears_of_a_later_ones_denial(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    stage = (
        getattr(tcp(), strategy)().access(Forgetful()).access(lambda peer: False).observe(recorder)
    )
    with serving(stage.handler(greet)) as server:
        answers = [ask(server.address, b"") for _ in range(3)]

    assert answers == [b""] * 3
    assert len(recorder.of(Refused)) == 3
    assert caplog.text.count("a policy failed when it heard how") == 3
    assert "ValueError: forgot who was denied" in caplog.text


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_server_goes_on_when_a_policy_fails_that_hears_of_a_full_peer(
    strategy: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage = getattr(tcp(), strategy)().access(Forgetful()).limits(Limits(per_peer=1))
    with serving(stage.handler(hold)) as server:
        first = held(server.address)
        answers = [ask(server.address, b"") for _ in range(2)]
        first_answer = let_go(first)
        server.drain()

    assert answers == [b""] * 2
    assert first_answer == b"?"
    assert caplog.text.count("ValueError: forgot who was cut") == 2
