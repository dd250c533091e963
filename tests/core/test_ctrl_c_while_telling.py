"""Ctrl-C that meets an observer in the thread that accepts: nothing of its client stays behind."""

from typing import Any

import attrs
import pytest

from acceptor import Accepted, Close, Closed, Event, Full, Leave, Limits, Outcome, Refused
from acceptor.core.admission import Admission
from tests.core.kit import STRATEGIES, leave
from tests.fakes import FakeDispatcher, FakeIncoming, greet, scripted, tcp
from tests.support import Recorder, connect, read_all


@attrs.define(eq=False)
class Presses:
    """An observer whom Ctrl-C meets at the first event of a kind."""

    kind: type[Event]
    is_done: bool = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, self.kind) and not self.is_done:
            self.is_done = True
            raise KeyboardInterrupt


@attrs.frozen
class Remembers:
    """Lets everybody in, and writes down how they ended."""

    ends: list[Outcome] = attrs.field(factory=list[Outcome])

    def allows(self, peer: object) -> bool:
        return True

    def enter(self, peer: object) -> Leave:
        return self.ends.append


@pytest.mark.filterwarnings("ignore::acceptor.ForkWithThreadsWarning")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ctrl_c_while_an_accept_is_told_ends_that_client_and_keeps_no_slot(strategy: str) -> None:
    recorder, policy = Recorder(), Remembers()
    stage = getattr(tcp(), strategy)(*(() if strategy == "sync" else (1,)))
    stage = stage.access(policy).observe(recorder).observe(Presses(Accepted))
    with stage.handler(greet).build() as server:
        with connect(server.address) as client:
            with pytest.raises(KeyboardInterrupt):
                server.handle_request()
            answer = read_all(client)
        after = server.stats

        with connect(server.address) as client:
            server.handle_request()
            next_answer = read_all(client)
            leave(client)

    assert (answer, next_answer) == (b"", b"hello")
    assert (after.accepted, after.active, after.cut) == (1, 0, 1)
    assert [end.outcome for end in recorder.of(Closed)] == [Outcome.CUT, Outcome.FINISHED]
    assert policy.ends == [Outcome.CUT, Outcome.FINISHED]


def test_ctrl_c_while_an_end_is_told_is_kept_from_no_policy() -> None:
    policy = Remembers()
    stage = tcp().sync().access(policy).observe(Presses(Closed)).handler(greet)
    with stage.build() as server, connect(server.address):
        with pytest.raises(KeyboardInterrupt):
            server.handle_request()
        after = server.stats

    assert (after.active, after.finished) == (0, 1)
    assert policy.ends == [Outcome.FINISHED]


@pytest.mark.parametrize("kind", [Full, Refused])
def test_ctrl_c_while_a_refusal_is_told_turns_the_client_away_all_the_same(
    kind: type[Event],
) -> None:
    policy: Any = Remembers()
    first, second = FakeIncoming(), FakeIncoming()
    _, stage = scripted(first, second)
    dispatcher = FakeDispatcher()
    limits = Limits(max_connections=1, overflow=Close())
    stage = stage.concurrency(dispatcher).limits(limits).access(policy).observe(Presses(kind))
    with stage.handler(lambda *_: None).build() as server:
        server.handle_request()

        with pytest.raises(KeyboardInterrupt):
            server.handle_request()

        assert second.history == [f"refused by {Close()}"]
        assert policy.ends == [Outcome.CUT]
        dispatcher.end_all()

    assert policy.ends == [Outcome.CUT, Outcome.FINISHED]


def test_ctrl_c_that_meets_an_observer_keeps_the_others_from_nothing() -> None:
    recorder = Recorder()
    stage = tcp().sync().observe(Presses(Closed)).observe(recorder).handler(greet)
    with stage.build() as server, connect(server.address), pytest.raises(KeyboardInterrupt):
        server.handle_request()

    assert [end.outcome for end in recorder.of(Closed)] == [Outcome.FINISHED]


def test_ctrl_c_between_two_lines_of_ours_costs_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, settle = Recorder(), Admission.settle

    def press(admission: Admission, job: Any, outcome: Outcome) -> Outcome:
        monkeypatch.setattr(Admission, "settle", settle)
        raise KeyboardInterrupt

    with tcp().sync().observe(recorder).handler(greet).build() as server:
        monkeypatch.setattr(Admission, "settle", press)
        with connect(server.address) as client:
            with pytest.raises(KeyboardInterrupt):
                server.handle_request()
            assert read_all(client) == b"hello"
        active = server.stats.active

        with connect(server.address) as client:
            server.handle_request()
            assert read_all(client) == b"hello"

    assert active == 0
    assert [event.id for event in recorder.of(Closed)] == [1, 2]
