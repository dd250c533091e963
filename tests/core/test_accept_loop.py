"""The accept loop, step by step, on a clock of its own: no test here takes any time."""

import errno
from collections.abc import Iterator
from typing import Any

import pytest

from acceptor import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Close,
    Closed,
    Full,
    Limits,
    Outcome,
    Refused,
    ResourceError,
    Started,
    Stats,
    Wait,
)
from acceptor.core.accept_loop import SINGLE
from acceptor.core.access import AllowAll, as_policy
from acceptor.core.interfaces import AccessPolicy
from tests.core.bench import Bench, Clock
from tests.fakes import FakeDispatcher, FakeIncoming, ScriptedListener, Step

OUT_OF = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Iterator[Any]:
    benches: list[Bench] = []

    def make(
        *steps: Step,
        errors: tuple[Exception, ...] = (),
        limit: int = 10,
        policy: AccessPolicy[object] | None = None,
    ) -> Bench:
        dispatcher = FakeDispatcher(limit, list(errors))
        bench = Bench(ScriptedListener.of(steps), dispatcher, policy or AllowAll(), clock)
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.loop.close()


def out_of(number: int) -> OSError:
    return OSError(number, "none left")


@pytest.mark.parametrize("number", OUT_OF)
def test_accept_loop_waits_longer_each_time_while_the_machine_is_out_of(
    make: Any, number: int
) -> None:
    client = FakeIncoming()
    bench: Bench = make(*[out_of(number)] * 7, client)

    assert bench.loop.run_once(None)

    assert bench.pauses() == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]
    assert len(bench.dispatcher.jobs) == 1
    assert [paused.delay for paused in bench.recorder.of(AcceptPaused)] == [0.1]
    assert getattr(bench.recorder.of(AcceptPaused)[0].cause, "errno", None) == number
    assert [resumed.attempts for resumed in bench.recorder.of(AcceptResumed)] == [7]
    assert bench.recorder.of(AcceptResumed)[0].elapsed == pytest.approx(4.5)


def test_accept_loop_tries_fewer_than_30_times_in_two_seconds(make: Any, clock: Clock) -> None:
    bench: Bench = make(*[out_of(errno.EMFILE)] * 1000)
    until = clock.now + 2.0

    served = bench.loop.run_once(2.0)

    assert not served
    assert clock.now == pytest.approx(until)
    assert 1 < bench.listener.accepts < 30
    assert len(bench.recorder.of(AcceptPaused)) == 1


def test_accept_loop_tells_of_each_spell_once_and_begins_it_with_the_short_pause(make: Any) -> None:
    spell = [out_of(errno.EMFILE)] * 3
    bench: Bench = make(*spell, FakeIncoming(), *spell, FakeIncoming())

    assert bench.loop.run_once(None)
    assert bench.loop.run_once(None)

    assert bench.pauses() == [0.1, 0.2, 0.4, 0.1, 0.2, 0.4]
    assert len(bench.recorder.of(AcceptPaused)) == 2
    assert [resumed.attempts for resumed in bench.recorder.of(AcceptResumed)] == [3, 3]


def test_accept_loop_leaves_its_pause_at_once_when_it_is_to_end(make: Any) -> None:
    bench: Bench = make(out_of(errno.EMFILE), FakeIncoming())

    assert not bench.loop.run_once(0.0)
    bench.end()
    waited = len(bench.poller.waits)
    bench.loop.run()

    assert len(bench.poller.waits) == waited


@pytest.mark.parametrize(
    "error", [OSError(errno.EBADF, "broken"), OSError(errno.ENOTSOCK, "broken"), TypeError("ours")]
)
def test_accept_loop_ends_with_the_cause_when_the_listener_is_broken(
    make: Any, error: Exception
) -> None:
    bench: Bench = make(error, FakeIncoming())

    with pytest.raises(type(error)) as caught:
        bench.loop.run()

    assert caught.value is error
    assert bench.listener.accepts == 1


def test_accept_loop_goes_on_when_a_client_has_left_before_it_was_taken(make: Any) -> None:
    bench: Bench = make(None, None, FakeIncoming())

    assert bench.loop.run_once(None)

    assert len(bench.dispatcher.jobs) == 1


def test_accept_loop_takes_no_client_without_a_slot(make: Any) -> None:
    bench: Bench = make(FakeIncoming(), FakeIncoming(), FakeIncoming(), limit=2)

    bench.loop.run()  # until it waits for a slot

    assert bench.listener.accepts == 2
    assert bench.poller.waits[-1] == (None, False)
    assert bench.admission.stats() == Stats(accepted=2, active=2)


