"""Many clients at once: what the report, the events and the clients say is the same."""

import contextlib
import socket
import sys
import threading
from collections.abc import Generator
from typing import Any

import attrs
import pytest

from acceptor import Accepted, Closed, Outcome, ServerBuilder
from tests.core.kit import WORKERS, Stage, begin_drain, crowd, ending, leave, since_draining
from tests.fakes import greet, hold, refuses, tcp
from tests.support import Recorder, connect, read_all, serving, wait_until

CROWD = 200


def farewell(client: socket.socket) -> bytes:
    """Return the last answer, and leave: the server waits for that."""
    answer = client.recv(1)
    leave(client)
    return answer


def with_room(strategy: str) -> Stage:
    """Begin a server with a worker for each of the crowd."""
    stage: Stage = getattr(tcp(), strategy)(CROWD)
    return stage


@pytest.mark.parametrize("strategy", WORKERS)
def test_nobody_who_finishes_in_time_is_cut(strategy: str) -> None:
    recorder = Recorder()
    stage = with_room(strategy).observe(recorder)
    with serving(stage.handler(hold)) as server, crowd(server.address, CROWD) as clients:
        for client in clients:
            assert client.recv(1) == b"!"
        drain = begin_drain(server, recorder)
        for client in clients:
            client.sendall(b"?")

        answers = [farewell(client) for client in clients]

        report = drain.result()
    assert answers == [b"?"] * CROWD
    assert (report.finished, report.cut, report.refused) == (CROWD, 0, 0)
    assert since_draining(recorder) == (CROWD, 0)
    assert {event.outcome for event in recorder.of(Closed)} == {Outcome.FINISHED}
    assert server.stats.finished == server.stats.accepted == CROWD


@pytest.mark.parametrize("strategy", WORKERS)
def test_who_does_not_finish_is_cut_and_nobody_goes_unreported(strategy: str) -> None:
    recorder = Recorder()
    stage = with_room(strategy).observe(recorder)
    with serving(stage.handler(hold)) as server, crowd(server.address, CROWD) as clients:
        for client in clients:
            assert client.recv(1) == b"!"
        drain = begin_drain(server, recorder)
        for client in clients[::2]:
            client.sendall(b"?")
        answers = [farewell(client) for client in clients[::2]]
        recorder.wait_for(Closed, CROWD // 2)

        server.hurry()

        report = drain.result()
        rest = [ending(client) for client in clients[1::2]]
        recorder.wait_for(Closed, CROWD)  # one that is slow to notice is told of afterwards
    assert answers == [b"?"] * (CROWD // 2)
    assert set(rest) <= {b"", b"."}
    assert (report.finished, report.cut) == (CROWD // 2, CROWD // 2) == since_draining(recorder)
    closed = [event.id for event in recorder.of(Closed)]
    assert sorted(closed) == [event.id for event in recorder.of(Accepted)]
    assert (server.stats.active, server.stats.accepted) == (0, CROWD)


@pytest.mark.parametrize("strategy", WORKERS)
def test_idle_crowd_beyond_the_limit_waits_and_is_cut_in_time(strategy: str) -> None:
    elapsed: list[float] = []
    # A busy machine takes longer to bury a hundred processes.
    latest = 0.6 if strategy == "threaded" else 1.5
    for _ in range(5):  # the best of some: the machine may be busy
        server = getattr(tcp(), strategy)(CROWD).limits(max_connections=100).handler(hold).build()
        server.start()
        with crowd(server.address, 400):
            wait_until(lambda server=server: server.stats.active == 100)  # type: ignore[misc]
            stats = server.stats
            report = server.drain(0.5)
        elapsed.append(report.elapsed)

        assert (stats.accepted, report.finished, report.cut) == (100, 0, 100)
        if sys.platform == "linux":
            assert (stats.backlog, report.left_in_backlog) == (300, 300)
        if report.elapsed < latest:
            break

    assert min(elapsed) < latest


@attrs.define(eq=False)
class Shoppers:
    """Clients who come again and again, and what each of them got."""

    address: Any
    answers: list[object] = attrs.field(factory=list)

    @contextlib.contextmanager
    def coming(self, count: int) -> Generator[None, None, None]:
        """Have so many at a time come, until the block ends."""
        done = threading.Event()

        def shop() -> None:
            while not done.is_set():
                self.answers.append(self.visit())

        threads = [threading.Thread(target=shop) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def visit(self) -> object:
        """Ask once; return the answer, or the error."""
        try:
            with connect(self.address) as client:
                return read_all(client)
        except OSError as error:
            return error


@pytest.mark.parametrize("strategy", ["sync", "threaded"])
def test_rolling_restart_behind_one_port_fails_no_request(strategy: str) -> None:
    def start(port: int) -> Any:
        stage = getattr(ServerBuilder().tcp(("127.0.0.1", port), reuse_port=True), strategy)()
        return stage.handler(greet).build().start()

    server = start(0)
    shoppers = Shoppers(server.address)
    reports = []
    with shoppers.coming(3):
        for _ in range(10):
            seen = len(shoppers.answers)
            wait_until(lambda seen=seen: len(shoppers.answers) > seen + 20)  # type: ignore[misc]
            successor = start(server.address.port)
            reports.append(server.drain(20))
            server = successor
        seen = len(shoppers.answers)
        wait_until(lambda: len(shoppers.answers) > seen + 20)
    server.drain()

    assert set(shoppers.answers) == {b"hello"}
    assert all(report.cut == 0 and not report.left_in_backlog for report in reports)
    assert refuses(server.address)
