"""What all datagram listeners share: receiving one datagram, and answering it."""

import errno
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final, Generic, Literal, TypeVar

import attrs

from acceptor.core.datagram import Datagram
from acceptor.core.deadlines import Timeouts
from acceptor.core.errors import NoReturnAddressError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Immediate, ImmediateListener, Listener, Queue, Traffic
from acceptor.core.limits import Refusal, Reply
from acceptor.core.peers import Peer, UnixPeer

PeerT = TypeVar("PeerT", bound=Peer)

# Nobody is there to receive it, or its queue is full; a datagram's sender lives with that.
_UNDELIVERABLE: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNREFUSED", "ECONNRESET", "ENOBUFS", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN"),
        # Of paths: removed, replaced by another kind of file or socket, closed to us.
        *("ENOENT", "ENOTDIR", "EPROTOTYPE", "EACCES", "EPERM"),
    )
    if hasattr(errno, name)
)

# Asked at a broadcast address, say: then the system chooses where the answer leaves from.
_NOT_FROM_THERE: Final = frozenset({errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH})

# How long an answer waits for room in a full queue.
SEND_SECONDS: Final = 1.0
_SEND_PAUSE: Final = 0.005  # seconds between two attempts

# A flood may come in as fast as it is thrown away.
_MOST_THROWN_AWAY: Final = 100_000

MAX_DATAGRAM_SIZE: Final = 65_535  # nothing longer fits into UDP's length field; RFC 768

_NO_NAME: Final = (
    "cannot reply: the sender's socket is bound to no name; the client must bind it first"
)

_blank: Final = object.__new__


def _reply(datagram: Datagram, payload: bytes) -> bool:
    return datagram.reply(payload)


Ancillary = list[tuple[int, int, bytes]]


@attrs.define(eq=False)
class ReceivedDatagram(Datagram, Immediate[Datagram, Any]):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A datagram on its way to the handler. There is no connection to close or to cut."""

    sockaddr: Any = attrs.field(default=None, repr=False)
    """The sender as the system told it: where an answer goes, without any translation."""
    listener: "DatagramListener[Any] | None" = attrs.field(default=None, repr=False)
    """Whose socket its answers leave from."""
    traffic: Traffic | None = attrs.field(default=None, repr=False)
    """Where the bytes of its answers are counted instead of in `sent`."""
    sent: int = attrs.field(default=0, init=False, repr=False)
    """Bytes of its answers so far."""

    def reply(self, payload: bytes) -> bool:
        """Send a datagram back, from the address that was asked; as `Datagram` has it."""
        listener = self.listener
        if listener is None:
            return True
        try:
            if self.local_host is None and self.sockaddr:
                listener.sendto(payload, self.sockaddr)
            elif not listener.send_back(self, payload):
                return False
        except OSError:
            if not listener.send_back(self, payload):
                return False
        if self.traffic is None:
            self.sent += len(payload)
        else:
            self.traffic[1] += len(payload)
        return True

    def count(self) -> Traffic:
        """Return the count of its bytes."""
        return _TrafficOf(self)

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> Datagram:
        """Return the datagram: there is nothing to negotiate, and nothing to wait for."""
        traffic[0] = len(self.payload)
        self.traffic = traffic
        return self

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return None: no error of a handler is the doing of a datagram's sender."""
        return None

    def close(self, *, patient: bool = False) -> None:
        """Nothing to close."""

    def cut(self) -> None:
        """Nothing to cut."""

    def release(self) -> None:
        """Nothing to release."""

    def refuse(self, how: Refusal) -> None:
        """Drop it, or answer with one datagram if the system takes that at once."""
        if isinstance(how, Reply) and self.sockaddr:
            try:
                if self.listener is not None:
                    self.listener.send_back(self, how.payload, may_wait=False)
            except OSError:  # a reply too long for one datagram, say; nobody else is concerned
                pass


@attrs.frozen
class _TrafficOf(Traffic):
    """The count of a datagram's bytes, as it stands."""

    _datagram: ReceivedDatagram

    def __getitem__(self, index: Literal[0, 1], /) -> int:
        return self._datagram.sent if index else len(self._datagram.payload)

    def __setitem__(self, index: Literal[0, 1], count: int, /) -> None:
        if index:
            self._datagram.sent = count


