"""STARTTLS: a handler that goes on with TLS, through real servers."""

import contextlib
import ssl
from collections.abc import Generator
from typing import Any

import pytest

from acceptor import (
    Closed,
    ConfigurationError,
    DatagramHandler,
    HandlerFailed,
    HandshakeFailed,
    Outcome,
    ServerBuilder,
    StreamHandler,
    UnsupportedError,
    tls_view,
)
from acceptor.testing import MemoryTransport
from tests.core.kit import begin_drain, ending, leave
from tests.support import Recorder, connect, serving
from tests.tls_files import handshake, pki
from tests.transports.tls_kit import STRATEGIES, told

_context: ssl.SSLContext


@pytest.fixture(autouse=True)
def context() -> None:
    global _context
    _context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _context.load_cert_chain(pki().server.cert, pki().server.key)


class Mail(StreamHandler):
    """Says what it got, line by line; after STARTTLS behind the version."""

    def handle(self) -> None:
        self.wfile.write(b"ready\n")
        prefix = b"plain"
        while line := self.rfile.readline():  # which `start_tls` puts another in place of
            if line == b"STARTTLS\r\n":
                self.wfile.write(b"go\n")
                prefix = tls_view(self.start_tls(_context)).version.encode()
            else:
                self.wfile.write(prefix + b" " + line)
                self.wfile.flush()


class Buffered(Mail):
    wbufsize = -1

    def handle(self) -> None:
        self.wfile.write(b"ready\n")
        assert self.rfile.readline() == b"STARTTLS\r\n"
        self.wfile.write(b"go\n")  # which `start_tls` flushes
        self.start_tls(_context)
        self.wfile.write(b"TLSv1.3 " + self.rfile.readline())


class Unbuffered(Mail):
    rbufsize = 0


def _server(handler: Any, strategy: str = "threaded") -> Any:
    stage: Any = getattr(ServerBuilder().tcp(("127.0.0.1", 0)), strategy)()
    return stage.handler(handler)


@contextlib.contextmanager
def _upgraded(address: Any) -> Generator[ssl.SSLSocket, None, None]:
    client = connect(address)
    client.sendall(b"STARTTLS\r\n")
    with client.makefile("rb", 0) as file:
        assert file.readline() == b"ready\n"
        assert file.readline() == b"go\n"
    with handshake(client, pki().trusting()) as secured:
        yield secured
        leave(secured)


@pytest.mark.parametrize("handler", [Mail, Buffered, Unbuffered])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rfile_and_wfile_go_on_behind_tls(strategy: str, handler: Any) -> None:
    recorder = Recorder()

    with serving(_server(handler, strategy).observe(recorder)) as server:
        with _upgraded(server.address) as client, client.makefile("rb") as file:
            client.sendall(b"NOOP\r\n")
            assert file.readline() == b"TLSv1.3 NOOP\r\n"
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.FINISHED
    assert closed.received == len(b"STARTTLS\r\nNOOP\r\n")
    assert closed.sent == len(b"ready\ngo\nTLSv1.3 NOOP\r\n")


@pytest.mark.parametrize("handler", [Mail, Unbuffered])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_was_slipped_in_before_the_handshake_is_never_handled(
    strategy: str, handler: Any
) -> None:
    recorder = Recorder()

    with (
        told() as hears,
        serving(_server(handler, strategy).observe(recorder).observe(hears)) as server,
    ):
        with connect(server.address) as client:
            client.sendall(b"STARTTLS\r\nINJECTED\r\n")
            got = ending(client)
            leave(client)
        # Unbuffered it is still in the socket, and TLS finds it.
        reason = "NOT_TLS" if handler is Unbuffered else "PLAIN_TEXT"
        assert hears.hear() == f"HandshakeFailed {reason} 1"
        (closed,) = recorder.wait_for(Closed)

    assert isinstance(got, bytes)
    assert b"INJECTED" not in got
    assert got.startswith(b"ready\ngo\n")
    assert closed.outcome is Outcome.HANDSHAKE_FAILED
    assert recorder.of(HandlerFailed) == []


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_handshake_has_its_deadline(strategy: str) -> None:
    recorder = Recorder()
    stage = _server(Mail, strategy).timeouts(handshake=0.2)

    with told() as hears, serving(stage.observe(recorder).observe(hears)) as server:
        with connect(server.address) as client:
            client.sendall(b"STARTTLS\r\n")
            assert hears.hear() == "HandshakeFailed TIMEOUT 1"
            leave(client)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.HANDSHAKE_FAILED


def test_the_servers_deadlines_hold_behind_it() -> None:
    recorder = Recorder()

    with (
        serving(_server(Mail).timeouts(idle=0.3).observe(recorder)) as server,
        _upgraded(server.address),
    ):
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT


def test_a_time_that_the_handler_has_set_before_holds_behind_it() -> None:
    class Impatient(Mail):
        timeout = 0.3

    recorder = Recorder()

    with serving(_server(Impatient).observe(recorder)) as server, _upgraded(server.address):
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT


def test_a_drain_waits_for_it_and_a_cut_ends_it() -> None:
    recorder = Recorder()

    with serving(_server(Mail).observe(recorder)) as server:
        with _upgraded(server.address) as stays, _upgraded(server.address) as leaves:
            drain = begin_drain(server, recorder)
            leaves.sendall(b"NOOP\r\n")
            assert leaves.recv(100) == b"TLSv1.3 NOOP\r\n"
            leave(leaves)
            recorder.wait_for(Closed)
            server.stop()
            with contextlib.suppress(ssl.SSLEOFError):  # a cut says no goodbye
                assert stays.recv(1) == b""
        report = drain.result()

    assert (report.finished, report.cut) == (1, 1)


def test_a_clients_context_is_refused_where_it_is_given() -> None:
    class Confused(StreamHandler):
        def handle(self) -> None:
            self.start_tls(ssl.create_default_context())

    recorder = Recorder()

    with serving(_server(Confused).observe(recorder)) as server:
        with connect(server.address) as client:
            assert ending(client) == b""
        (failed,) = recorder.wait_for(HandlerFailed)

    assert isinstance(failed.error, ConfigurationError)
    assert recorder.of(HandshakeFailed) == []


def test_a_memory_connection_knows_no_tls() -> None:
    recorder = Recorder()
    transport = MemoryTransport()
    stage = ServerBuilder().transport(transport).threaded().handler(Mail)

    with serving(stage.observe(recorder)), transport.connect() as client:
        client.sendall(b"STARTTLS\r\n")
        (failed,) = recorder.wait_for(HandlerFailed)

    assert isinstance(failed.error, UnsupportedError)


def test_a_datagram_knows_no_tls() -> None:
    assert not hasattr(DatagramHandler, "start_tls")
