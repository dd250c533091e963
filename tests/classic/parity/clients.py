"""Clients of all families."""

import contextlib
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs

from tests.classic.parity.kit import LOOPBACK, PATIENCE, address_for


@attrs.define(eq=False)
class Client:
    """One client, of any family."""

    socket: "socket.socket"
    is_stream: bool
    server_address: Any

    def ask(self, question: bytes = b"ping\n") -> None:
        if self.is_stream:
            self.socket.sendall(question)
        else:
            self.socket.sendto(question, self.server_address)

    def hear(self) -> bytes:
        """Read one answer: up to the end of a stream, or one datagram."""
        return b"".join(self.hear_all()) if self.is_stream else self.socket.recv(65536)

    def hear_all(self) -> list[bytes]:
        """Read all that came, once the server has said what it has to say."""
        if not self.is_stream:
            # What comes last says that nothing else will come.
            with socket.socket(self.socket.family, socket.SOCK_DGRAM) as last:
                last.sendto(b"that was all", self.socket.getsockname())
            return list(iter(lambda: self.socket.recv(65536), b"that was all"))
        try:
            return [b"".join(iter(lambda: self.socket.recv(65536), b""))]
        except ConnectionError:  # closed with something unread: no end of a scenario's own
            return [b""]


@contextlib.contextmanager
def client_of(server: Any, folder: Path | None = None) -> Generator[Client, None, None]:
    """Connect to a server; the folder is for a Unix datagram client's own address."""
    family, kind = server.address_family, server.socket_type
    with socket.socket(family, kind) as plug:
        plug.settimeout(PATIENCE)
        if kind == socket.SOCK_STREAM:
            plug.connect(server.server_address)
        elif family == socket.AF_INET:
            plug.bind(LOOPBACK)
        else:
            assert folder is not None
            plug.bind(address_for("unixgram", folder))
        yield Client(plug, kind == socket.SOCK_STREAM, server.server_address)


def ask(server: Any, folder: Path | None = None, question: bytes = b"ping\n") -> bytes:
    """Be a client for one question."""
    with client_of(server, folder) as client:
        client.ask(question)
        return client.hear()