@attrs.define(eq=False)
class DatagramListener(
    Listener[Datagram, PeerT], ImmediateListener[Datagram, PeerT], Queue, Generic[PeerT]
):
    """A bound datagram socket of any family; used for receiving and, by every job, for sending."""

    _socket: socket.socket
    address: PeerT  # pyright: ignore[reportIncompatibleMethodOverride]
    _max_size: int
    _peer_of: Callable[[Any], PeerT]
    _ancillary_size: int = 0
    _local_host_of: Callable[[Ancillary], str | None] = attrs.field(default=lambda ancillary: None)
    # What must go with an answer that shall leave from one of our addresses.
    _leaving_from: Callable[[str], Ancillary] = attrs.field(default=lambda local_host: [])
    _forget: Callable[[], object] = attrs.field(default=lambda: None, alias="forget")
    _is_shared: bool = attrs.field(default=False, alias="is_shared")
    is_lendable: bool = attrs.field(default=True, init=False)
    """Whether threads that share one wait may take the datagrams by themselves."""
    _retired: bool = attrs.field(default=False, init=False)
    _room: int = attrs.field(init=False)
    sendto: Callable[[bytes, Any], int] = attrs.field(init=False, repr=False)
    """The socket's own: to look it up there would cost each datagram."""

    def __attrs_post_init__(self) -> None:
        self._socket.setblocking(False)
        # One byte more shows that a datagram was longer. Windows refuses one that does not fit.
        largest = self._max_size if sys.platform != "win32" else MAX_DATAGRAM_SIZE
        self._room = largest + 1
        self.sendto = self._socket.sendto

    @property
    def socket(self) -> socket.socket:
        """The bound socket, to look at."""
        return self._socket

    @property
    def shares_port(self) -> bool:
        """Whether the port may have more sockets, each with a queue of its own."""
        option = getattr(socket, "SO_REUSEPORT", None)
        if option is None or self._socket.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        return self.fileno() >= 0 and bool(self._socket.getsockopt(socket.SOL_SOCKET, option))

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 once no more datagrams are taken."""
        return -1 if self._retired else self._socket.fileno()

    def accept(self) -> ReceivedDatagram | None:
        """Receive one datagram; None if there is none."""
        local = None
        try:
            if self._ancillary_size and sys.platform != "win32":
                payload, ancillary, _, sockaddr = self._socket.recvmsg(
                    self._room, self._ancillary_size
                )
                local = self._local_host_of(ancillary)
            else:
                payload, sockaddr = self._socket.recvfrom(self._room)
        except BlockingIOError:
            return None
        except OSError as error:
            # Some systems report here that an earlier answer did not arrive.
            if error.errno in _UNDELIVERABLE:
                return None
            raise
        truncated = len(payload) > self._max_size
        if truncated:
            payload = payload[: self._max_size]
        # As its class makes it, in half the time: that goes through C to an `__init__` in Python.
        datagram = _blank(ReceivedDatagram)
        datagram.payload = payload
        datagram.peer = self._peer_of(sockaddr)
        datagram.truncated = truncated
        datagram.local_host = local
        datagram._send = _reply
        datagram.sockaddr = sockaddr
        datagram.listener = self
        datagram.traffic = None
        datagram.sent = 0
        return datagram

    @property
    def accept_immediate(self) -> Callable[[], ReceivedDatagram | None]:
        """What `accept` is, for a handler that is called at once."""
        return self.accept

    def send_back(
        self, datagram: ReceivedDatagram, payload: bytes, *, may_wait: bool = True
    ) -> bool:
        """Send an answer, with patience unless it must not wait; as `Datagram.reply`."""
        local, sockaddr = datagram.local_host, datagram.sockaddr
        if not sockaddr:
            raise NoReturnAddressError(errno.EDESTADDRREQ, _NO_NAME)
        ancillary = None if local is None else self._leaving_from(local)
        until = 0.0
        while True:
            try:
                if ancillary and sys.platform != "win32":
                    self._socket.sendmsg((payload,), ancillary, 0, sockaddr)
                else:
                    self._socket.sendto(payload, sockaddr)
            except BlockingIOError:
                if not may_wait:
                    return False
                until = until or time.monotonic() + SEND_SECONDS
                if not self._wait_for_room(until - time.monotonic()):
                    return False
            except OSError as error:
                if ancillary and error.errno in _NOT_FROM_THERE:
                    ancillary = None
                elif error.errno in _UNDELIVERABLE or _has_no_port(datagram.peer):
                    return False
                else:
                    raise
            else:
                return True

    def _wait_for_room(self, seconds: float) -> bool:
        if seconds <= 0:
            return False
        # A Unix socket is writable as soon as its own buffer has room, even if the receiver's
        # queue is full; so wait a little and try again.
        time.sleep(min(seconds, _SEND_PAUSE))
        return True

    def waiting(self) -> int | None:
        """Return None: systems tell of bytes that wait, and not of datagrams."""
        return None

    def retire(self) -> int | None:
        """Take no more datagrams; the socket stays open for the answers.

        Those that wait are thrown away and counted, unless the socket is another program's, too.
        """
        left = 0 if self._retired else self._throw_away()
        self._retired = True
        return left

    def _throw_away(self) -> int | None:
        if self._is_shared:
            return None
        try:
            for count in range(_MOST_THROWN_AWAY):
                try:
                    self._socket.recv(1)
                except BlockingIOError:
                    return count
                except OSError as error:  # it was longer, or an answer did not arrive: no matter
                    if error.errno not in _UNDELIVERABLE and sys.platform != "win32":
                        raise
        except OSError:
            pass
        return None

    def close(self) -> None:
        """Remove what was made for the socket, then close it."""
        self._retired = True
        if self._socket.fileno() >= 0:
            self._forget()
            self._socket.close()

    def release(self) -> None:
        """Keep the socket: the child needs it to answer, and ends soon."""


def _has_no_port(peer: Peer) -> bool:
    # RFC 768: a sender that expects no answer may give 0 as its port.
    return not isinstance(peer, UnixPeer) and peer.port == 0
