"""Children that are refused, cut, or forked at a bad moment."""

import errno
import os
import signal
import socket
import threading
import warnings
from typing import Any

import pytest

from acceptor import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Closed,
    Event,
    ForkWithThreadsWarning,
    Outcome,
    Server,
)
from tests.fakes import Call, greet, refuses, tcp
from tests.support import PATIENCE, Recorder, ask, connect, read_all, serving, wait_until


def tell_pid(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    request.sendall(b"%d\n" % os.getpid())
    request.recv(1)


def pid_of(client: socket.socket) -> int:
    with client.makefile("rb") as lines:
        return int(lines.readline())


def test_fork_that_is_refused_keeps_the_client_and_serves_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = os.fork
    refused: list[bool] = []

    def refuse() -> int:
        if len(refused) < 2:
            refused.append(True)
            raise BlockingIOError(errno.EAGAIN, "no more")
        return real()

    monkeypatch.setattr(os, "fork", refuse)
    recorder = Recorder()
    with serving(tcp().forked().observe(recorder).handler(greet)) as server:
        answer = ask(server.address, b"")
        server.drain()

    assert answer == b"hello"
    (paused,) = recorder.of(AcceptPaused)
    assert paused.cause is not None
    assert paused.cause.errno == errno.EAGAIN
    assert [resumed.attempts for resumed in recorder.of(AcceptResumed)] == [2]
    assert server.stats.finished == 1


def test_client_whose_fork_was_refused_is_served_by_a_drain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = os.fork

    def refuse() -> int:
        if server.fileno() >= 0:  # as long as the port is open
            raise BlockingIOError(errno.EAGAIN, "no more")
        return real()

    monkeypatch.setattr(os, "fork", refuse)
    recorder = Recorder()
    with serving(tcp().forked().observe(recorder).handler(greet)) as server:
        client = Call(lambda: ask(server.address, b""))
        recorder.wait_for(AcceptPaused)

        report = server.drain()

        assert client.result() == b"hello"
    assert (report.finished, report.cut) == (1, 0)


def test_warning_comes_once_when_other_threads_run(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    with serving(tcp().forked().handler(greet)) as server:
        for _ in range(3):
            ask(server.address, b"")

    told = [warning for warning in recwarn if warning.category is ForkWithThreadsWarning]
    assert len(told) == 1
    assert "main thread" in str(told[0].message)


def test_no_warning_comes_when_no_other_thread_runs(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    with tcp().forked().handler(greet).build() as server, connect(server.address) as client:
        assert threading.active_count() == 1
        client.shutdown(socket.SHUT_WR)
        server.handle_request()
        answer = read_all(client)

    assert answer == b"hello"
    assert not [warning for warning in recwarn if warning.category is ForkWithThreadsWarning]


def stubborn(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: request.sendall(b"T"))
    tell_pid(request, client_address, server)
    while True:
        signal.pause()


def test_cut_asks_a_child_with_sigterm_before_it_kills_it() -> None:
    recorder = Recorder()
    with serving(tcp().forked().observe(recorder).handler(stubborn)) as server:
        with connect(server.address) as client:
            pid = pid_of(client)
            report = server.drain(0.01)

            assert read_all(client) == b"T"
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert report.cut == 1
    assert [closed.outcome for closed in recorder.of(Closed)] == [Outcome.CUT]


def test_child_is_forked_safely_while_the_port_is_closed_by_another_thread() -> None:
    drains: list[Call] = []

    def drain(event: Event) -> None:
        if isinstance(event, Accepted):  # in the accept thread, just before the fork
            drains.append(Call(lambda: server.drain(PATIENCE / 2)))
            wait_until(lambda: server.fileno() == -1 and refuses(server.address))

    server = tcp().forked().observe(drain).handler(greet).build().start()

    answer = ask(server.address, b"")

    report = drains[0].result()
    assert answer == b"hello"
    assert (report.finished, report.cut) == (1, 0)
