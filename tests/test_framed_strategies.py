"""What messages ask of a strategy that knows nothing of them."""

import errno
from collections.abc import Collection

import attrs
import pytest

from acceptor import (
    Concurrency,
    Dispatcher,
    Job,
    ResourceError,
    Workplace,
    lines,
)
from tests.framed_kit import ByHand, tcp, upper
from tests.support import ask, connect, serving


@attrs.define(eq=False)
class Reluctant(Dispatcher):
    """Has no worker for the first jobs that it is handed."""

    _dispatcher: Dispatcher
    refusals: int

    def submit(self, job: Job, /) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ResourceError(errno.EAGAIN, "no worker today")
        self._dispatcher.submit(job)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        self._dispatcher.cut(jobs, timeout)

    def close(self) -> None:
        self._dispatcher.close()


@attrs.frozen
class Short(Concurrency):
    """A strategy that is out of workers at first."""

    refusals: int

    @property
    def limit(self) -> int:
        return 4

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return Reluctant(ByHand().start(workplace), self.refusals)


@pytest.mark.parametrize("refusals", [1, 3])
def test_message_waits_where_there_is_no_worker_and_is_served_soon(refusals: int) -> None:
    stage = tcp().framed(lines()).timeouts(idle=None, first_data=None, connection=None)
    with serving(stage.concurrency(Short(refusals)).handler(upper)) as server:
        assert ask(server.address, b"one\ntwo\n") == b"ONE\nTWO\n"


def test_more_connections_than_workers_all_get_their_turn() -> None:
    stage = tcp().framed(lines()).concurrency(ByHand(2))
    with serving(stage.handler(upper)) as server:
        clients = [connect(server.address) for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(b"".join(b"a%d %d\n" % (number, count) for count in range(50)))
        for number, client in enumerate(clients):
            with client, client.makefile("rb") as replies:
                for count in range(50):
                    assert replies.readline() == b"A%d %d\n" % (number, count)
