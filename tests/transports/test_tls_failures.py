"""Clients that do not get through the handshake: why, and what that leaves behind."""

import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from acceptor import Closed, HandshakeFailed, HandshakeFailure, Outcome, ServerBuilder
from tests.core.kit import leave, reset, wait_for_active
from tests.support import Recorder, connect, open_descriptors, serving, wait_until
from tests.tls_files import handshake, pki
from tests.transports.tls_kit import begin_tls, echo_line, told


def _hello(context: ssl.SSLContext | None = None) -> bytes:
    """Return the first flight of a client's handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    it = (context or pki().trusting()).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        it.do_handshake()
    return outgoing.read()


def _sends(data: bytes) -> Callable[[Any], None]:
    def visit(address: Any) -> None:
        with connect(address) as client:
            client.sendall(data)
            client.recv(1000)
            leave(client)

    return visit


def _hangs_up(address: Any) -> None:
    leave(connect(address))


def _half_a_hello(address: Any) -> None:
    hello = _hello()
    with connect(address) as client:
        client.sendall(hello[:50])
        leave(client)


def _resets(address: Any) -> None:
    hello = _hello()
    with connect(address) as client:
        client.sendall(hello)
        assert client.recv(1)
        reset(client)


def _too_old(address: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    _fails(address, context)


def _other_ciphers(address: Any) -> None:
    context = pki().trusting(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # our key is no RSA key
    _fails(address, context)


def _no_trust(address: Any) -> None:
    _fails(address, ssl.create_default_context(cafile=pki().foreign.cert))


def _fails(address: Any, context: ssl.SSLContext) -> None:
    """Fail in the handshake, or, with TLS 1.3, in the first read after it."""
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        handshake(connect(address), context) as client,
    ):
        client.recv(1)


_FAILURES = [
    ("http", _sends(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), HandshakeFailure.NOT_TLS),
    ("garbage", _sends(b"\0garbage\xff" * 100), HandshakeFailure.NOT_TLS),
    ("text", _sends(b"EHLO example.org\r\n"), HandshakeFailure.NOT_TLS),
    ("hangs_up", _hangs_up, HandshakeFailure.CLIENT_LEFT),
    ("half_a_hello", _half_a_hello, HandshakeFailure.CLIENT_LEFT),
    ("resets", _resets, HandshakeFailure.CLIENT_LEFT),
    ("too_old", _too_old, HandshakeFailure.NO_SHARED_VERSION),
    ("other_ciphers", _other_ciphers, HandshakeFailure.NO_SHARED_VERSION),
    ("no_trust", _no_trust, HandshakeFailure.REJECTED),
]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
@pytest.mark.parametrize(
    ("visit", "reason"), [case[1:] for case in _FAILURES], ids=[case[0] for case in _FAILURES]
)
def test_a_failed_handshake_is_told_with_its_reason_and_leaves_nothing(
    visit: Callable[[Any], None], reason: HandshakeFailure, strategy: str
) -> None:
    recorder = Recorder()

    with (
        told() as hears,
        serving(begin_tls(strategy).observe(hears).observe(recorder).handler(echo_line)) as server,
    ):
        before = open_descriptors()
        visit(server.address)

        assert hears.hear() == f"HandshakeFailed {reason.name} 1"
        (closed,) = recorder.wait_for(Closed)
        wait_for_active(server, 0)
        wait_until(lambda: open_descriptors() <= before, "the descriptor is closed")
    assert closed.outcome is Outcome.HANDSHAKE_FAILED
    assert (closed.received, closed.sent) == (0, 0)
    assert server.stats.handshake_failed == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("whose", ["none", "foreign", "expired"])
def test_a_bad_client_certificate_is_told_as_such(whose: str, version: ssl.TLSVersion) -> None:
    recorder = Recorder()
    own = [] if whose == "none" else [getattr(pki(), whose)]

    with serving(begin_tls(client_ca=pki().ca).observe(recorder).handler(echo_line)) as server:
        _fails(server.address, pki().trusting(*own, maximum_version=version))
        (failed,) = recorder.wait_for(HandshakeFailed)
        (closed,) = recorder.wait_for(Closed)

    assert failed.reason is HandshakeFailure.BAD_CERTIFICATE
    assert closed.outcome is Outcome.HANDSHAKE_FAILED


def test_the_client_is_told_why_its_certificate_is_refused() -> None:
    with (
        serving(begin_tls(client_ca=pki().ca).handler(echo_line)) as server,
        pytest.raises(ssl.SSLError) as caught,
        pki().connect(server.address) as client,
    ):
        client.recv(1)

    assert "CERTIFICATE_REQUIRED" in str(caught.value)


def test_a_failed_handshake_costs_one_line_of_log_and_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder()
    with serving(begin_tls().observe(recorder).handler(echo_line)) as server:
        with caplog.at_level(logging.INFO, "acceptor"):
            _sends(b"GET / HTTP/1.1\r\n\r\n")(server.address)
            recorder.wait_for(Closed)

        (record,) = [one for one in caplog.records if one.levelno >= logging.INFO]
        assert record.levelname == "INFO"
        assert record.exc_info is None
        assert "not TLS" in record.getMessage()
        assert "\n" not in record.getMessage()


def test_a_client_that_was_gone_before_its_turn_has_left() -> None:
    recorder = Recorder()
    stage: Any = ServerBuilder().tcp(("127.0.0.1", 0)).sync()
    stage = stage.access(lambda peer: True).tls(pki().server.cert, pki().server.key)

    with serving(stage.observe(recorder).handler(echo_line)) as server:
        with connect(server.address) as first:  # it has the only worker
            wait_for_active(server, 1)
            with connect(server.address) as gone:
                gone.sendall(_hello())
                reset(gone)
            first.shutdown(socket.SHUT_RDWR)
        failed = recorder.wait_for(HandshakeFailed, 2)

    assert [one.reason for one in failed] == [HandshakeFailure.CLIENT_LEFT] * 2
