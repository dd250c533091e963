"""Clients that are not ours: `openssl s_client` and curl."""

import shutil
import subprocess
from typing import Any

import pytest

from acceptor import Closed, Outcome
from tests.support import PATIENCE, Recorder, serving
from tests.tls_files import pki
from tests.transports.tls_kit import begin_tls, echo_line, tell_view

_BODY = bytes(range(256)) * 2**12
_VERSIONS = [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")]


def _serve_http(request: Any, client_address: object, server: object) -> None:
    with request.makefile("rb") as file:
        while file.readline().strip():
            pass
    request.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + _BODY)


def _run(
    program: str, *arguments: object, given: bytes = b""
) -> "subprocess.CompletedProcess[Any]":
    if shutil.which(program) is None:
        pytest.skip(f"{program} is missing")
    return subprocess.run(
        [program, *map(str, arguments)],
        input=given,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )


def _s_client(address: Any, *arguments: object, given: bytes = b"") -> Any:
    return _run(
        *("openssl", "s_client", "-connect", f"{address.host}:{address.port}"),
        *("-CAfile", pki().ca, "-verify_return_error", *arguments),
        given=given,
    )


def _curl(address: Any, *arguments: object) -> Any:
    place = f"localhost:{address.port}:{address.host}"
    url = f"https://localhost:{address.port}/"
    return _run("curl", "-sS", "--resolve", place, "--cacert", pki().ca, *arguments, url)


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
@pytest.mark.parametrize(("version", "name"), _VERSIONS)
def test_s_client_agrees_on_version_protocol_and_certificates(
    version: str, name: str, strategy: str
) -> None:
    recorder = Recorder()
    names = {"elsewhere": (pki().other.cert, pki().other.key)}
    stage = begin_tls(strategy, client_ca=pki().ca, alpn=["h2", "http/1.1"], sni=names)
    stage = stage.observe(recorder)

    with serving(stage.handler(tell_view)) as server:
        result = _s_client(
            server.address,
            *("-quiet", "-ign_eof", "-alpn", "http/1.1", "-servername", "localhost"),
            *(f"-tls{version.replace('.', '_')}", "-cert", pki().client.cert),
            *("-key", pki().client.key),
        )
        recorder.wait_for(Closed)

    assert f"{name} http/1.1 localhost device-7" in result.stdout.decode()
    assert recorder.of(Closed)[0].outcome is Outcome.FINISHED


def test_s_client_is_shown_the_certificate_of_the_name_it_asks_for() -> None:
    stage = begin_tls(sni={"www.example.org": (pki().other.cert, pki().other.key)})

    with serving(stage.handler(echo_line)) as server:
        result = _s_client(server.address, "-servername", "www.example.org", given=b"Q\n")

    assert b"CN = www.example.org" in result.stdout


def test_s_client_without_a_certificate_is_told_why() -> None:
    with serving(begin_tls(client_ca=pki().ca).handler(echo_line)) as server:
        result = _s_client(server.address, "-quiet", "-ign_eof", given=b"hello\n")

    assert b"certificate required" in result.stderr


def test_a_renegotiation_is_refused_and_harms_nobody() -> None:
    recorder = Recorder()

    with serving(begin_tls().observe(recorder).handler(echo_line)) as server:
        result = _s_client(server.address, "-tls1_2", given=b"R\nhello\n")
        recorder.wait_for(Closed)
        other = _s_client(server.address, "-quiet", "-ign_eof", given=b"hello\n")

    assert b"RENEGOTIATING" in result.stdout + result.stderr
    assert b"no renegotiation" in result.stderr
    assert other.stdout == b"hello\n"


@pytest.mark.parametrize(("version", "name"), _VERSIONS)
def test_curl_gets_a_large_body_whole(version: str, name: str) -> None:
    limits = (f"--tlsv{version}", "--tls-max", version, "--http1.1", "-v")

    with serving(begin_tls(client_ca=pki().ca).handler(_serve_http)) as server:
        result = _curl(
            server.address, *limits, "--cert", pki().client.cert, "--key", pki().client.key
        )

    assert result.returncode == 0, result.stderr
    assert result.stdout == _BODY
    assert f"SSL connection using {name}".encode() in result.stderr


def test_curl_without_a_certificate_does_not_get_in() -> None:
    recorder = Recorder()

    with serving(begin_tls(client_ca=pki().ca).observe(recorder).handler(_serve_http)) as server:
        result = _curl(server.address)
        (closed,) = recorder.wait_for(Closed)

    assert result.returncode != 0
    assert result.stdout == b""
    assert closed.outcome is Outcome.HANDSHAKE_FAILED
