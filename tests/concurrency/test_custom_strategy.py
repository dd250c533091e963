"""A strategy that others have written."""

import concurrent.futures
from collections.abc import Collection
from typing import Any

import attrs
import pytest

from acceptor import (
    ConfigurationError,
    Dispatcher,
    Job,
    StreamHandler,
    Workplace,
)
from tests.fakes import held, hold, let_go, tcp
from tests.support import ask, connect, read_all, serving


@attrs.frozen
class Pool:
    """A strategy on the standard library's executor; knows our protocols by their shape alone."""

    size: int = 2

    @property
    def limit(self) -> int:
        return self.size

    def start(self, workplace: Workplace, /) -> "PoolDispatcher":
        return PoolDispatcher(concurrent.futures.ThreadPoolExecutor(self.size))


@attrs.frozen
class PoolDispatcher:
    executor: concurrent.futures.ThreadPoolExecutor

    def submit(self, job: Job, /) -> None:
        self.executor.submit(job.run, patient=True)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        for job in jobs:
            job.cut()

    def close(self) -> None:
        self.executor.shutdown(wait=False)


class Greeting(StreamHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


def test_foreign_strategy_runs_jobs_within_its_bound() -> None:
    with serving(tcp().concurrency(Pool(2)).handler(hold)) as server:
        first, second = held(server.address), held(server.address)
        third = connect(server.address)
        before = server.stats

        assert let_go(first) == b"?"
        assert third.recv(1) == b"!"
        assert let_go(second) == let_go(third) == b"?"
        server.drain()

    assert before.active == 2
    assert server.stats.finished == 3


def test_foreign_strategy_is_drained_and_cut() -> None:
    with (
        serving(tcp().concurrency(Pool()).handler(hold)) as server,
        held(server.address) as client,
    ):
        report = server.drain(0.01)

        assert report.cut == 1
        assert read_all(client) in (b"", b".")


def test_foreign_strategy_serves_handler_classes() -> None:
    with serving(tcp().concurrency(Pool()).handler(Greeting)) as server:
        assert ask(server.address, b"hello\n") == b"hello\n"


@pytest.mark.parametrize("part", [Pool, object(), None])
def test_strategy_that_is_none_is_refused_where_it_is_given(part: Any) -> None:
    with pytest.raises(ConfigurationError, match="a concurrency strategy needs"):
        tcp().concurrency(part)


def test_dispatcher_protocol_is_satisfied_by_shape_alone() -> None:
    dispatcher: Dispatcher = PoolDispatcher(concurrent.futures.ThreadPoolExecutor(1))

    dispatcher.close()
