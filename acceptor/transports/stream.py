"""What all stream listeners share: accepting a connection, and closing it politely."""

import contextlib
import errno
import math
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from acceptor.core.baton import BATON
from acceptor.core.deadlines import Timeouts
from acceptor.core.errors import DeadlineError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import HandsOnLimits, Incoming, Listener, Queue, Traffic
from acceptor.core.limits import Refusal, Reply, Reset
from acceptor.transports.backlog import clients_waiting
from acceptor.transports.last_handshakes import LastHandshakes
from acceptor.transports.served import (
    LONGEST,
    NO_LIMITS,
    ServedSocket,
    read_limit_of,
    set_read_limit,
)

if TYPE_CHECKING:
    from acceptor.transports.tls_socket import TlsSocket

PeerT = TypeVar("PeerT")

# The client was gone, or never let through, before it was taken. Source: accept(2), "Error
# handling": "treat them like EAGAIN by retrying"; EPERM is a firewall's no.
_CLIENT_GONE: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "ECONNRESET", "EPROTO", "ETIMEDOUT", "EPERM"),
        *("ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET", "EHOSTUNREACH", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)

_TIMED_OUT: Final = Outcome.TIMED_OUT  # Python 3.11 takes 60 ns to look an enum's member up

_HANG_UPS: Final = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError)

# nginx lingers for 5 s between reads, Go's net/http for 0.5 s in all.
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 16 * 2**20

_MSG_DONTWAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0))  # Windows has none

_IN_TURN: Final = contextlib.nullcontext()

# Whoever cuts holds it; whoever closes needs it only if that happens at the same time.
_CUTTING: Final = threading.Lock()

# Closing obeys no deadline but its own, so these are the methods in C.
_close: Final = socket.SocketType.close
_recv: Final = socket.SocketType.recv
_recv_into: Final = socket.SocketType.recv_into
_settimeout: Final = socket.SocketType.settimeout
_shutdown: Final = socket.SocketType.shutdown

RESET: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)

# For what nobody will read, so any number of threads may write to it.
_TRASH: Final = bytearray(2**16)


