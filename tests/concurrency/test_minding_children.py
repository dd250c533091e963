"""Children that are hard to mind: not to be watched, or reaped by somebody else."""

import os
import signal
import socket
from typing import Any

import pytest

from acceptor import Closed, Outcome, Phase, Server
from acceptor.concurrency import children, fork
from acceptor.concurrency.exit_watch import ExitWatch, PipeWatch, best_exit_watch
from tests.fakes import Call, greet, held, hold, let_go, tcp
from tests.support import Recorder, ask, connect, serving, wait_until


def blind() -> ExitWatch:
    """Make a watch that has lost the descriptor it held in reserve."""

    class Blind(PipeWatch):
        def in_parent(self, pid: int) -> int:
            os.close(super().in_parent(pid))
            raise OSError("another thread took it")

    return Blind()


@pytest.fixture(params=[blind, PipeWatch, best_exit_watch()], ids=["none", "pipe", "best"])
def watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    start = children.ForkDispatcher
    monkeypatch.setattr(fork, "ForkDispatcher", lambda workplace: start(workplace, request.param))


@pytest.mark.usefixtures("watch")
def test_slot_comes_back_however_a_child_is_watched() -> None:
    with serving(tcp().forked(1).handler(greet)) as server:
        answers = [ask(server.address, b"") for _ in range(3)]

    assert answers == [b"hello"] * 3


@pytest.mark.usefixtures("watch")
def test_drain_waits_for_a_child_however_it_is_watched() -> None:
    with serving(tcp().forked().handler(hold)) as server:
        client = held(server.address)
        drain = Call(lambda: server.drain(None))
        wait_until(lambda: server.phase is Phase.DRAINING)

        let_go(client)

        report = drain.result()
    assert (report.finished, report.cut) == (1, 0)


@pytest.mark.usefixtures("watch")
def test_loop_goes_on_beside_a_child_that_closed_what_it_inherited() -> None:
    def close_all(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        for fd in range(3, 256):
            if fd != request.fileno():
                try:
                    os.close(fd)
                except OSError:
                    pass
        hold(request, client_address, server)

    with serving(tcp().forked().handler(close_all)) as server, held(server.address):
        answers = [let_go(held(server.address)) for _ in range(3)]

    assert answers == [b"?"] * 3


def test_stop_bears_that_somebody_else_has_reaped_its_child() -> None:
    recorder = Recorder()
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps at once
    try:
        with serving(tcp().forked().observe(recorder).handler(hold)) as server:
            let_go(held(server.address))
            recorder.wait_for(Closed)

            assert server.stop().cut == 0
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert [closed.outcome for closed in recorder.of(Closed)] == [Outcome.FINISHED]


def test_child_is_cut_that_its_parent_has_not_noted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    mind, recorder = children.ForkDispatcher._mind, Recorder()

    def mind_late(dispatcher: Any, child: Any, watch: Any) -> None:
        wait_until(lambda: dispatcher._late, "somebody wants to cut it")
        mind(dispatcher, child, watch)

    monkeypatch.setattr(children.ForkDispatcher, "_mind", mind_late)
    stage = tcp().forked().observe(recorder).handler(hold)
    with serving(stage) as server, connect(server.address) as client:
        assert client.recv(1) == b"!"  # from the child
        [connection] = server.connections()

        assert server.close_connection(connection.id)
        recorder.wait_for(Closed)

    assert recorder.of(Closed)[0].outcome is Outcome.CUT


def test_job_is_dropped_that_was_cut_before_its_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    submit, recorder = children.ForkDispatcher.submit, Recorder()

    def submit_late(dispatcher: Any, job: Any) -> None:
        call = Call(lambda: dispatcher.cut([job], 0.0))
        call.result()
        submit(dispatcher, job)

    monkeypatch.setattr(children.ForkDispatcher, "submit", submit_late)
    stage = tcp().forked().observe(recorder).handler(hold)
    with serving(stage) as server, connect(server.address) as client:
        assert client.recv(1) == b""
        recorder.wait_for(Closed)

    assert recorder.of(Closed)[0].outcome is Outcome.CUT
