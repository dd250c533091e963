"""Handlers for connections: `rfile` and `wfile` over the socket."""

import io
import socket
from typing import Any, ClassVar, Final, Protocol, cast, runtime_checkable

from typing_extensions import Buffer, TypeVar

from acceptor.core.errors import HandshakeError, UnsupportedError
from acceptor.core.events import HandshakeFailure
from acceptor.core.message import AnyPeer
from acceptor.core.ssl_types import SSLContext, SSLSocket
from acceptor.handlers.base import BaseHandler

StreamT = TypeVar("StreamT", bound=socket.socket, default=socket.socket)
PeerT = TypeVar("PeerT", default=AnyPeer)

_INTERNET: Final = (socket.AF_INET, socket.AF_INET6)


class _SocketReader(io.RawIOBase):
    """An unbuffered file that reads from the socket and leaves its closing to others."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        # On the instance, so that a buffer on top calls straight into C; with the method of
        # `socket.makefile`, written in Python, a short read takes three times as long.
        self.readinto = sock.recv_into  # type: ignore[method-assign]

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._socket.fileno()


def _reader(sock: socket.socket, size: int) -> io.BufferedIOBase:
    raw = _SocketReader(sock)
    if size == 0:
        # A raw file, which has the same methods; typeshed makes the same claim of the classic one.
        return cast("io.BufferedIOBase", raw)
    return io.BufferedReader(raw, io.DEFAULT_BUFFER_SIZE if size < 0 else size)


class _SocketWriter(io.BufferedIOBase):
    """An unbuffered file whose `write` sends all of it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        # No method of ours in between, because each write would pay. Asked of the class: what a
        # handler has put around its socket passes on what it does not know, but has a `sendall`.
        if hasattr(type(sock), "write_all"):
            self.write = cast("Any", sock).write_all  # type: ignore[method-assign]

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._socket.sendall(data)
        return len(data) if type(data) is bytes else memoryview(data).nbytes

    def fileno(self) -> int:
        return self._socket.fileno()


def _has_buffered(file: io.BufferedIOBase) -> bool:
    """Say whether more was read from the socket than from the file."""
    if not isinstance(file, io.BufferedReader):
        return False
    raw: Any = file.raw
    read = raw.readinto
    raw.readinto = lambda buffer: None  # as if nothing had come, or it would wait
    try:
        return bool(file.peek(1))
    finally:
        raw.readinto = read


@runtime_checkable
class Upgradable(Protocol):
    """A connection that can go on with TLS."""

    def start_tls(self, context: SSLContext) -> SSLSocket:
        """Do the server's part of a handshake; return what is to be used from then on."""
        ...


class StreamHandler(BaseHandler[StreamT, PeerT]):
    """Serves one connection through two files: `rfile` to read, `wfile` to write.

    The class attributes are options for a subclass to set; they act in `setup`.
    """

    rbufsize: ClassVar[int] = -1
    """Buffer of `rfile` in bytes; -1 is the system's block size, 0 reads unbuffered."""

    wbufsize: ClassVar[int] = 0
    """Buffer of `wfile` in bytes; 0 sends each write at once and whole, -1 is the system's size."""

    timeout: ClassVar[float | None] = None
    """Seconds that one read or write may take before it raises `TimeoutError`; None is no limit."""

    disable_nagle_algorithm: ClassVar[bool] = False
    """Sets TCP_NODELAY here; the TCP transport has set it already unless told otherwise."""

    rfile: io.BufferedIOBase
    wfile: io.BufferedIOBase
    connection: StreamT

    def setup(self) -> None:
        """Apply the options and open the files."""
        self.connection = self.request
        if self.timeout is not None:
            self.connection.settimeout(self.timeout)
        if self.disable_nagle_algorithm and self.connection.family in _INTERNET:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._open_files()

    def _open_files(self) -> None:
        self.rfile = _reader(self.connection, self.rbufsize)
        if self.wbufsize == 0:
            self.wfile = _SocketWriter(self.connection)
        else:
            self.wfile = self.connection.makefile("wb", self.wbufsize)  # type: ignore[assignment]

    def start_tls(self, context: SSLContext) -> SSLSocket:
        """Go on with TLS (STARTTLS): do the handshake, and put `rfile` and `wfile` upon it.

        Send the answer that allows it before. What the client has sent on before the handshake is
        refused, or commands that an attacker slipped in would count as sent by the client. Source:
        CVE-2011-0411; RFC 3207, section 6. From here on `request` is the TLS socket, too, and
        `rfile` another file: a `for` loop over the old one must end, so read with `readline()`.

        Raises:
            HandshakeError: The client did not get through, or has sent more in plain text.
            UnsupportedError: The connection knows no TLS.
        """
        upgradable = self.connection
        if not isinstance(upgradable, Upgradable):
            raise UnsupportedError(f"{upgradable!r} cannot go on with TLS")
        self.wfile.flush()
        if _has_buffered(self.rfile):
            raise HandshakeError(
                "the client sent on in plain text before TLS", HandshakeFailure.PLAIN_TEXT
            )
        secured = upgradable.start_tls(context)
        self.request = self.connection = cast("StreamT", secured)
        self._open_files()
        return secured

    def finish(self) -> None:
        """Flush and close the files; the server closes the connection."""
        try:
            self.wfile.close()
        except ConnectionError:  # who has left misses nothing
            pass
        finally:
            self.rfile.close()
