"""The server's deadlines, and its end, behind TLS."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptor import Closed, DeadlineError, HandshakeFailed, Outcome, Server
from tests.core.kit import begin_drain, leave, wait_for_active
from tests.fakes import attempt
from tests.support import Recorder, connect, serving, wait_until
from tests.tls_files import pki
from tests.transports.tls_kit import STRATEGIES, begin_tls, layered

_MUCH = bytes(2**24)


def _read(request: ssl.SSLSocket) -> object:
    return request.recv(1)


def _read_a_file(request: ssl.SSLSocket) -> object:
    with request.makefile("rb") as file:
        return file.read(1)


def _read_again(request: ssl.SSLSocket) -> object:
    request.sendall(b"!")
    request.recv(1)
    return request.recv(1)


def _write(request: ssl.SSLSocket) -> object:
    request.sendall(_MUCH)
    return None


def _unwrap(request: ssl.SSLSocket) -> object:
    return request.unwrap()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("act", "limit"),
    [
        (_read, "first_data"),
        (_read_a_file, "first_data"),
        (_read_again, "idle"),
        (_write, "write"),
        (_unwrap, "first_data"),
        (_read, "connection"),
    ],
)
def test_each_limit_ends_the_wait_of_a_handler(
    act: Callable[[ssl.SSLSocket], object], limit: str, strategy: str
) -> None:
    recorder = Recorder()
    limits: dict[str, Any] = {"first_data": 60.0, "idle": 60.0, "write": 60.0, limit: 0.2}

    def handle(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        act(request)

    stage = begin_tls(strategy).timeouts(**limits).observe(recorder)
    with serving(stage.handler(handle)) as server, pki().connect(server.address) as client:
        if limit == "idle":
            assert client.recv(1) == b"!"
            client.sendall(b"?")
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT
    assert closed.elapsed < 30.0


def test_a_limit_is_told_by_an_error_that_names_it() -> None:
    caught: list[object] = []

    def handle(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        caught.append(attempt(lambda: request.recv(1)))

    recorder = Recorder()
    stage = begin_tls().timeouts(first_data=0.1, handshake=60.0).observe(recorder)
    with serving(stage.handler(handle)) as server, pki().connect(server.address):
        (closed,) = recorder.wait_for(Closed)

    (error,) = caught
    assert isinstance(error, DeadlineError)
    assert "0.1 s" in str(error)
    assert closed.outcome is Outcome.TIMED_OUT  # also if the handler makes nothing of it


def test_a_reader_that_is_slow_but_reads_has_the_write_limit_for_each_part() -> None:
    recorder, pause = Recorder(), threading.Event()

    def handle(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        request.sendall(_MUCH)

    stage = begin_tls().timeouts(write=1.0).observe(recorder)
    with serving(stage.handler(handle)) as server:
        with pki().connect(server.address) as client:
            for _ in range(30):  # longer than the limit in all, never so long at once
                assert all(client.recv(2**14) for _ in range(20))
                pause.wait(0.05)
            while client.recv(2**16):
                pass
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.FINISHED
    assert closed.sent == len(_MUCH)


def test_a_time_of_the_handlers_own_holds_and_none_is_the_servers_again() -> None:
    caught: list[object] = []
    recorder = Recorder()

    def handle(request: ssl.SSLSocket, client_address: object, server: object) -> None:
        caught.append(request.gettimeout())
        request.settimeout(0.1)
        caught.append(request.gettimeout())
        caught.append(type(attempt(lambda: request.recv(1))))
        request.setblocking(False)
        caught.append(type(attempt(lambda: request.recv(1))))
        request.settimeout(None)
        caught.append(type(attempt(lambda: request.recv(1))))

    stage = begin_tls().timeouts(first_data=0.2).observe(recorder)
    with serving(stage.handler(handle)) as server, pki().connect(server.address):
        recorder.wait_for(Closed)

    assert caught == [None, 0.1, TimeoutError, ssl.SSLWantReadError, DeadlineError]


def _hold(request: socket.socket, client_address: object, server: object) -> None:
    request.sendall(b"!")
    request.sendall(request.recv(1) or b".")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_drain_lets_a_request_finish(strategy: str) -> None:
    recorder = Recorder()

    with serving(begin_tls(strategy).observe(recorder).handler(_hold)) as server:
        with pki().connect(server.address) as client:
            assert client.recv(1) == b"!"
            drain = begin_drain(server, recorder)
            client.sendall(b"?")
            assert client.recv(2) == b"?"
            assert client.recv(1) == b""
            leave(client)
        report = drain.result()

    assert (report.finished, report.cut) == (1, 0)


def _drain_now(server: Server[Any, Any]) -> None:
    server.drain(0.0)


def _stop(server: Server[Any, Any]) -> None:
    server.stop()


def _close_connection(server: Server[Any, Any]) -> None:
    assert server.close_connection(1)


@pytest.mark.parametrize("end", [_drain_now, _stop, _close_connection])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_cut_ends_a_blocked_read_at_once(
    strategy: str, end: Callable[[Server[Any, Any]], None]
) -> None:
    recorder = Recorder()

    with (
        serving(begin_tls(strategy).observe(recorder).handler(_hold)) as server,
        pki().connect(server.address) as client,
    ):
        assert client.recv(1) == b"!"
        end(server)
        (closed,) = recorder.wait_for(Closed)
        with contextlib.suppress(OSError):
            assert client.recv(1) in (b"", b".")

    assert closed.outcome is Outcome.CUT
    assert closed.elapsed < 30.0


@pytest.mark.parametrize("end", [_drain_now, _stop, _close_connection])
@pytest.mark.parametrize("way", ["tls", "proxy", "proxy+tls"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_cut_ends_a_blocked_handshake_at_once(
    strategy: str, way: str, end: Callable[[Server[Any, Any]], None], tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = layered(way, "tcp", strategy, tmp_path).timeouts(handshake=None, connection=None)

    with serving(stage.observe(recorder).handler(_hold)) as server, connect(server.address):
        wait_for_active(server, 1)
        wait_until(lambda: server.connections()[0].worker is not None, "it has a worker")
        end(server)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.CUT
    assert len(recorder.of(HandshakeFailed)) <= 1
