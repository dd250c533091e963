"""Clients of messages, which end their own side as TLS has it and go on to read."""

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

import attrs

from tests.support import connect
from tests.tls_files import pki
from tests.transports.proxy_headers import v1

T = TypeVar("T")

_CHUNK: Final = 2**16  # bytes


class Client(Protocol):
    """What the tests do as a client."""

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""

    def end(self) -> None:
        """End our side alone."""

    def rest(self) -> bytes:
        """Read until the other side ends."""
        ...


@attrs.define(eq=False)
class PlainClient:
    """A connection as it is."""

    _sock: socket.socket

    def sendall(self, data: bytes, /) -> None:
        self._sock.sendall(data)

    def end(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        return b"".join(iter(lambda: self._sock.recv(_CHUNK), b""))


@attrs.define(eq=False)
class TlsClient:
    """TLS by hand: a goodbye of `ssl.SSLSocket` loses what comes at the same time."""

    _sock: socket.socket
    _incoming: ssl.MemoryBIO = attrs.field(factory=ssl.MemoryBIO, init=False)
    _outgoing: ssl.MemoryBIO = attrs.field(factory=ssl.MemoryBIO, init=False)
    _tls: ssl.SSLObject = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        context = pki().trusting()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self._complete(self._tls.do_handshake)
        self._flush()

    def _complete(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
            if data := self._sock.recv(_CHUNK):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._sock.sendall(data)

    def sendall(self, data: bytes, /) -> None:
        if data:
            self._tls.write(data)
            self._flush()

    def end(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):  # the answer comes behind all the rest
            self._tls.unwrap()
        self._flush()

    def rest(self) -> bytes:
        had: list[bytes] = []
        with contextlib.suppress(ssl.SSLZeroReturnError):  # their goodbye; a break is an error
            while True:
                had.append(self._complete(lambda: self._tls.read(_CHUNK)))
        return b"".join(had)


@attrs.frozen
class Wire:
    """A stream stage, and how its clients come in."""

    stage: Any
    is_proxied: bool
    is_secret: bool

    def come_in(self, address: Any, undo: contextlib.ExitStack) -> Client:
        """Connect, and come as far as the first message; closed with the rest of `undo`."""
        client = undo.enter_context(connect(address))
        if self.is_proxied:
            client.sendall(v1())
        return TlsClient(client) if self.is_secret else PlainClient(client)

    def ask(self, address: Any, question: bytes) -> bytes:
        """Send everything, end our side, and return all that comes back."""
        with contextlib.ExitStack() as undo:
            client = self.come_in(address, undo)
            client.sendall(question)
            client.end()
            return client.rest()
