"""TLS for classic servers, off the accept loop. Not loaded with the other classes, as is `ssl`."""

import contextlib
import logging
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

from acceptor.core.errors import ConfigurationError, HandshakeError
from acceptor.transports.stream import LINGER_SECONDS
from acceptor.transports.tls_socket import TlsSocket, shake_hands, tls_context, wrap

LOGGER: Final = logging.getLogger("acceptor")

if TYPE_CHECKING:
    from acceptor.classic.servers import BaseServer

    _Base = BaseServer[Any, Any]
else:
    _Base = object


class TLSMixIn(_Base):
    """Has the requests of a classic stream server speak TLS; named before the server class.

    The handshake is made where the handler runs, so that with a `ThreadingMixIn` (or a
    `ForkingMixIn`) a client that says nothing holds up nobody else; `self.request` is an
    `ssl.SSLSocket`. What people do by hand, wrapping the listening socket or the one that
    `get_request` has accepted, makes the handshake in the accept loop, which one such client
    stops. A client that does not get through is closed, with one line in the `acceptor` log.
    """

    tls_context: ssl.SSLContext | None = None
    """A server's context; set it in the class or on the instance, before the first request."""

    handshake_timeout: float | None = 10.0
    """Seconds that a client has for the handshake; None is no limit. As `Timeouts.handshake`."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Make the handshake, then go on as ever."""
        if self.tls_context is None:
            raise ConfigurationError(
                f"{type(self).__name__} has no tls_context; set it to an ssl.SSLContext"
            )
        context = tls_context(self.tls_context)
        try:
            secured = wrap(request, context)
            with contextlib.closing(secured):
                try:
                    shake_hands(secured, self.handshake_timeout)
                    super().finish_request(secured, client_address)
                finally:
                    _say_goodbye(secured)
        except HandshakeError as error:
            LOGGER.info("handshake with %s failed: %s", client_address, error)


def _say_goodbye(secured: TlsSocket) -> None:
    secured.say_goodbye(LINGER_SECONDS)
    with contextlib.suppress(OSError):  # gone, or closed by the handler
        socket.SocketType.shutdown(secured, socket.SHUT_WR)
        # What is left unread would have the system reset the connection, and our last words lost.
        socket.SocketType.settimeout(secured, 0.0)
        socket.SocketType.recv(secured, 65536)
