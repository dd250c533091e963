"""Who would wait for itself is told so, instead of waiting for ever."""

import signal
import socket
import threading
from typing import Any

import pytest

from acceptor import Accepted, Draining, Event, SelfWaitError, Server
from tests.fakes import Call, attempt, drain_meanwhile, greet, held, hold, let_go, tcp
from tests.support import Recorder, ask, connect, serving

WAITS = ["wait", "drain", "stop"]


@pytest.fixture(params=["sync", "threaded", "pooled", "forked"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def wait_for_oneself(
    request: socket.socket, client_address: object, server: Server[Any, Any]
) -> None:
    """Tell the client what each of the calls that wait says to a handler."""
    for call in WAITS:
        try:
            getattr(server, call)()
        except SelfWaitError as error:
            request.sendall(f"{error}\n".encode())


def test_handler_that_would_wait_for_itself_is_told_what_to_call(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(wait_for_oneself)) as server:
        answers = ask(server.address, b"").decode().splitlines()

        assert len(ask(server.address, b"").splitlines()) == 3
    assert [answer.partition(":")[0] for answer in answers] == [
        "cannot wait here",
        "cannot drain here",
        "cannot stop here",
    ]
    assert all("call shutdown()" in answer for answer in answers)


def test_handler_is_told_so_during_a_drain_too() -> None:
    def stop(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        hold(request, client_address, server)
        wait_for_oneself(request, client_address, server)

    with serving(tcp().threaded().handler(stop)) as server, held(server.address) as client:
        drain = drain_meanwhile(server)

        assert let_go(client) == b"?"
        assert drain.result().finished == 1


def test_observer_in_the_accept_thread_is_told_so() -> None:
    refused: list[SelfWaitError] = []

    def stop(event: Event) -> None:
        if isinstance(event, Accepted):
            with pytest.raises(SelfWaitError) as caught:
                server.stop()
            refused.append(caught.value)

    server = tcp().threaded().observe(stop).handler(greet).build().start()
    answer = ask(server.address, b"")
    server.stop()

    assert answer == b"hello"
    assert len(refused) == 1


def test_policy_is_told_so_and_denies() -> None:
    recorder = Recorder()
    stage = tcp().threaded().access(lambda peer: bool(server.stop())).observe(recorder)
    server = stage.handler(greet).build().start()

    answer = ask(server.address, b"")

    server.stop()
    assert answer == b""
    assert server.stats.refused == 1


@pytest.mark.parametrize("call", WAITS)
def test_signal_handler_on_top_of_serve_forever_is_told_so(call: str) -> None:
    refused: list[SelfWaitError] = []

    def on_signal(*_: object) -> None:
        with pytest.raises(SelfWaitError) as caught:
            getattr(server, call)()
        refused.append(caught.value)
        server.shutdown()

    def interrupt() -> None:
        with connect(server.address) as client:
            client.recv(5)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    with tcp().handler(greet).build() as server:
        before = signal.signal(signal.SIGUSR1, on_signal)
        try:
            client = Call(interrupt)
            server.serve_forever()
        finally:
            signal.signal(signal.SIGUSR1, before)
        client.result()

    assert len(refused) == 1


class SignallingLock:
    """A lock whose first holder meets a signal while it holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calm = False

    def __enter__(self) -> None:
        assert self._lock.acquire(timeout=1.0), "waits for a lock that its own thread holds"
        if not self._calm:
            self._calm = True
            signal.raise_signal(signal.SIGUSR1)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.mark.parametrize("call", [*WAITS, "shutdown", "hurry", "pause"])
def test_signal_handler_never_waits_for_a_lock_that_the_serving_thread_holds(call: str) -> None:
    results: list[object] = []

    def on_signal(*_: object) -> None:
        try:
            results.append(getattr(server, call)())
        except (SelfWaitError, AssertionError) as error:
            results.append(error)

    def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        raise RuntimeError("only what has failed is counted under the lock")

    with tcp().handler(fail).build() as server:
        assert server._loop is not None
        server._loop.intake.admission._lock = SignallingLock()  # type: ignore[assignment]
        before = signal.signal(signal.SIGUSR1, on_signal)
        try:
            with connect(server.address):
                server.handle_request()
        finally:
            signal.signal(signal.SIGUSR1, before)

    assert len(results) == 1
    assert isinstance(results[0], SelfWaitError if call in WAITS else type(None))


def test_thread_that_a_handler_started_may_wait_for_the_server() -> None:
    calls: list[Call] = []

    def drain_elsewhere(request: socket.socket, peer: object, server: Server[Any, Any]) -> None:
        calls.append(Call(server.drain))

    server = tcp().threaded().handler(drain_elsewhere).build().start()
    ask(server.address, b"")

    assert server.drain() is calls[0].result()


def test_stop_is_refused_to_an_observer_of_its_own_drain() -> None:
    told: list[object] = []

    def stop_at_once(event: Event) -> None:
        if isinstance(event, Draining):
            told.append(attempt(server.stop))

    server = tcp().observe(stop_at_once).handler(greet).build().start()
    server.drain()

    assert [type(error) for error in told] == [SelfWaitError]
