"""A TLS connection that never waits: what held connections read from and write to."""

import contextlib
import socket
import ssl
from typing import Any, Final

import attrs

from acceptor.core.secured import TlsView
from acceptor.transports.opening import WantsToWriteError
from acceptor.transports.tls_socket import TlsSocket, failure, view_of, wrap

# What one record holds at most; a longer write would wait for all of its records. Source: RFC 8446,
# section 5.1.
_RECORD: Final = 2**14

_read: Final = ssl.SSLSocket.read
_send: Final = ssl.SSLSocket.send


@attrs.define(eq=False)
class HeldTls:
    """Looks like a socket that raises `BlockingIOError` in the place of waiting."""

    _tls: TlsSocket

    @property
    def family(self) -> int:
        """As the socket has it."""
        return int(self._tls.family)

    @property
    def view(self) -> TlsView:
        """What the handshake has agreed on."""
        return view_of(self._tls)

    def shake_hands(self) -> None:
        """Go on with the handshake.

        Raises:
            BlockingIOError: More has to come; `WantsToWriteError` if it waits to write.
            HandshakeError: The client did not get through; `reason` says why.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            raise WantsToWriteError from None
        except OSError as error:
            raise failure(error, 0.0) from error

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read one record; nothing at the end of the stream, however it comes."""
        try:
            if flags & socket.MSG_PEEK:
                return b"\0" if self._tls.pending() else self._peek()
            data: bytes = _read(self._tls, size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        return data

    def _peek(self) -> bytes:
        return socket.SocketType.recv(self._tls, 1, socket.MSG_PEEK)

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Write what there is room for."""
        sent = 0
        with memoryview(data) as view:
            while sent < len(view):
                try:
                    with view[sent : sent + _RECORD] as record:
                        sent += _send(self._tls, record)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    if sent:
                        return sent
                    raise BlockingIOError from None
        return sent

    def setsockopt(self, *arguments: Any) -> None:
        """As every socket."""
        self._tls.setsockopt(*arguments)

    def shutdown(self, how: int, /) -> None:
        """Say goodbye, and end our side; or, both ways, only the latter.

        Raises:
            BlockingIOError: There is no room for a goodbye until the client reads.
        """
        if how == socket.SHUT_WR and not self._tls.say_goodbye(0.0):
            raise BlockingIOError
        socket.SocketType.shutdown(self._tls, how)

    def fileno(self) -> int:
        """As every socket."""
        return self._tls.fileno()

    def close(self) -> None:
        """Close it, with a goodbye if there is room for one."""
        with contextlib.suppress(OSError, ValueError):
            self._tls.say_goodbye(0.0)
        socket.SocketType.close(self._tls)


def begin(context: ssl.SSLContext, sock: Any) -> HeldTls:
    """Put TLS upon a connection, which is the result's from then on; nothing is sent yet.

    Raises:
        HandshakeError: The client has left.
    """
    made = wrap(sock, context)
    socket.SocketType.settimeout(made, 0.0)
    return HeldTls(made)