@attrs.define(eq=False)
class StreamIncoming(Incoming[socket.socket, PeerT], Generic[PeerT]):
    """One accepted connection; what the handler is given is its socket."""

    _socket: ServedSocket
    peer: PeerT  # pyright: ignore[reportIncompatibleMethodOverride]
    _closed: bool = attrs.field(default=False, init=False)
    _cutting: bool = attrs.field(default=False, init=False)

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> socket.socket:
        """Return the socket: there is nothing to negotiate."""
        self._socket.begin(timeouts, traffic)
        return self._socket

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return how it ended if the client hung up, or kept us waiting for longer than it may."""
        sock = self._socket.upgraded or self._socket
        if error is None:  # handlers of HTTP catch a timeout and return
            return _TIMED_OUT if sock.stalled_at >= 0 and sock.has_stalled else None
        if isinstance(error, _HANG_UPS) and self._is_dead():
            return Outcome.CLIENT_LEFT
        if self._socket.upgraded is not None and self._socket.upgraded.broken_by is error:
            return Outcome.CLIENT_LEFT
        if isinstance(error, DeadlineError):
            return Outcome.TIMED_OUT
        # Other timeouts a handler may run into carry an errno or another text, or none.
        if isinstance(error, TimeoutError) and error.args == ("timed out",):
            return Outcome.TIMED_OUT if sock.gettimeout() is not None else None
        return None

    def _is_dead(self) -> bool:
        # The same errors come from a handler's own connections to elsewhere, and those are worth
        # a traceback. After a reset poll reports a hang-up; after a mere half-close it does not.
        sock = self._socket.upgraded or self._socket
        if sock.fileno() < 0 or not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(sock, 0)  # a hang-up is reported unasked
        return bool(poll.poll(0))

    def close(self, *, patient: bool) -> None:
        """Half-close, read what the client still sends (within bounds), close.

        Closing with unread input would send a reset, which may destroy the last reply before the
        client has read it. Source: RFC 9112, section 9.6.
        """
        served = self._socket
        upgraded: TlsSocket | None = served.upgraded
        sock = upgraded or served
        if sock.stalled_at >= 0 and sock.has_stalled:
            patient = False  # who has kept us waiting is not waited for
        if upgraded is not None:
            upgraded.say_goodbye(LINGER_SECONDS if patient else 0.0)
        try:
            _shutdown(sock, socket.SHUT_WR)
            has_read_all = served.has_ended and not served.was_shut and upgraded is None
            if not has_read_all and self._may_have_sent_more(sock, patient):
                # Where nothing is waited for, a turn may be needed for the lock under which clients
                # are taken, and turned away: who has that must not wait for a turn.
                with BATON.aside() if patient else _IN_TURN:
                    self._read_the_rest(sock, patient)
        except OSError:  # nothing is here; or reset, or closed by the handler
            pass
        self.release()

    def _may_have_sent_more(self, sock: socket.socket, patient: bool) -> bool:
        # Who must not wait takes one look first, without changing the socket's mode.
        at_once = not patient and _MSG_DONTWAIT and sock.gettimeout() is None
        return not at_once or bool(_recv(sock, 1, _MSG_DONTWAIT))

    def _read_the_rest(self, sock: socket.socket, patient: bool) -> None:
        left = LINGER_BYTES
        until = time.monotonic() + LINGER_SECONDS
        seconds = LINGER_SECONDS
        try:
            while left > 0 and seconds > 0:
                if not patient:
                    _settimeout(sock, 0.0)
                elif sock is not self._socket or not self._socket.limit_next_read(seconds):
                    _settimeout(sock, seconds)
                count = _recv_into(sock, _TRASH)
                if count == 0:
                    break
                left -= count
                seconds = until - time.monotonic()
        except OSError:  # reset, nothing more is here, or the time is over
            pass

    def cut(self) -> None:
        """Shut the connection both ways, which ends a blocked read or write at once."""
        with _CUTTING, contextlib.suppress(OSError):
            self._cutting = True
            self._socket.was_cut = True
            if not self._closed:
                _shutdown(self._socket.upgraded or self._socket, socket.SHUT_RDWR)

    def release(self) -> None:
        """Close this process's descriptor and nothing else."""
        self._closed = True
        if self._cutting:  # a cut must not meet a number that is someone else's by now
            with _CUTTING:
                pass
        try:
            # As the C class does it: at once. The one in Python would put it off until a file
            # that the handler has left open is closed, too.
            _close(self._socket.upgraded or self._socket)
        except OSError:  # the handler has closed the number; it is closed all the same
            pass

    def refuse(self, how: Refusal) -> None:
        """Close, or send a few bytes first if the system takes them at once, or reset."""
        try:
            if isinstance(how, Reset):
                self._reset()
            elif isinstance(how, Reply):
                _settimeout(self._socket, 0.0)
                socket.SocketType.send(self._socket, how.payload)
                self.close(patient=False)
        except OSError:  # gone, or it has no room for the reply
            pass
        self.release()

    def _reset(self) -> None:
        sock = self._socket.upgraded or self._socket
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.release()


