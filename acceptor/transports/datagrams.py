"""What all datagram listeners share: receiving one datagram, and answering it."""

import errno
import select
import socket
import sys
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import attrs

from acceptor.core.datagram import Datagram
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Incoming, Listener
from acceptor.core.peers import Peer

PeerT = TypeVar("PeerT", bound=Peer)

# Nobody is there to receive it, or its queue is full; a datagram's sender lives with that.
_UNDELIVERABLE: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNREFUSED", "ECONNRESET", "ENOENT", "ENOBUFS"),
        *("EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN"),
    )
    if hasattr(errno, name)
)

# How long an answer waits for room in a full queue.
SEND_SECONDS: Final = 1.0

MAX_DATAGRAM_SIZE: Final = 65_535  # nothing longer fits into UDP's length field; RFC 768

Ancillary = list[tuple[int, int, bytes]]


@attrs.define(eq=False)
class DatagramIncoming(Incoming[Datagram, PeerT], Generic[PeerT]):
    """One received datagram. There is no connection, so nothing to close or to cut."""

    _datagram: Datagram
    peer: PeerT  # pyright: ignore[reportIncompatibleMethodOverride]

    def handshake(self, timeout: float) -> Datagram:
        """Return the datagram: there is nothing to negotiate."""
        return self._datagram

    def outcome_of(self, error: BaseException) -> Outcome | None:
        """Return None: no error of a handler is the doing of a datagram's sender."""
        return None

    def close(self, *, patient: bool) -> None:
        """Nothing to close."""

    def cut(self) -> None:
        """Nothing to cut."""

    def release(self) -> None:
        """Nothing to release."""


@attrs.define(eq=False)
class DatagramListener(Listener[Datagram, PeerT], Generic[PeerT]):
    """A bound datagram socket of any family; used for receiving and, by every job, for sending."""

    _socket: socket.socket
    address: PeerT  # pyright: ignore[reportIncompatibleMethodOverride]
    _max_size: int
    _peer_of: Callable[[Any], PeerT]
    # Where an answer to a datagram goes, and what must go with it.
    _way_back: Callable[[Datagram], tuple[Any, Ancillary]]
    _ancillary_size: int = 0
    _local_host_of: Callable[[Ancillary], str | None] = attrs.field(default=lambda ancillary: None)
    _forget: Callable[[], object] = attrs.field(default=lambda: None, alias="forget")
    _retired: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 once no more datagrams are taken."""
        return -1 if self._retired else self._socket.fileno()

    def accept(self) -> DatagramIncoming[PeerT] | None:
        """Receive one datagram; None if there is none."""
        try:
            payload, ancillary, truncated, sockaddr = self._receive()
        except BlockingIOError:
            return None
        except OSError as error:
            # Some systems report here that an earlier answer did not arrive.
            if error.errno in _UNDELIVERABLE:
                return None
            raise
        peer = self._peer_of(sockaddr)
        local = self._local_host_of(ancillary) if ancillary else None
        return DatagramIncoming(Datagram(payload, peer, truncated, local, send=self._send), peer)

    if sys.platform == "win32":

        def _receive(self) -> tuple[bytes, Ancillary, bool, Any]:
            # No recvmsg: receive all that UDP can carry, and cut it here.
            payload, sockaddr = self._socket.recvfrom(MAX_DATAGRAM_SIZE)
            return payload[: self._max_size], [], len(payload) > self._max_size, sockaddr

    else:

        def _receive(self) -> tuple[bytes, Ancillary, bool, Any]:
            payload, ancillary, flags, sockaddr = self._socket.recvmsg(
                self._max_size, self._ancillary_size
            )
            return payload, ancillary, bool(flags & socket.MSG_TRUNC), sockaddr

    def _send(self, datagram: Datagram, payload: bytes) -> bool:
        destination, ancillary = self._way_back(datagram)
        try:
            try:
                self._send_once(payload, ancillary, destination)
            except BlockingIOError:
                select.select((), (self._socket,), (), SEND_SECONDS)
                self._send_once(payload, ancillary, destination)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _UNDELIVERABLE:
                return False
            raise
        return True

    def _send_once(self, payload: bytes, ancillary: Ancillary, destination: Any) -> None:
        if sys.platform != "win32" and ancillary:
            self._socket.sendmsg((payload,), ancillary, 0, destination)
        else:
            self._socket.sendto(payload, destination)

    def retire(self) -> None:
        """Take no more datagrams; the socket stays open for the answers."""
        self._retired = True

    def close(self) -> None:
        """Remove what was made for the socket, then close it."""
        self._retired = True
        if self._socket.fileno() >= 0:
            self._forget()
            self._socket.close()

    def release(self) -> None:
        """Keep the socket: the child needs it to answer, and ends soon."""
