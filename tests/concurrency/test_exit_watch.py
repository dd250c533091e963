"""Both ways to learn that a child has ended, pipe and pidfd, do the same."""

import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

from acceptor import Closed, Concurrency, Dispatcher, Outcome, Workplace
from acceptor.concurrency import exit_watch
from acceptor.concurrency.children import ForkDispatcher
from acceptor.concurrency.exit_watch import ExitWatch, PipeWatch, best_exit_watch
from tests.fakes import drain_meanwhile, greet, held, hold, let_go, tcp
from tests.support import PATIENCE, Recorder, ask, connect, open_descriptors, serving, wait_until

WATCHES: list[type[Any]] = [PipeWatch]
if sys.platform == "linux":
    WATCHES.append(exit_watch.PidfdWatch)


@pytest.fixture(params=WATCHES, ids=lambda watch: watch.__name__)
def new_watch(request: pytest.FixtureRequest) -> Callable[[], ExitWatch]:
    watch: Callable[[], ExitWatch] = request.param
    return watch


class ForkedWith(Concurrency):
    """The fork strategy with a watch of the test's choice."""

    limit = 5

    def __init__(self, new_watch: Callable[[], ExitWatch]) -> None:
        self._new_watch = new_watch

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return ForkDispatcher(workplace, self._new_watch)


def test_watch_is_readable_when_the_child_has_ended_and_not_before(
    new_watch: Callable[[], ExitWatch],
) -> None:
    begin, go = os.pipe()
    watch = new_watch()
    pid = os.fork()
    if pid == 0:
        watch.in_child()
        os.close(go)
        os.read(begin, 1)
        os._exit(7)
    fd = watch.in_parent(pid)

    before = select.select([fd], [], [], 0)[0]
    os.close(go)
    after = select.select([fd], [], [], PATIENCE)[0]

    assert (before, after) == ([], [fd])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(fd)
    os.close(begin)


def test_watch_leaves_no_descriptor_behind_when_there_was_no_fork(
    new_watch: Callable[[], ExitWatch],
) -> None:
    before = open_descriptors()

    new_watch().close()

    assert open_descriptors() == before


def test_requests_are_served_and_reaped(new_watch: Callable[[], ExitWatch]) -> None:
    with serving(tcp().concurrency(ForkedWith(new_watch)).handler(greet)) as server:
        for _ in range(20):
            assert ask(server.address, b"") == b"hello"
        wait_until(lambda: server.stats.active == 0)

        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    assert server.stats.finished == 20


def test_slots_come_back_when_children_end(new_watch: Callable[[], ExitWatch]) -> None:
    with serving(tcp().concurrency(ForkedWith(new_watch)).handler(hold)) as server:
        clients = [held(server.address) for _ in range(5)]
        waiting = connect(server.address)

        assert let_go(clients.pop()) == b"?"
        assert waiting.recv(1) == b"!"
        assert [let_go(client) for client in [*clients, waiting]] == [b"?"] * 5


def test_killed_child_is_noticed(new_watch: Callable[[], ExitWatch]) -> None:
    recorder = Recorder()
    stage = tcp().concurrency(ForkedWith(new_watch)).observe(recorder)
    with serving(stage.handler(lambda *_: os.kill(os.getpid(), signal.SIGKILL))) as server:
        ask(server.address, b"")
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.LOST


def test_drain_waits_for_a_child_and_stop_ends_it(new_watch: Callable[[], ExitWatch]) -> None:
    with (
        serving(tcp().concurrency(ForkedWith(new_watch)).handler(hold)) as server,
        held(server.address) as patient,
        held(server.address),
    ):
        drain = drain_meanwhile(server)
        let_go(patient)
        wait_until(lambda: server.stats.finished == 1)

        server.stop()

    assert (drain.result().finished, drain.result().cut) == (1, 1)


def test_child_is_reaped_although_a_grandchild_lives_on(
    new_watch: Callable[[], ExitWatch],
) -> None:
    hold_on, let_end = os.pipe()

    def leave_a_grandchild(*_: object) -> None:
        os.close(let_end)
        if os.fork() == 0:
            os.read(hold_on, 1)
            os._exit(0)

    with serving(tcp().concurrency(ForkedWith(new_watch)).handler(leave_a_grandchild)) as server:
        with connect(server.address) as client:
            wait_until(lambda: server.stats.accepted == 1)
            wait_until(no_child_runs)
            client.shutdown(socket.SHUT_WR)

            server.drain(0.01)

        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    os.close(let_end)
    os.close(hold_on)
    assert server.stats.active == 0


def no_child_runs() -> bool:
    """Say whether the one child has ended, without reaping it."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return True
    return ended is not None


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd is Linux's")
@pytest.mark.parametrize("error", [AttributeError("old"), PermissionError(1, "seccomp")])
def test_best_exit_watch_is_the_pipe_where_pidfd_is_not_to_be_had(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(pid: int) -> int:
        raise error

    best = best_exit_watch()
    monkeypatch.setattr(os, "pidfd_open", refuse)

    assert best is exit_watch.PidfdWatch
    assert best_exit_watch() is PipeWatch
