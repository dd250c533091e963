"""The socket that handlers are given behind TLS: an ordinary one, under the server's deadlines."""

import functools
import hashlib
import math
import socket
import ssl
import time
import traceback
from datetime import UTC, datetime
from typing import Any, Final, cast

from typing_extensions import Buffer

from acceptor.core.baton import BATON
from acceptor.core.deadlines import Timeouts
from acceptor.core.errors import ConfigurationError, DeadlineError, HandshakeError
from acceptor.core.events import HandshakeFailure
from acceptor.core.interfaces import Traffic
from acceptor.core.secured import Certificate, TlsView
from acceptor.transports.served import LONGEST, ServedSocket

_WAY_OUT: Final = "give a context made with ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)"

# What OpenSSL sends at a time; it tells of more only when all of it has gone. Source: RFC 8446,
# section 5.1.
_RECORD: Final = 2**14

_READ: Final = 0
_WRITE: Final = 1
_TOO_LONG: Final = "the connection has lasted longer than it may"

# To wait for no time is for a socket not to wait at all, which is something else.
_SHORTEST: Final = 1e-6  # seconds

_awaited: Final = BATON.waiting  # looked at for each read

_size: Final = len  # `read` has a parameter of that name

_settimeout: Final = socket.SocketType.settimeout


class TlsSocket(ssl.SSLSocket):
    """A TLS connection that obeys a server's `Timeouts`, and counts what goes in and out.

    The bytes are those of the handler, not those on the wire. One that `settimeout` was called on
    goes by that instead of `first_data`, `idle` and `write`; `connection` holds all the same.
    Made by `SSLContext.wrap_socket`; until `go_on` it is like any other.
    """

    server_name: str | None = None  # what the client has asked for
    broken_by: Exception | None = None
    """What a read or write raised because the client has left, or sent what is no TLS."""

    _timeouts: Timeouts | None = None
    _own: float | None = None  # what the handler has set
    _limit: float = math.inf  # what the socket was told last, infinity is no limit
    stalled_at: int = -1
    """How many bytes had come and gone when the client exceeded a limit; -1 if it never has."""

    _traffic: Traffic
    _since: float  # when the connection began, by the monotonic clock

    def go_on(self, timeouts: Timeouts, traffic: Traffic) -> None:
        """Obey these, and count there, from now on; the clock goes on."""
        self._timeouts = timeouts
        self._traffic = traffic

    @property
    def has_stalled(self) -> bool:
        """Whether the client exceeded a limit, and nothing has come or gone since."""
        return self.stalled_at >= 0 and self.stalled_at == self._traffic[0] + self._traffic[1]

    def read(self, len: int = 1024, buffer: Any = None) -> Any:
        """Read, as every TLS socket does; `recv` and `recv_into` come through here."""
        self._obey(_READ)
        # What has come and is decrypted already is not waited for.
        is_here = bool(self.pending())
        if is_here and _awaited:
            BATON.pass_on()
        takes_turns = not is_here and BATON.give_up()
        try:
            got = super().read(len, buffer)
        except OSError as error:
            raise self._judged(error) from None
        finally:
            if takes_turns:
                BATON.take()
        if self._timeouts is not None:
            self._traffic[0] += got if isinstance(got, int) else _size(got)
        return got

    def send(self, data: Buffer, flags: int = 0) -> int:
        """Send all of it, as every TLS socket that waits; each record of it has `write` seconds.

        `sendall` and `sendfile` come through here.
        """
        if self._own is not None or (type(data) is bytes and _size(data) <= _RECORD):
            return self._send(data, flags)  # the caller's time is for all of it
        count = 0
        with memoryview(data) as view, view.cast("B") as rest:
            while count < rest.nbytes:
                with rest[count : count + _RECORD] as piece:
                    count += self._send(piece, flags)
        return count

    def _send(self, data: Buffer, flags: int) -> int:
        self._obey(_WRITE)
        try:
            count = super().send(data, flags)
        except OSError as error:
            raise self._judged(error) from None
        if self._timeouts is not None:
            self._traffic[1] += count
        return count

    def write(self, data: Buffer) -> int:
        """Send all of it, as `send`."""
        return self.send(data)

    def unwrap(self) -> socket.socket:
        """End TLS and wait for the client to do so, too, as every TLS socket does."""
        self._obey(_READ)
        with BATON.aside():
            try:
                return super().unwrap()
            except OSError as error:
                raise self._judged(error) from None

    def _obey(self, act: int) -> None:
        """Tell the socket how long the next call may wait, once the server has said that."""
        timeouts = self._timeouts
        if timeouts is None:
            return
        left = math.inf
        if timeouts.connection is not None:
            left = self._since + timeouts.connection - time.monotonic()
            if left <= 0:
                self._note_stall()
                raise DeadlineError(_TOO_LONG)
        if self._own is not None:
            limit: float | None = self._own
        elif act == _WRITE:
            limit = timeouts.write
        else:
            limit = timeouts.idle if self._traffic[0] else timeouts.first_data
        wanted = left if limit is None else min(limit, left)
        if self._own is None:
            wanted = max(wanted, _SHORTEST) if wanted < LONGEST else math.inf
        if wanted != self._limit:
            _settimeout(self, None if wanted == math.inf else wanted)
            self._limit = wanted

    def _note_stall(self) -> None:
        self.stalled_at = self._traffic[0] + self._traffic[1]

    def _judged(self, error: OSError) -> OSError:
        """Return what to raise, and note whose doing it was."""
        if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError | BlockingIOError):
            return error  # the handler does not want to wait
        if not isinstance(error, TimeoutError):
            self.broken_by = error
            return error
        if self._timeouts is None:
            return error
        self._note_stall()
        longest = self._timeouts.connection
        if longest is not None and self._since + longest <= time.monotonic():
            return DeadlineError(_TOO_LONG)
        if self._own is not None:
            return TimeoutError("timed out")
        return DeadlineError(f"the client kept the connection waiting for {self._limit:g} s")

    def settimeout(self, value: float | None, /) -> None:
        """Set a time of one's own for each read and write; None is the server's again."""
        _settimeout(self, value)
        self._own = value
        self._limit = math.inf if value is None else value

    def gettimeout(self) -> float | None:
        """Return the time that was set; None if it is the server's."""
        return super().gettimeout() if self._timeouts is None else self._own

    def setblocking(self, flag: bool, /) -> None:
        """Set whether to wait at all."""
        self.settimeout(None if flag else 0.0)

    @functools.cached_property
    def view(self) -> TlsView:
        """What the handshake has agreed on."""
        return view_of(self)

    def say_goodbye(self, seconds: float) -> bool:
        """Tell the client that nothing more comes, so that it can tell an end from a break.

        Waits up to so many seconds if there is no room for it, and not for the client's answer.
        Returns False if there was none in time.
        """
        sslobj: Any = self._sslobj  # type: ignore[attr-defined]
        if sslobj is None or self.broken_by is not None or self.fileno() < 0:
            return True
        until = time.monotonic() + seconds
        try:
            _settimeout(self, 0.0)
            try:
                sslobj.shutdown()
            except ssl.SSLWantReadError:  # it is said; the answer is read with all the rest
                pass
            except ssl.SSLWantWriteError:
                _settimeout(self, max(0.0, until - time.monotonic()))
                sslobj.shutdown()
        except (ssl.SSLWantWriteError, TimeoutError):
            return False
        except (OSError, ValueError):  # there is nobody to say it to
            pass
        return True


