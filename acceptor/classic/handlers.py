"""The classic request handlers: all the work is done while one is being made."""

import io
import socket
import sys
import types
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from typing_extensions import Buffer, TypeVar

from acceptor.classic.parameters import Parameters
from acceptor.classic.servers import BaseServer

RequestT = TypeVar("RequestT", default=Any)
StreamT = TypeVar("StreamT", default=socket.socket)
AddressT = TypeVar("AddressT", default=Any)

_Socket: TypeAlias = socket.socket


class BaseRequestHandler(Parameters[RequestT, AddressT]):
    """Serves one request while it is being made: `setup`, `handle`, `finish`.

    `finish` runs whenever `setup` has succeeded.
    """

    request: RequestT
    client_address: AddressT
    server: BaseServer[RequestT, AddressT]

    if not TYPE_CHECKING:
        __class_getitem__ = classmethod(types.GenericAlias)

    def __init__(self, request: RequestT, client_address: AddressT, server: Any) -> None:
        self.request = request
        self.client_address = client_address
        self.server = server
        self.setup()
        try:
            self.handle()
        finally:
            self.finish()

    def setup(self) -> None:
        """Prepare. Does nothing here."""

    def handle(self) -> None:
        """Serve the request. Does nothing here."""

    def finish(self) -> None:
        """Tidy up. Does nothing here."""


class StreamRequestHandler(BaseRequestHandler[StreamT, AddressT]):
    """Serves one connection through two files; the attributes are options for a subclass."""

    rbufsize: ClassVar[int] = -1
    """Buffer of `rfile` in bytes; -1 is the system's block size, 0 reads unbuffered."""
    wbufsize: ClassVar[int] = 0
    """Buffer of `wfile` in bytes; 0 sends each write at once and whole."""
    timeout: ClassVar[float | None] = None
    """Seconds that one read or write may take; None is no limit."""
    disable_nagle_algorithm: ClassVar[bool] = False

    connection: StreamT
    rfile: io.BufferedIOBase
    wfile: io.BufferedIOBase

    def setup(self) -> None:
        """Apply the options and open the files."""
        connection: Any = self.request
        self.connection = connection
        if self.timeout is not None:
            connection.settimeout(self.timeout)
        if self.disable_nagle_algorithm:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.rfile = connection.makefile("rb", self.rbufsize)
        if self.wbufsize == 0:
            # Looked up where programs replace it: in the module that they import.
            self.wfile = vars(sys.modules["acceptor.classic"])["_SocketWriter"](connection)
        else:
            self.wfile = connection.makefile("wb", self.wbufsize)

    def finish(self) -> None:
        """Flush and close the files; the server closes the connection."""
        if not self.wfile.closed:
            try:
                self.wfile.flush()
            except OSError:  # the client is gone already
                pass
        self.wfile.close()
        self.rfile.close()


class _SocketWriter(io.BufferedIOBase):
    """An unbuffered file whose `write` sends all of it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def writable(self) -> bool:
        return True

    def write(self, b: Buffer) -> int:
        self._sock.sendall(b)
        with memoryview(b) as view:
            return view.nbytes

    def fileno(self) -> int:
        return self._sock.fileno()


class DatagramRequestHandler(BaseRequestHandler[tuple[bytes, _Socket], AddressT]):
    """Serves one datagram through two files; what `wfile` has is sent back, even if it is empty."""

    packet: bytes
    socket: _Socket
    rfile: io.BytesIO
    wfile: io.BytesIO

    def setup(self) -> None:
        """Open the files."""
        self.packet, self.socket = self.request
        self.rfile = io.BytesIO(self.packet)
        self.wfile = io.BytesIO()

    def finish(self) -> None:
        """Send one datagram."""
        client_address: Any = self.client_address
        self.socket.sendto(self.wfile.getvalue(), client_address)
