"""Clients that say nothing, or next to nothing, while others want to be served."""

import threading
from pathlib import Path

import pytest

from acceptor import Closed, HandshakeFailed, HandshakeFailure, Outcome, RequestState
from tests.core.kit import leave, wait_for_active
from tests.support import Recorder, connect, serving
from tests.tls_files import pki
from tests.transports.proxy_headers import v1
from tests.transports.tls_kit import (
    STRATEGIES,
    WAYS,
    begin,
    echo_line,
    enter,
    layered,
    say,
    told,
)

_TLS_RECORD = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the first bytes of a ClientHello


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
@pytest.mark.parametrize("way", WAYS)
def test_one_silent_client_holds_up_no_other(way: str, strategy: str, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = layered(way, "tcp", strategy, tmp_path).timeouts(handshake=60.0)
    context = pki().trusting()

    with (
        serving(stage.observe(recorder).handler(echo_line)) as server,
        connect(server.address) as silent,
    ):
        wait_for_active(server, 1)

        answers = [say(enter(server.address, way, context)) for _ in range(100)]

        assert answers == [b"hello\n"] * 100
        recorder.wait_for(Closed, 100)
        wait_for_active(server, 1)  # a slot is given back right after it is told of
        (still,) = server.connections()
        assert still.id == 1
        assert still.state in (RequestState.HANDSHAKE, RequestState.HANDLING)  # forked tells less
        leave(silent)
        (closed,) = recorder.wait_for(Closed, where=lambda event: event.id == 1)
    assert closed.outcome is Outcome.HANDSHAKE_FAILED


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("way", WAYS)
def test_a_silent_client_fails_with_timeout(
    way: str, strategy: str, transport: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = layered(way, transport, strategy, tmp_path).timeouts(handshake=0.1)

    with told() as hears, serving(stage.observe(hears).observe(recorder).handler(echo_line)) as it:
        with connect(it.address) as silent:
            assert hears.hear() == "HandshakeFailed TIMEOUT 1"
            (closed,) = recorder.wait_for(Closed)
            assert silent.recv(1) == b""

        wait_for_active(it, 0)
        assert closed.outcome is Outcome.HANDSHAKE_FAILED
        assert it.stats.handshake_failed == 1


def test_sync_goes_on_with_others_after_the_deadline_of_a_silent_client(tmp_path: Path) -> None:
    stage = layered("tls", "tcp", "sync", tmp_path).timeouts(handshake=0.5)

    with serving(stage.handler(echo_line)) as server, connect(server.address):
        wait_for_active(server, 1)
        with connect(server.address) as waits:
            # Its own handshake begins when its turn has come.
            answer = say(pki().trusting().wrap_socket(waits, server_hostname="localhost"))

    assert answer == b"hello\n"


def test_a_client_that_stops_after_the_proxy_header_fails_with_timeout(tmp_path: Path) -> None:
    recorder = Recorder()
    stage = layered("proxy+tls", "tcp", "threaded", tmp_path).timeouts(handshake=0.2)

    with (
        serving(stage.observe(recorder).handler(echo_line)) as server,
        connect(server.address) as client,
    ):
        client.sendall(v1())
        (failed,) = recorder.wait_for(HandshakeFailed)

    assert failed.reason is HandshakeFailure.TIMEOUT
    assert getattr(failed.peer, "host", None) == "192.0.2.1"


@pytest.mark.parametrize(
    ("way", "beginning"),
    [("tls", _TLS_RECORD), ("proxy", b"PROXY TCP4 192.0.2.1 "), ("proxy+tls", _TLS_RECORD)],
)
def test_a_client_that_drips_cannot_outlive_the_deadline(
    way: str, beginning: bytes, tmp_path: Path
) -> None:
    recorder, ended = Recorder(), threading.Event()
    recorded = layered(way, "tcp", "threaded", tmp_path).timeouts(handshake=0.5).observe(recorder)
    drops = beginning + bytes(10_000)

    with serving(recorded.handler(echo_line)) as server, connect(server.address) as client:
        client.setsockopt(6, 1, 1)  # TCP_NODELAY
        if way == "proxy+tls":
            client.sendall(v1())
        for at in range(len(drops)):
            try:
                client.sendall(drops[at : at + 1])
            except ConnectionError:
                break
            if recorder.of(HandshakeFailed):
                break
            ended.wait(0.01)  # the next byte comes now and then
        (failed,) = recorder.wait_for(HandshakeFailed)

    assert failed.reason is HandshakeFailure.TIMEOUT


def test_a_deadline_of_zero_is_a_timeout_and_nothing_else(tmp_path: Path) -> None:
    recorder = Recorder()
    stage = begin("tcp", "threaded", tmp_path).tls(pki().server.cert, pki().server.key)

    with (
        serving(stage.timeouts(handshake=0).observe(recorder).handler(echo_line)) as server,
        connect(server.address),
    ):
        (failed,) = recorder.wait_for(HandshakeFailed)

    assert failed.reason is HandshakeFailure.TIMEOUT