def view_of(connection: ssl.SSLSocket) -> TlsView:
    """Return what a finished handshake has agreed on."""
    cipher = connection.cipher()
    return TlsView(
        version=connection.version() or "",
        cipher=cipher[0] if cipher else "",
        alpn=connection.selected_alpn_protocol(),
        server_name=getattr(connection, "server_name", None),
        certificate=_certificate_of(connection),
    )


def _certificate_of(connection: ssl.SSLSocket) -> Certificate | None:
    told: Any = connection.getpeercert()
    der = connection.getpeercert(binary_form=True)
    if not told or der is None:  # none, or one that was not verified
        return None
    names: dict[str, list[str]] = {}
    for kind, value in told.get("subjectAltName", ()):
        names.setdefault(kind, []).append(value)
    return Certificate(
        subject=tuple(pair for part in told["subject"] for pair in part),
        issuer=tuple(pair for part in told["issuer"] for pair in part),
        dns_names=tuple(names.get("DNS", ())),
        email_addresses=tuple(names.get("email", ())),
        uris=tuple(names.get("URI", ())),
        ip_addresses=tuple(names.get("IP Address", ())),
        serial_number=told["serialNumber"],
        not_before=_moment(told["notBefore"]),
        not_after=_moment(told["notAfter"]),
        fingerprint=hashlib.sha256(der).hexdigest(),
        der=der,
    )


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)