@attrs.define(eq=False)
class StreamListener(Listener[socket.socket, PeerT], Queue, HandsOnLimits, Generic[PeerT]):
    """A listening stream socket of any family.

    Owns the socket, and through `_forget` what else was made for it (a file in the file system).
    """

    _socket: socket.socket
    address: PeerT  # pyright: ignore[reportIncompatibleMethodOverride]
    _peer_of: Callable[[socket.socket, Any], PeerT]
    _forget: Callable[[], object] = attrs.field(default=lambda: None)
    incoming: Callable[[Any, PeerT], Any] = attrs.field(default=StreamIncoming, init=False)
    """What is made of a connection."""
    socket_of: Callable[[int, int, int], Any] = attrs.field(default=ServedSocket.of, init=False)
    """What is made of its descriptor, family and protocol."""
    is_ours: bool = attrs.field(default=False, kw_only=True)
    """Whether no other process may listen with this very socket."""
    is_lendable: bool = attrs.field(default=True, init=False)
    """Whether any thread may accept, one at a time."""

    _last_handshakes: LastHandshakes | None = attrs.field(default=None, init=False)
    _handed_on: tuple[float, float] | None = attrs.field(default=None, init=False)
    # The same, until the first client has shown whether the system does so.
    _to_hand_on: tuple[float, float] | None = attrs.field(default=None, init=False)
    _family: int = attrs.field(init=False, repr=False)
    _proto: int = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._socket.setblocking(False)
        self._family = int(self._socket.family)
        self._proto = self._socket.proto

    @property
    def socket(self) -> socket.socket:
        """The listening socket, to look at."""
        return self._socket

    @property
    def shares_port(self) -> bool:
        """Whether the port may have more sockets, each with a queue of its own."""
        option = getattr(socket, "SO_REUSEPORT", None)
        if option is None or self._socket.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        return self.fileno() >= 0 and bool(self._socket.getsockopt(socket.SOL_SOCKET, option))

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 once it is closed."""
        return self._socket.fileno()

    def waiting(self) -> int | None:
        """Return how many connections wait to be accepted, if the system tells."""
        return clients_waiting(self._socket) if self.fileno() >= 0 else 0

    def accept(self) -> Incoming[Any, PeerT] | None:
        """Take the next connection; None if there is none or the client has left already."""
        try:
            # What `socket.accept` does, without making enum members of family and type each time;
            # that is a third of what an accept costs.
            fd, sockaddr = self._socket._accept()  # type: ignore[attr-defined] # pyright: ignore
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _CLIENT_GONE:
                return None
            raise
        client = self.socket_of(fd, self._family, self._proto)
        try:
            if self._handed_on is not None:
                client.limits = self._handed_on
            elif self._to_hand_on is not None:
                self._see_what_is_handed_on(client)
            if sys.platform != "linux":
                client.setblocking(True)  # elsewhere it inherits the listener's O_NONBLOCK
            made: Incoming[Any, PeerT] = self.incoming(client, self._peer_of(client, sockaddr))
            return made
        except OSError:
            client.close()
            return None

    def hand_on(self, timeouts: Timeouts, /) -> None:
        """Set the limit of all reads but the first, for clients to come with, where they do so.

        Those of TCP do on Linux (`sk_clone_lock`), and to set it for each takes a tenth of what a
        short connection costs. Not on a port of which others may accept, too.
        """
        idle = timeouts.idle
        if sys.platform == "win32":
            return
        if self.is_ours and idle is not None and idle < LONGEST:
            set_read_limit(self._socket, idle)
            self._to_hand_on = (idle, math.inf)
        elif any(read_limit_of(self._socket)):  # whoever has bound it has done the same
            self._to_hand_on = (math.nan, math.inf)

    def _see_what_is_handed_on(self, client: ServedSocket) -> None:
        limits, self._to_hand_on = self._to_hand_on, None
        if read_limit_of(client) == read_limit_of(self._socket):
            self._handed_on = client.limits = limits or NO_LIMITS

    def close_if_empty(self) -> bool:
        """Close the port, unless a connection waits to be accepted, or is about to."""
        if self.fileno() >= 0:
            if self.is_ours and self._last_handshakes is None:
                self._last_handshakes = LastHandshakes(self._socket)
            if self._last_handshakes and self._last_handshakes.are_under_way():
                return False
            # Neither this nor closing gives another thread a turn, as most calls to the system do.
            if clients_waiting(self._socket):
                return False
        self.close()
        return True

    def retire(self) -> int | None:
        """Close the port: new clients are refused by the system, those taken are not touched."""
        left = self.waiting()
        self.close()
        return left

    def close(self) -> None:
        """Remove what was made for the socket, then close it."""
        # In this order: as long as we live, nobody takes our file for a dead one.
        if self._socket.fileno() >= 0:
            self._forget()
            self._socket.close()

    def release(self) -> None:
        """Close this process's descriptor and nothing else."""
        _close(self._socket)
