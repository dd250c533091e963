"""A server that tells whom it sees, a client from an address of its own, and nginx before us."""

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Generator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, cast

import attrs
import pytest

from acceptor import ProxiedPeer, Ready, Server, ServerBuilder
from chaos.haproxy import find
from tests.support import PATIENCE

ROOT: Final = Path(__file__).parent.parent.parent
PEM: Final = ROOT / "tests" / "server.pem"
NGINX: Final = ROOT / "deploy" / "nginx.conf"

CLIENT: Final = "127.0.0.9"  # not the proxy's own address
HOP: Final = "127.0.0.1"

needs_haproxy = pytest.mark.skipif(find("haproxy") is None, reason="haproxy is not installed")
needs_nginx = pytest.mark.skipif(
    find("nginx") is None or not [*Path("/usr/lib/nginx/modules").glob("ngx_stream_module.so")],
    reason="nginx or libnginx-mod-stream is not installed",
)
needs_wrk = pytest.mark.skipif(find("wrk") is None, reason="wrk is not installed")


class Tell(BaseHTTPRequestHandler):
    """Answers whom it sees, and what the proxy has said."""

    def do_GET(self) -> None:
        peer = cast("ProxiedPeer[Any]", self.client_address)
        header = peer.header
        said = {
            "client": list(peer.client),
            "hop": peer.hop[0],
            "destination": header.destination and list(header.destination),
            "version": header.version,
            "command": header.command.value,
            "tls": header.tls and [header.tls.common_name, header.tls.verified],
        }
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def proxied(strategy: str = "threaded", *, tls: bool = False) -> Ready[Any, Any]:
    """A server of `Tell` that heeds the header of local proxies."""
    stage: Any = ServerBuilder().tcp((HOP, 0)).proxy_protocol(trusted="127.0.0.0/8")
    if tls:
        stage = stage.tls(str(PEM))
    ready: Ready[Any, Any] = getattr(stage, strategy)().handler(Tell)
    return ready


def port_of(server: Server[Any, Any]) -> int:
    return cast("int", server.address.port)


@attrs.frozen
class Told:
    """What a server has told a client, and from which port that client had asked."""

    port: int
    said: Mapping[str, Any]


def ask(port: int, context: ssl.SSLContext | None = None) -> Told:
    """Ask a server of `Tell` through a proxy's port."""
    options: dict[str, Any] = {"timeout": PATIENCE, "source_address": (CLIENT, 0)}
    connection: http.client.HTTPConnection
    if context is None:
        connection = http.client.HTTPConnection(HOP, port, **options)
    else:
        connection = http.client.HTTPSConnection(HOP, port, context=context, **options)
    with contextlib.closing(connection):
        connection.connect()
        own_port = connection.sock.getsockname()[1]
        connection.request("GET", "/")
        return Told(own_port, json.loads(connection.getresponse().read()))


def client_context(*, certificate: bool = False) -> ssl.SSLContext:
    """A client that trusts the certificate of the tests, and may show it as its own."""
    context = ssl.create_default_context(cafile=str(PEM))
    if certificate:
        context.load_cert_chain(PEM)
    return context


@contextlib.contextmanager
def nginx(first: int, second: int, folder: Path) -> Generator[int, None, None]:
    """Run nginx in front of two ports; yields the port where clients come."""
    with socket.create_server((HOP, 0)) as door:
        port: int = door.getsockname()[1]
        file = _nginx_file(folder, port, first, second)
        # It takes an open socket over, as from an older nginx at an upgrade: nobody else can
        # have the port, and clients may come already.
        environment = {**os.environ, "NGINX": f"{door.fileno()};"}
        process = subprocess.Popen(
            [*_nginx_command(folder, file), "-g", "daemon off;"],
            env=environment,
            pass_fds=[door.fileno()],
            stderr=subprocess.DEVNULL,
        )
    with process:
        try:
            yield port
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def checked_nginx(folder: Path) -> subprocess.CompletedProcess[str]:
    """Have nginx check the file, changed only so that no root is needed."""
    file = _nginx_file(folder, 8000, 8001, 8002)
    return subprocess.run(
        [*_nginx_command(folder, file), "-t"], capture_output=True, text=True, check=False
    )


def _nginx_command(folder: Path, file: Path) -> list[str]:
    return [str(find("nginx")), "-e", str(folder / "error.log"), "-c", str(file)]


def _nginx_file(folder: Path, port: int, first: int, second: int) -> Path:
    text = NGINX.read_text()
    for ours, theirs in (
        ("pid /run/nginx.pid;", f"pid {folder}/pid;"),
        ("/var/log/nginx/error.log", f"{folder}/error.log"),
        ("listen 8000;", f"listen {HOP}:{port};"),
        ("127.0.0.1:8001 ", f"127.0.0.1:{first} "),
        ("127.0.0.1:8002 ", f"127.0.0.1:{second} "),
    ):
        assert text.count(ours) == 1, ours
        text = text.replace(ours, theirs)
    file = folder / "nginx.conf"
    file.write_text(text)
    return file
