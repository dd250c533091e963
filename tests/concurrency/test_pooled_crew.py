"""The crew of a pool without a server: with a port to wait at, and as it is on other systems."""

import socket
import threading
from collections.abc import Generator

import attrs
import pytest

from acceptor import Concurrency, Dispatcher, Job, Outcome, Traffic, Workplace
from acceptor.concurrency.crew import Crew
from acceptor.concurrency.port_crew import PortCrew
from acceptor.testing import check_concurrency
from tests.support import PATIENCE, wait_until


@attrs.frozen
class PortablePool(Concurrency):
    limit: int = 3  # pyright: ignore[reportIncompatibleMethodOverride]
    queue: int = 1

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return Crew(self.limit - self.queue)


@attrs.define(eq=False)
class Bare(Job):
    """Only runs."""

    def run(self, *, patient: bool) -> None: ...
    def serve(self, *, patient: bool) -> Outcome:
        return Outcome.FINISHED

    def end(self, outcome: Outcome) -> None: ...
    def cut(self) -> None: ...
    def release(self, worker: int) -> None: ...
    def count_into(self, traffic: Traffic, /) -> None: ...


@attrs.define(eq=False)
class Note(Bare):
    """Notes in which thread it ran, and raises what it is told to."""

    ran_in: list[int]
    error: BaseException | None = None

    def run(self, *, patient: bool) -> None:
        self.ran_in.append(threading.get_ident())
        if self.error is not None:
            raise self.error


def nothing() -> None:
    """Hand nothing back: nobody drives a loop here."""


@pytest.fixture(params=[Crew, PortCrew])
def crew(request: pytest.FixtureRequest) -> Generator[Crew, None, None]:
    made: Crew = request.param(2)
    yield made
    made.close()


@pytest.fixture
def lent() -> Generator[PortCrew, None, None]:
    made = PortCrew(2)
    yield made
    made.give_back()
    made.close()


def test_portable_pool_passes_the_exam() -> None:
    check_concurrency(PortablePool())


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), ValueError()])
def test_no_error_costs_the_crew_a_thread(
    crew: Crew, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    ran_in: list[int] = []

    for _ in range(10):
        crew.submit(Note(ran_in, error))
    wait_until(lambda: len(ran_in) == 10)
    crew.submit(Note(ran_in))
    wait_until(lambda: len(ran_in) == 11)

    wait_until(lambda: "a thread of the pool was broken off, 10 so far" in caplog.text)
    assert len(set(ran_in)) <= 2


def test_every_client_at_a_lent_port_is_taken_by_a_thread_though_they_come_at_once(
    lent: PortCrew,
) -> None:
    ran_in: list[int] = []
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    lock = threading.Lock()

    def take() -> Job | None:
        with lock:
            try:
                ours.recv(1, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
        return Note(ran_in)

    with ours, theirs:
        lent.lend(ours.fileno(), take, nothing)
        for round_ in range(1, 101):
            for _ in range(5):
                theirs.send(b"!")
            wait_until(lambda expected=5 * round_: len(ran_in) == expected)  # type: ignore[misc]
        lent.give_back()


def test_two_clients_that_come_at_once_wake_two_threads(lent: PortCrew) -> None:
    meeting = threading.Barrier(2)

    @attrs.define(eq=False)
    class Meet(Bare):
        def run(self, *, patient: bool) -> None:
            meeting.wait(PATIENCE)

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    taken: list[bytes] = []
    lock = threading.Lock()

    def take() -> Job | None:
        with lock:
            try:
                taken.append(ours.recv(1, socket.MSG_DONTWAIT))
            except BlockingIOError:
                return None
        return Meet()

    with ours, theirs:
        lent.lend(ours.fileno(), take, nothing)
        for round_ in range(1, 101):
            theirs.send(b"!")
            theirs.send(b"!")
            wait_until(lambda expected=2 * round_: len(taken) == expected)  # type: ignore[misc]
        lent.give_back()

    assert not meeting.broken


def test_nobody_takes_what_is_at_a_port_that_was_given_back(lent: PortCrew) -> None:
    ran_in: list[int] = []
    calls: list[None] = []

    def take() -> Job | None:
        calls.append(None)
        return None

    ours, theirs = socket.socketpair()
    with ours, theirs:
        lent.lend(ours.fileno(), take, nothing)
        lent.give_back()
        lent.give_back()
        calls.clear()
        theirs.send(b"!")
        for count in range(1, 21):  # whoever runs these looks for a client, too, if he may
            lent.submit(Note(ran_in))
            wait_until(lambda expected=count: len(ran_in) == expected)  # type: ignore[misc]

    assert len(calls) <= 2  # each thread may have been about to look


def test_the_last_thread_to_go_home_closes_what_all_have_waited_at() -> None:
    crew = PortCrew(3)
    ran_in: list[int] = []
    before = set(threading.enumerate())
    crew.submit(Note(ran_in))
    mine = set(threading.enumerate()) - before

    crew.close()
    crew.close()

    assert len(mine) == 3
    for thread in mine:
        thread.join(PATIENCE)
    assert crew._anteroom.is_closed
