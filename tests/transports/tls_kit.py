"""What the tests of TLS, and of the way that a connection takes, share."""

import contextlib
import os
import select
import socket
import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import attrs

from acceptor import (
    Event,
    HandshakeFailed,
    Refused,
    ServerBuilder,
    allow_users,
    tls_view,
)
from tests.core.kit import leave
from tests.support import PATIENCE, connect, read_all
from tests.tls_files import handshake, pki
from tests.transports.proxy_headers import v1

STRATEGIES: Final = ("sync", "threaded", "pooled", "forked")
TRANSPORTS: Final = ("tcp", "tcp6", "unix_stream")
WAYS: Final = ("tls", "proxy", "proxy+tls")


def begin(transport: str, strategy: str, folder: Path) -> Any:
    """Begin a server on loopback, or in the folder."""
    builder = ServerBuilder()
    stage: Any
    if transport == "unix_stream":
        stage = builder.unix_stream(folder / "it.sock")
    else:
        stage = builder.tcp(("::1" if transport == "tcp6" else "127.0.0.1", 0))
    return getattr(stage, strategy)()


def begin_tls(strategy: str = "threaded", **options: Any) -> Any:
    """Begin a server with TLS on a free port of the loopback interface."""
    stage: Any = getattr(ServerBuilder().tcp(("127.0.0.1", 0)), strategy)()
    return stage.tls(pki().server.cert, pki().server.key, **options)


def layered(way: str, transport: str, strategy: str, folder: Path) -> Any:
    """Begin a server whose clients have such a way to go."""
    stage = begin(transport, strategy, folder)
    if "proxy" in way:
        unix = transport == "unix_stream"
        trusted = allow_users(os.getuid()) if unix else ["127.0.0.0/8", "::1/128"]
        stage = stage.proxy_protocol(trusted=trusted)
    if "tls" in way:
        stage = stage.tls(pki().server.cert, pki().server.key)
    return stage


def enter(address: Any, way: str, context: ssl.SSLContext | None = None) -> socket.socket:
    """Connect and go that way; the caller closes."""
    context = context or pki().trusting()
    client = connect(address)
    if "proxy" in way:
        client.sendall(v1())
    return handshake(client, context) if "tls" in way else client


def echo_line(request: socket.socket, client_address: object, server: object) -> None:
    """Send one line back."""
    with request.makefile("rb") as file:
        request.sendall(file.readline())


def tell_view(request: ssl.SSLSocket, client_address: object, server: object) -> None:
    """Tell what the handshake has agreed on."""
    view = tls_view(request)
    name = view.certificate.common_name if view.certificate else None
    request.sendall(f"{view.version} {view.alpn} {view.server_name} {name}".encode())


def say(client: socket.socket, line: bytes = b"hello\n") -> bytes:
    """Send a line, and return all that comes back until the server says that it was all."""
    with client:
        client.sendall(line)
        answer = read_all(client)
        leave(client)  # or the end would not be seen where a child has a copy
        return answer


@attrs.define(eq=False)
class Told:
    """An observer that hears what children tell, too: why a client did not come in."""

    _reader: int
    _writer: int

    def __call__(self, event: Event) -> None:
        if isinstance(event, HandshakeFailed | Refused):
            number = event.id or 0
            os.write(
                self._writer, f"{type(event).__name__} {event.reason.name} {number}\n".encode()
            )

    def hear(self) -> str:
        """Wait for what is told next."""
        assert select.select([self._reader], [], [], PATIENCE)[0], "nothing is told"
        return os.read(self._reader, 1000).decode().removesuffix("\n")


@contextlib.contextmanager
def told() -> Generator[Told, None, None]:
    """Make one."""
    reader, writer = os.pipe()
    try:
        yield Told(reader, writer)
    finally:
        os.close(reader)
        os.close(writer)
