"""One thread waits for clients and calls, the others for its seat."""

import socket
import sys
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from acceptor.core.baton import BATON, Baton
from tests.support import wait_until

if sys.platform != "linux":
    pytest.skip("needs epoll", allow_module_level=True)

from acceptor.concurrency.anteroom import NAP, NAPS, Anteroom


class Taker:
    """Takes whoever waits at a port, and closes it; the job is a stand-in."""

    def __init__(self) -> None:
        self.port = socket.create_server(("127.0.0.1", 0))
        self.port.setblocking(False)
        self.taken = 0

    def __call__(self) -> Any:
        try:
            client, _ = self.port.accept()
        except BlockingIOError:
            return None
        client.close()
        self.taken += 1
        return self


@pytest.fixture
def taker() -> Generator[Taker, None, None]:
    taker = Taker()
    with taker.port:
        yield taker


@pytest.fixture
def room(taker: Taker) -> Generator[Anteroom, None, None]:
    room = Anteroom()
    room.lend(taker.port.fileno(), taker)
    yield room
    room.give_back()
    room.close()


def is_taken(room: Anteroom) -> bool:
    free = room._seat.acquire(blocking=False)
    if free:
        room._seat.release()
    return not free


def come(taker: Taker) -> None:
    socket.create_connection(taker.port.getsockname()).close()


def test_each_of_those_who_wait_is_called_in_its_turn(room: Anteroom) -> None:
    found = list[Any]()
    waiting = [threading.Thread(target=lambda: found.append(room.wait(None))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: is_taken(room), "one has the seat")

    for count in range(1, 4):
        room.call()
        wait_until(lambda: len(found) == count, "one is called")  # noqa: B023 - it is over by then
    for thread in waiting:
        thread.join(20)

    assert found == [True] * 3


def test_who_gets_no_seat_in_time_goes(room: Anteroom) -> None:
    sitting = threading.Thread(target=room.wait, args=(None,))
    sitting.start()
    wait_until(lambda: is_taken(room), "one has the seat")

    found = room.wait(0.01)
    room.call()
    sitting.join(20)

    assert found is False


def test_client_who_came_before_anybody_waited_is_taken(room: Anteroom, taker: Taker) -> None:
    for _ in range(3):
        come(taker)

    found: list[Any] = [room.wait(20) for _ in range(3)]

    assert found == [taker] * 3


def test_client_whose_event_was_spent_is_taken_by_the_next(room: Anteroom, taker: Taker) -> None:
    """Two came, and of the first one's event the second is a part: somebody has to look again."""
    come(taker)
    come(taker)
    events = room._poller.poll(20)
    assert room._poller.poll(0) == []

    found: Any = room.wait(20)

    assert [fd for fd, _ in events] == [taker.port.fileno()]
    assert found is taker


@pytest.mark.parametrize(
    ("is_crowded", "is_flowing", "naps"), [(True, True, NAPS), (True, False, 0), (False, True, 0)]
)
def test_who_waits_leaves_the_client_to_those_who_are_about_to_take_it(
    room: Anteroom,
    taker: Taker,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_crowded: bool,
    is_flowing: bool,
    naps: int,
) -> None:
    slept = list[float]()
    monkeypatch.setattr(Baton, "is_crowded", is_crowded)
    monkeypatch.setattr(Baton, "is_flowing", is_flowing)
    monkeypatch.setattr(time, "sleep", slept.append)
    come(taker)

    found: Any = room.wait(20)

    assert found is taker  # nobody else has come for it
    assert slept == [NAP] * naps


def test_who_waits_stays_in_line_while_others_are_done_and_take_the_next(
    room: Anteroom, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows, seen = [True, True, False], list[int]()

    def line_up(baton: Baton, patience: float) -> bool:
        seen.append(taker.taken)
        return False

    monkeypatch.setattr(Baton, "line_up", line_up)
    monkeypatch.setattr(Baton, "is_flowing", property(lambda baton: flows.pop(0)))
    come(taker)

    room.wait(20)

    assert seen == [0, 0, 0]
    assert taker.taken == 1


def test_client_is_taken_out_of_turn_if_that_takes_long(
    room: Anteroom, taker: Taker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Baton, "_have_it_watched", lambda baton: None)  # it is not taken away
    has_it, goes_on, found = threading.Event(), threading.Event(), list[Any]()

    def hold() -> None:
        BATON.join()
        BATON.line_up()
        has_it.set()
        goes_on.wait(20)
        BATON.leave()

    def wait() -> None:
        BATON.join()
        found.append(room.wait(20))
        BATON.leave()

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    threads[0].start()
    assert has_it.wait(20)
    come(taker)
    threads[1].start()
    wait_until(lambda: found == [taker], "it is taken")
    goes_on.set()
    for thread in threads:
        thread.join(20)
