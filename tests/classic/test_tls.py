"""TLS for classic servers by a mix-in: off the accept loop."""

import http.server
import logging
import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import acceptor.classic as socketserver
from acceptor import ConfigurationError
from acceptor.classic.tls import TLSMixIn
from tests.support import PATIENCE, read_all, wait_until

CERTIFICATE = Path(__file__).parent.with_name("server.pem")


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


class Shout(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.request, ssl.SSLSocket)
        self.wfile.write(self.rfile.readline().upper())


class Threading(TLSMixIn, socketserver.ThreadingTCPServer):
    tls_context = server_context()


class Forking(TLSMixIn, socketserver.ForkingTCPServer):
    tls_context = server_context()


class Plain(TLSMixIn, socketserver.TCPServer):
    tls_context = server_context()


@contextmanager
def serving(kind: type[Any], handler: type[Any] = Shout) -> Generator[Any, None, None]:
    with kind(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def secured(address: Any) -> Generator[ssl.SSLSocket, None, None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(CERTIFICATE)
    with (
        socket.create_connection(address, timeout=PATIENCE) as plain,
        context.wrap_socket(plain, suppress_ragged_eofs=False) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", [Threading, Forking, Plain])
def test_request_speaks_tls_and_ends_with_a_goodbye(kind: type[Any]) -> None:
    with serving(kind) as server, secured(server.server_address) as client:
        client.sendall(b"hello\n")

        assert read_all(client) == b"HELLO\n"  # a ragged end would raise


@pytest.mark.parametrize("kind", [Threading, Forking])
def test_client_that_says_nothing_holds_up_nobody(kind: type[Any]) -> None:
    with serving(kind) as server, socket.create_connection(server.server_address) as silent:
        for _ in range(5):
            with secured(server.server_address) as client:
                client.sendall(b"hello\n")
                assert read_all(client) == b"HELLO\n"
        silent.shutdown(socket.SHUT_RDWR)


def test_client_that_says_nothing_is_closed_in_time(caplog: pytest.LogCaptureFixture) -> None:
    class Hasty(Plain):
        handshake_timeout = 0.05

    caplog.set_level(logging.INFO, "acceptor")
    with serving(Hasty) as server, socket.create_connection(server.server_address) as silent:
        silent.settimeout(PATIENCE)
        assert read_all(silent) == b""

    assert ["no handshake within" in message for message in caplog.messages] == [True]


def test_client_that_talks_plainly_is_closed_with_a_line_of_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "acceptor")
    with serving(Threading) as server, socket.create_connection(server.server_address) as client:
        client.settimeout(PATIENCE)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"HTTP" not in read_all(client)
        wait_until(lambda: caplog.messages)

    assert "not TLS" in caplog.text
    assert capsys.readouterr().err == ""


def test_server_without_a_context_says_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    class Bare(TLSMixIn, socketserver.TCPServer):
        pass

    with (
        serving(Bare) as server,
        socket.create_connection(server.server_address, timeout=PATIENCE) as client,
    ):
        assert read_all(client) == b""

    assert "Bare has no tls_context" in capsys.readouterr().err
    with Bare(("127.0.0.1", 0), Shout) as server, pytest.raises(ConfigurationError):
        server.finish_request(None, None)


def test_http_server_of_the_standard_library_speaks_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    monkeypatch.chdir(tmp_path)
    (tmp_path / "page").write_text("hello\n")
    with serving(Threading, Files) as server, secured(server.server_address) as client:
        client.sendall(b"GET /page HTTP/1.0\r\n\r\n")

        assert read_all(client).endswith(b"\r\n\r\nhello\n")
