"""An observer that a test can ask and wait for."""

import threading

import pytest

from acceptor import Accepted, Closed, Listening, Outcome
from acceptor.testing import EventRecorder
from tests.fakes import PEER, Call


def closed(number: int, outcome: Outcome = Outcome.FINISHED) -> Closed:
    return Closed(id=number, peer=PEER, outcome=outcome, elapsed=0.0, received=0, sent=0)


def test_recorder_keeps_events_in_their_order() -> None:
    recorder = EventRecorder()

    recorder(Accepted(id=1, peer=PEER))
    recorder(closed(1))

    assert recorder.events == [Accepted(id=1, peer=PEER), closed(1)]


def test_of_returns_one_kind_and_of_that_what_is_asked_for() -> None:
    recorder = EventRecorder([Listening(address=PEER), closed(1), closed(2, Outcome.CUT)])

    assert recorder.of(Closed) == [closed(1), closed(2, Outcome.CUT)]
    assert recorder.of(Closed, lambda event: event.outcome is Outcome.CUT) == [
        closed(2, Outcome.CUT)
    ]
    assert recorder.of(Accepted) == []


def test_wait_for_returns_once_there_are_enough() -> None:
    recorder = EventRecorder([closed(1)])
    call = Call(lambda: recorder.wait_for(Closed, 2, where=lambda event: event.id != 1))

    recorder(closed(2))
    early = call.has_ended
    recorder(Accepted(id=3, peer=PEER))
    recorder(closed(3))

    assert not early
    assert call.result() == [closed(2), closed(3)]


def test_wait_for_says_what_has_come_when_it_is_in_vain() -> None:
    recorder = EventRecorder([closed(1)])

    with pytest.raises(AssertionError, match=r"waited for 1 Accepted, have \[Closed\(id=1"):
        recorder.wait_for(Accepted, timeout=0.01)


def test_recorder_takes_events_from_several_threads() -> None:
    recorder = EventRecorder()
    begin = threading.Barrier(4)

    def tell() -> None:
        begin.wait()
        for number in range(100):
            recorder(closed(number))

    calls = [Call(tell) for _ in range(4)]

    assert len(recorder.wait_for(Closed, 400)) == 400
    assert [call.result() for call in calls] == [None] * 4