def tls_context(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return the context, after it was made sure that a server's deadlines hold for what it makes.

    Sets its `sslsocket_class`, which is what that attribute is for.

    Raises:
        ConfigurationError: It is no server's context, or makes sockets of a class of its own.
    """
    if not isinstance(context, ssl.SSLContext):
        raise ConfigurationError(f"expected an ssl.SSLContext, got {context!r}; {_WAY_OUT}")
    if context.protocol is ssl.PROTOCOL_TLS_CLIENT:
        raise ConfigurationError(f"{context!r} is a client's context; {_WAY_OUT}")
    if context.sslsocket_class is ssl.SSLSocket:
        context.sslsocket_class = TlsSocket
    if not issubclass(context.sslsocket_class, TlsSocket):
        raise ConfigurationError(
            f"the context makes {context.sslsocket_class.__name__}, for which no deadline would "
            "hold; leave its sslsocket_class alone"
        )
    return context


def secure(sock: ServedSocket, context: ssl.SSLContext, timeout: float | None) -> TlsSocket:
    """Do the server's part of a handshake within so many seconds; return what takes its place.

    The context has to be one that `tls_context` returned.

    Raises:
        HandshakeError: The client did not get through; `reason` says why.
    """
    made = wrap(sock, context)
    made._since = sock.since
    sock.upgraded = made
    if sock.was_cut:  # while it was neither the one nor the other
        raise HandshakeError("cut off", HandshakeFailure.CLIENT_LEFT)
    shake_hands(made, timeout)
    made.go_on(sock.timeouts, sock.traffic)
    return made


def wrap(sock: socket.socket, context: ssl.SSLContext) -> TlsSocket:
    """Put TLS upon a connection, which is the result's from then on; nothing is sent yet.

    Raises:
        HandshakeError: The client has left.
    """
    try:
        return cast(
            "TlsSocket", context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        )
    except OSError as error:
        _close_half_made(error)
        raise HandshakeError("", HandshakeFailure.CLIENT_LEFT) from error


def _close_half_made(error: OSError) -> None:
    # `wrap_socket` has taken the descriptor by then. If the client has reset the connection, it
    # raises that, and nobody but its own frame knows what it has made: the descriptor would stay
    # open for as long as the error is kept.
    for frame, _ in traceback.walk_tb(error.__traceback__):
        made = frame.f_locals.get("self")
        if isinstance(made, TlsSocket):
            made.close()


def shake_hands(made: TlsSocket, timeout: float | None) -> None:
    """Do the server's part of a handshake within so many seconds.

    Raises:
        HandshakeError: The client did not get through; `reason` says why.
    """
    began = time.monotonic()
    own = made._own
    try:
        _settimeout(made, None if timeout is None or timeout >= LONGEST else timeout)
        with BATON.aside():  # it computes without the interpreter, too
            made.do_handshake()
    except OSError as error:
        made.broken_by = error
        raise failure(error, time.monotonic() - began) from error
    made.settimeout(own)  # `do_handshake` has set what the handshake had as if the handler had


# Of OpenSSL's reasons. What is not here is a protocol error; the text has it.
_REASONS: Final = {
    HandshakeFailure.NOT_TLS: (
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "WRONG_VERSION_NUMBER",
        "WRONG_SSL_VERSION",
        "UNKNOWN_PROTOCOL",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
        "BAD_RECORD_TYPE",
        "UNEXPECTED_MESSAGE",
    ),
    HandshakeFailure.NO_SHARED_VERSION: (
        "UNSUPPORTED_PROTOCOL",
        "VERSION_TOO_LOW",
        "VERSION_TOO_HIGH",
        "NO_PROTOCOLS_AVAILABLE",
        "NO_SHARED_CIPHER",
        "NO_SUITABLE_SIGNATURE_ALGORITHM",
        "NO_SHARED_SIGNATURE_ALGORITHMS",
        "NO_SUITABLE_GROUPS",
        "NO_SUITABLE_KEY_SHARE",
        "INAPPROPRIATE_FALLBACK",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "NO_APPLICATION_PROTOCOL",
    ),
    HandshakeFailure.BAD_CERTIFICATE: (
        "CERTIFICATE_VERIFY_FAILED",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "BAD_SIGNATURE",
        "EXCESSIVE_MESSAGE_SIZE",
    ),
    HandshakeFailure.CLIENT_LEFT: ("UNEXPECTED_EOF_WHILE_READING",),
}
_BY_REASON: Final = {name: kind for kind, names in _REASONS.items() for name in names}


def failure(error: OSError, elapsed: float) -> HandshakeError:
    """Return what to raise for what a handshake has raised after so many seconds."""
    # It wants more where there was no time left to wait at all.
    if isinstance(error, TimeoutError | ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return HandshakeError(f"no handshake within {elapsed:.1f} s", HandshakeFailure.TIMEOUT)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return HandshakeError("", HandshakeFailure.CLIENT_LEFT)
    if not isinstance(error, ssl.SSLError):  # the socket is not connected any more
        return HandshakeError("", HandshakeFailure.CLIENT_LEFT)
    name = error.reason or ""
    kind = _BY_REASON.get(name, HandshakeFailure.OTHER)
    if "_ALERT_" in name and kind is HandshakeFailure.OTHER:  # what the client says of us
        kind = HandshakeFailure.REJECTED
    text = getattr(error, "verify_message", "") or name.replace("_", " ").lower() or str(error)
    return HandshakeError(f"{kind.value}: {text}", kind)
