"""What happens to a child just as it is forked, or noted, or to be watched."""

import errno
import socket
import threading
from collections.abc import Callable

import pytest

from acceptor import Accepted, Closed, Event, Outcome, Started
from acceptor.concurrency import children, fork
from acceptor.concurrency.exit_watch import ExitWatch, PipeWatch, best_exit_watch
from acceptor.core.workplace import AcceptThreadWorkplace
from tests.core.kit import leave
from tests.fakes import Call, greet, hold, tcp
from tests.support import PATIENCE, Recorder, ask, connect, read_all, serving, wait_until

Step = Callable[[], object]


@pytest.mark.parametrize("watch", [PipeWatch, best_exit_watch()], ids=["pipe", "best"])
def test_observer_may_cut_a_child_that_it_is_told_of(
    watch: type[ExitWatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    start, recorder, cuts = children.ForkDispatcher, Recorder(), list[bool]()
    monkeypatch.setattr(fork, "ForkDispatcher", lambda workplace: start(workplace, watch))
    monkeypatch.setattr(children, "_BIRTH_PATIENCE", 2 * PATIENCE)  # it is born already

    def cut(event: Event) -> None:
        if isinstance(event, Started):
            cuts.append(server.close_connection(event.id))

    with serving(tcp().forked().observe(recorder).observe(cut).handler(hold)) as server:
        for _ in range(2):
            with connect(server.address) as client:
                read_all(client)
        recorder.wait_for(Closed, 2)
        watched = len(server._loop.waiter._callbacks)  # type: ignore[union-attr] # pyright: ignore

    assert cuts == [True, True]
    assert [closed.outcome for closed in recorder.of(Closed)] == [Outcome.CUT] * 2
    assert watched == 1  # the wake-ups


def test_other_thread_may_cut_a_child_that_is_about_to_be_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch, taken = AcceptThreadWorkplace.watch, list[socket.socket]()

    def cut_first(workplace: AcceptThreadWorkplace, fd: int, on_readable: Step) -> None:
        if not taken:
            Call(lambda: server.close_connection(1)).result()
            taken.extend(socket.socketpair())  # which get the lowest numbers that are free
        watch(workplace, fd, on_readable)

    monkeypatch.setattr(AcceptThreadWorkplace, "watch", cut_first)
    recorder = Recorder()
    with serving(tcp().forked().observe(recorder).handler(hold)) as server:
        with connect(server.address) as client:
            read_all(client)
        wait_until(lambda: len(taken) == 2)
        with connect(server.address) as client:
            client.recv(1)  # so the first one has been dealt with
            leave(client)
        recorder.wait_for(Closed, 2)
        watched = [server._loop.waiter.is_watched(one.fileno()) for one in taken]  # type: ignore[union-attr] # pyright: ignore
    for one in taken:
        one.close()

    assert watched == [False, False]


def test_server_goes_on_with_children_that_the_system_cannot_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "too many watches")

    monkeypatch.setattr(AcceptThreadWorkplace, "watch", refuse)
    recorder = Recorder()
    with serving(tcp().forked(1).observe(recorder).handler(greet)) as server:
        answers = [ask(server.address, b"") for _ in range(3)]
        report = server.drain()

    assert answers == [b"hello"] * 3
    assert [closed.outcome for closed in recorder.of(Closed)] == [Outcome.FINISHED] * 3
    assert report.cut == 0


@pytest.mark.filterwarnings("ignore::acceptor.ForkWithThreadsWarning")
def test_child_is_minded_when_ctrl_c_comes_while_it_is_told_of() -> None:
    def press(event: Event) -> None:
        if isinstance(event, Started) and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    with tcp().forked().observe(press).handler(greet).build() as server:
        with connect(server.address) as client:
            with pytest.raises(KeyboardInterrupt):
                server.handle_request()
            answer = read_all(client)
            leave(client)
        report = Call(lambda: server.drain(None)).result()

    assert answer == b"hello"
    assert (server.stats.finished, report.cut) == (1, 0)


def test_client_is_let_go_when_ctrl_c_comes_before_its_child(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def press() -> None:
        raise KeyboardInterrupt

    recorder = Recorder()
    with tcp().forked(1).observe(recorder).handler(greet).build() as server:
        with connect(server.address) as client, monkeypatch.context() as patched:
            patched.setattr(children, "flush_standard_streams", press)
            with pytest.raises(KeyboardInterrupt):
                server.handle_request()
            answer = read_all(client)

        with connect(server.address) as client:
            server.handle_request()
            next_answer = read_all(client)
            leave(client)
        server.drain()

    assert (answer, next_answer) == (b"", b"hello")
    assert [end.outcome for end in recorder.of(Closed)] == [Outcome.CUT, Outcome.FINISHED]


def test_client_ends_once_when_ctrl_c_comes_as_it_ends_without_a_child() -> None:
    recorder = Recorder()

    def press(event: Event) -> None:
        if isinstance(event, Accepted):
            server.close_connection(event.id)
        elif isinstance(event, Closed):
            raise KeyboardInterrupt

    stage = tcp().forked(1).observe(recorder).observe(press)
    with stage.handler(greet).build() as server:
        with connect(server.address), pytest.raises(KeyboardInterrupt):
            server.handle_request()
        stats = server.stats

    assert [closed.outcome for closed in recorder.of(Closed)] == [Outcome.CUT]
    assert (stats.active, stats.cut) == (0, 1)
