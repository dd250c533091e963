"""Observers that raise: told of in the log, once each, and nobody else's trouble."""

import attrs
import pytest

from acceptor import Event, Refused, deny_networks
from tests.fakes import greet, tcp
from tests.support import Recorder, ask, serving


@attrs.define
class Counts:
    """An observer with state, by which it compares, so that it has no hash."""

    told: int = 0
    fails: bool = True

    def __call__(self, event: Event) -> None:
        self.told += 1
        if self.fails:
            raise ValueError


def test_observer_without_a_hash_may_fail_or_stand_beside_one_that_does() -> None:
    failing, sound = Counts(), Counts(fails=False)

    with serving(tcp().observe(failing).observe(sound).handler(greet)) as server:
        for _ in range(10):
            assert ask(server.address, b"") == b"hello"
        server.drain()

    assert failing.told == 10  # then it is told nothing any more
    assert sound.told > 30


def test_error_of_an_observer_is_told_without_the_denial_that_it_was_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, Refused):
            raise ValueError

    recorder = Recorder()
    stage = tcp().access(deny_networks("127.0.0.1")).observe(fail).observe(recorder)
    with serving(stage.handler(greet)) as server:
        ask(server.address, b"")
        recorder.wait_for(Refused)

    [error] = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert isinstance(error, ValueError)
    assert error.__context__ is None
