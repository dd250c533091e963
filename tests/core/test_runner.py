"""Running servers as a program: they begin and end together, whatever happens."""

import errno
import signal
import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    DrainReport,
    LifecycleError,
    ListenError,
    Phase,
    Ready,
    Server,
    ServerBuilder,
    run,
)
from acceptor.core.runner import SIGNALS
from tests.fakes import Call, FakeIncoming, ScriptedListener, greet, in_phase, scripted, tcp
from tests.support import ask, connect, wait_until


@pytest.fixture(autouse=True)
def puts_the_signal_handlers_back() -> Generator[None, None, None]:
    ours = [lambda *_: None for _ in SIGNALS]
    before = [signal.signal(*pair) for pair in zip(SIGNALS, ours, strict=True)]

    yield

    now = [signal.signal(*pair) for pair in zip(SIGNALS, before, strict=True)]
    assert now == ours


def shutting_down(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    request.sendall(b"hello")
    server.shutdown()


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
def test_run_serves_until_shutdown_and_returns_the_report(strategy: str) -> None:
    server = getattr(tcp(), strategy)().handler(shutting_down).build().listen()
    client = Call(lambda: ask(server.address, b""))

    report = server.run()

    assert client.result() == b"hello"
    assert isinstance(report, DrainReport)
    assert server.drain() is report


def test_run_ends_all_servers_when_one_is_shut_down_and_reports_in_order() -> None:
    servers = [tcp().threaded().handler(shutting_down).build() for _ in range(3)]
    asked: list[Call] = []

    reports = run(
        *servers, on_ready=lambda: asked.append(Call(lambda: ask(servers[1].address, b"")))
    )

    assert asked[0].result() == b"hello"
    assert all(server.phase is Phase.CLOSED for server in servers)
    assert [server.drain() for server in servers] == list(reports)


def test_run_calls_on_ready_once_when_all_listen_and_signals_are_handled() -> None:
    seen: list[object] = []

    def on_ready() -> None:
        seen.append([server.phase for server in servers])
        seen.append(signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGINT))
        for server in servers:
            connect(server.address).close()
        servers[0].shutdown()

    servers = [tcp().handler(greet).build() for _ in range(2)]

    run(*servers, on_ready=on_ready)

    assert seen == [[Phase.LISTENING, Phase.LISTENING], True]


def test_run_accepts_servers_that_listen_already() -> None:
    server = tcp().handler(greet).build().listen()
    server.shutdown()

    (report,) = run(server)

    assert (report.finished, report.cut) == (0, 0)


def test_run_closes_the_others_when_one_cannot_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken = ServerBuilder().tcp(owner.getsockname()).handler(greet).build()
        servers = [tcp().handler(greet).build(), taken, tcp().handler(greet).build()]

        with pytest.raises(ListenError):
            run(*servers, on_ready=lambda: pytest.fail("not all of them listen"))

    assert all(server.phase is Phase.CLOSED for server in servers)


def test_run_closes_all_when_on_ready_raises() -> None:
    server = tcp().handler(greet).build()

    def on_ready() -> None:
        raise ValueError("oh no")

    with pytest.raises(ValueError, match="oh no"):
        run(server, on_ready=on_ready)

    assert server.phase is Phase.CLOSED


def broken() -> tuple[ScriptedListener, Ready[Any, Any]]:
    listener, stage = scripted(OSError(errno.EBADF, "it broke"))
    return listener, stage.handler(lambda *_: None)


@pytest.mark.parametrize("others", [0, 2])
def test_run_raises_what_broke_a_server_once_all_have_ended(others: int) -> None:
    listener, ready = broken()
    servers: list[Server[Any, Any]] = [tcp().handler(greet).build() for _ in range(others)]
    servers.append(ready.build())

    with pytest.raises(OSError, match="it broke"):
        run(*servers)

    assert all(server.phase is Phase.CLOSED for server in servers)
    assert listener.history[-1] == "closed"


def test_run_closes_the_others_when_one_is_closed_already() -> None:
    servers = [tcp().handler(greet).build() for _ in range(2)]
    servers[1].stop()

    with pytest.raises(LifecycleError, match="the server is closed"):
        run(*servers)

    assert servers[0].phase is Phase.CLOSED


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("count", [1, 2])
def test_run_drains_when_the_signal_comes_before_anything_is_served(
    number: signal.Signals, count: int
) -> None:
    servers = [tcp().handler(greet).build() for _ in range(count)]

    def on_ready() -> None:
        signal.raise_signal(number)
        wait_until(lambda: all(in_phase(server, Phase.CLOSED) for server in servers))

    reports = run(*servers, on_ready=on_ready)

    assert [(report.finished, report.cut) for report in reports] == [(0, 0)] * count


def test_run_leaves_no_thread_in_the_list_when_it_was_ended_by_a_signal() -> None:
    before = set(threading.enumerate())
    for _ in range(5):
        servers = [tcp().handler(greet).build() for _ in range(2)]
        run(*servers, on_ready=lambda: signal.raise_signal(signal.SIGTERM))

    wait_until(lambda: set(threading.enumerate()) <= before)


def test_run_drains_when_the_signal_comes_before_all_listen() -> None:
    class SignalledTransport:
        def listen(self) -> ScriptedListener:
            signal.raise_signal(signal.SIGTERM)
            wait_until(lambda: in_phase(first, Phase.CLOSED))
            return ScriptedListener.of([FakeIncoming()])

    first = tcp().handler(greet).build()
    second = ServerBuilder().transport(SignalledTransport()).handler(lambda *_: None).build()

    reports = run(first, second)

    assert [report.cut for report in reports] == [0, 0]
    assert in_phase(second, Phase.CLOSED)


@pytest.mark.parametrize("given", [[], None, tcp().handler(greet)], ids=["list", "none", "stage"])
def test_run_refuses_what_is_no_server_and_opens_nothing(given: Any) -> None:
    server = tcp().handler(greet).build()

    with pytest.raises(
        ConfigurationError, match=r"run takes servers, as build\(\) makes them, got"
    ):
        run(server, given)

    assert server.phase is Phase.NEW


def test_run_is_refused_outside_the_main_thread_and_opens_nothing() -> None:
    server = tcp().handler(greet).build()

    error = Call(server.run).result()

    assert isinstance(error, LifecycleError)
    assert "main thread" in str(error)
    assert "start()" in str(error)
    assert server.phase is Phase.NEW
