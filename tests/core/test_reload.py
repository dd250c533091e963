"""Certificates that are read again while a server goes on: by a call, and by SIGHUP."""

import signal
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    Reloaded,
    ReloadFailed,
    ServerBuilder,
    allow_networks,
)
from tests.fakes import greet
from tests.programs import program
from tests.support import Recorder, serving
from tests.tls_files import pki
from tests.transports.tls_kit import echo_line


def _serial(client: ssl.SSLSocket) -> str:
    certificate: Any = client.getpeercert()
    return str(certificate["serialNumber"])


def _serial_of(address: Any) -> str:
    with pki().connect(address) as client:
        return _serial(client)


def _echo_lines(request: socket.socket, client_address: object, server: object) -> None:
    with request.makefile("rb") as file:
        for line in file:
            request.sendall(line)


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_reload_shows_new_clients_the_new_certificate_and_leaves_the_old_alone(
    strategy: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    files = pki().server.copy(tmp_path)
    stage: Any = getattr(ServerBuilder().tcp(("127.0.0.1", 0)), strategy)()
    stage = stage.tls(files.cert, files.key, sni={"localhost": (files.cert, files.key)})

    with (
        serving(stage.observe(recorder).handler(_echo_lines)) as server,
        pki().connect(server.address) as old,
    ):
        before = _serial(old)
        pki().renewed.copy(tmp_path)
        assert _serial_of(server.address) == before
        server.reload()
        after = _serial_of(server.address)
        old.sendall(b"still here\n")
        answer = old.recv(100)
        old.shutdown(socket.SHUT_RDWR)

    assert after != before
    assert answer == b"still here\n"
    (reloaded,) = recorder.of(Reloaded)
    assert str(files.cert) in reloaded.what[0]


def test_a_bad_file_keeps_what_there_was(tmp_path: Path) -> None:
    recorder = Recorder()
    files = pki().server.copy(tmp_path)
    stage: Any = ServerBuilder().tcp(("127.0.0.1", 0)).threaded()
    stage = stage.tls(files.cert, files.key, password="not to be told").observe(recorder)

    with serving(stage.handler(echo_line)) as server:
        before = _serial_of(server.address)
        files.cert.write_text("half a certif")
        with pytest.raises(ConfigurationError, match=r"server\.pem"):
            server.reload()
        assert _serial_of(server.address) == before
        (failed,) = recorder.of(ReloadFailed)
        pki().renewed.copy(tmp_path)
        server.reload()
        assert _serial_of(server.address) != before

    assert isinstance(failed.error, ConfigurationError)
    assert recorder.of(Reloaded)[0].what[0].count("not to be told") == 0


def test_a_new_client_ca_is_read_again(tmp_path: Path) -> None:
    ca = tmp_path / "clients.pem"
    ca.write_bytes(pki().foreign.cert.read_bytes())
    stage: Any = ServerBuilder().tcp(("127.0.0.1", 0)).threaded()
    stage = stage.tls(pki().server.cert, pki().server.key, client_ca=ca)

    with serving(stage.handler(greet)) as server:
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            pki().connect(server.address, pki().client) as client,
        ):
            client.recv(1)
        ca.write_bytes(pki().ca.read_bytes())
        server.reload()
        with pki().connect(server.address, pki().client) as client:
            assert client.recv(10) == b"hello"


def test_reload_needs_something_to_read() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki().server.cert, pki().server.key)
    server = (
        ServerBuilder()
        .tcp(("127.0.0.1", 0))
        .access(allow_networks("::/0"))
        .tls(context)
        .handler(greet)
        .build()
    )

    assert not server.has_files
    with pytest.raises(ConfigurationError, match="nothing was read from a file"):
        server.reload()


_PROGRAM = """
def note(event):
    if isinstance(event, Reloaded | ReloadFailed):
        say("told", type(event).__name__)

def serve(*servers):
    run(*servers, on_ready=lambda: [say("port", server.address.port) for server in servers])
    say("ended")

def tls():
    return (
        tcp().threaded().tls("{cert}", "{key}").observe(note)
        .handler(lambda request, client_address, server: request.sendall(b"hello")).build()
    )
"""


@pytest.mark.parametrize("count", [1, 2])
def test_sighup_has_the_certificates_read_again_under_run(count: int, tmp_path: Path) -> None:
    files = pki().server.copy(tmp_path)
    source = _PROGRAM.format(cert=files.cert, key=files.key)
    servers = ", ".join(["tls()"] * count)

    with program(source + f"\nserve({servers})\n") as it:
        addresses = [it.address() for _ in range(count)]
        before = {_serial_of(address) for address in addresses}
        pki().renewed.copy(tmp_path)
        it.signal(signal.SIGHUP)
        assert [it.hear("told") for _ in range(count)] == [["Reloaded"]] * count
        after = {_serial_of(address) for address in addresses}
        files.cert.write_text("nothing")
        it.signal(signal.SIGHUP)
        assert [it.hear("told") for _ in range(count)] == [["ReloadFailed"]] * count
        assert {_serial_of(address) for address in addresses} == after
        it.signal(signal.SIGTERM)
        it.hear("ended")
        code, said = it.end()

    assert len(before) == len(after) == 1
    assert before != after
    assert code == 0
    assert "Traceback" not in said


def test_sighup_is_left_alone_where_there_is_nothing_to_read() -> None:
    source = """
    server = tcp().threaded().handler(lambda *arguments: None).build()
    run(server, on_ready=lambda: say("port", server.address.port))
    """

    with program(source) as it:
        it.address()
        it.signal(signal.SIGHUP)
        code, _ = it.end()

    assert code == -signal.SIGHUP