def test_accept_loop_looks_for_a_second_client_only_where_they_come_in_crowds(make: Any) -> None:
    crowd = [FakeIncoming() for _ in range(SINGLE + 5)]
    bench: Bench = make(FakeIncoming(), None, *crowd, limit=1 + len(crowd))

    bench.loop.run()

    assert bench.admission.stats().active == 1 + len(crowd)
    # One look in vain, then one client for each wait, then the other five at once.
    assert [client for _, client in bench.poller.waits] == [True] * (1 + SINGLE + 1) + [False]


def test_accept_loop_takes_no_client_while_it_is_paused(make: Any) -> None:
    bench: Bench = make(FakeIncoming())
    bench.orders.paused = True

    bench.loop.run()

    assert bench.listener.accepts == 0
    assert bench.poller.waits == [(None, False)]


@pytest.mark.parametrize("order", ["paused", "ending"])
def test_accept_loop_heeds_an_order_between_two_clients_that_wait(make: Any, order: str) -> None:
    def judge(peer: object) -> bool:
        setattr(bench.orders, order, True)
        return True

    bench: Bench = make(*[FakeIncoming()] * 3, policy=as_policy(judge))

    bench.loop.run()

    assert bench.listener.accepts == 1


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_accept_loop_keeps_an_accepted_client_until_there_is_a_worker(
    make: Any, number: int
) -> None:
    first, second = FakeIncoming("first"), FakeIncoming("second")
    refusal = ResourceError(number, "no more")
    bench: Bench = make(first, second, errors=(refusal, refusal, refusal), limit=2)

    bench.loop.run()  # until both slots are taken

    bench.dispatcher.end_all()
    assert bench.pauses()[:3] == [0.1, 0.2, 0.4]
    assert first.history == second.history == ["closed"]
    assert bench.admission.stats() == Stats(accepted=2, finished=2)
    kinds = [type(event) for event in bench.recorder.events]
    ended = [Started, Closed] * 2
    assert kinds == [Accepted, AcceptPaused, AcceptResumed, Accepted, Full, *ended]
    assert bench.recorder.of(AcceptPaused)[0].cause is refusal


def test_accept_loop_gives_the_client_up_and_ends_when_the_strategy_is_broken(make: Any) -> None:
    client = FakeIncoming()
    bench: Bench = make(client, errors=(TypeError("ours"),))

    with pytest.raises(TypeError, match="ours"):
        bench.loop.run()

    assert client.history == ["closed"]
    assert [closed.outcome for closed in bench.recorder.of(Closed)] == [Outcome.LOST]
    assert bench.admission.stats() == Stats(accepted=1, lost=1)


@pytest.mark.parametrize("error", [None, ValueError("oh no"), SystemExit(3), GeneratorExit()])
def test_accept_loop_closes_whom_the_policy_denies_and_whom_it_raises_for(
    make: Any, error: BaseException | None
) -> None:
    def judge(peer: object) -> bool:
        if error is not None:
            raise error
        return False

    client = FakeIncoming()
    bench: Bench = make(client, policy=as_policy(judge))

    assert bench.loop.run_once(None)

    assert client.history == ["refused by Close()"]
    assert bench.dispatcher.jobs == []
    assert bench.admission.stats() == Stats(refused=1)
    assert [refused.error for refused in bench.recorder.of(Refused)] == [error]


def test_accept_loop_takes_no_client_once_it_is_retired(make: Any) -> None:
    bench: Bench = make(FakeIncoming())

    bench.loop.retire()
    bench.loop.run()

    assert bench.listener.accepts == 0
    assert bench.listener.history == ["retired"]


def test_nobody_is_taken_under_limits_that_held_before_the_wait(make: Any) -> None:
    bench: Bench = make(FakeIncoming(), FakeIncoming(), limit=1)
    bench.admission.change_limits(Limits(overflow=Close()))
    assert bench.loop.run_once(None)

    assert bench.loop.wait_for_client(None)
    bench.admission.change_limits(Limits(overflow=Wait()))

    assert bench.loop.take_up_to(1) == 0
    assert bench.listener.waiting() == 1


def test_client_taken_while_the_limits_change_is_turned_away_and_not_one_too_many(
    make: Any,
) -> None:
    bench: Bench = make(FakeIncoming(), limit=1)
    bench.admission.change_limits(Limits(overflow=Close()))
    assert bench.loop.run_once(None)
    late = FakeIncoming()

    bench.admission.change_limits(Limits(overflow=Wait()))  # while the loop accepts
    bench.loop.intake.take(late)

    assert late.history == ["refused by Close()"]
    assert bench.admission.stats() == Stats(accepted=1, active=1, refused=1)


def test_nobody_is_taken_when_it_is_paused_right_before_the_accept(make: Any) -> None:
    bench: Bench = make(FakeIncoming())
    has_room = bench.loop.intake.has_room

    def pause_then_look() -> bool:
        bench.orders.paused = True
        return has_room()

    bench.loop.intake.has_room = pause_then_look

    assert bench.loop.take_up_to(1) == 0
    assert bench.listener.waiting() == 1
