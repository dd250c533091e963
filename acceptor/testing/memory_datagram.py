"""Datagrams without a network: clients that hand their datagrams to a listener in this process."""

import errno
import os
from collections.abc import Callable
from typing import Any, ClassVar, Generic, overload

import attrs
from typing_extensions import TypeVar

from acceptor.core.datagram import Datagram
from acceptor.core.deadlines import Timeouts
from acceptor.core.errors import NoReturnAddressError, UnsupportedError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Incoming, Listener, Queue, Traffic, Transport
from acceptor.core.limits import Refusal, Reply
from acceptor.core.peers import InetPeer, Peer, UnixPeer
from acceptor.testing.door import HERE, NO_FORK, Door, Line, somebody
from acceptor.testing.memory_datagram_socket import MAX_DATAGRAM_SIZE, MemoryDatagramSocket
from acceptor.testing.patience import PATIENCE

PeerT = TypeVar("PeerT", bound=Peer, default=InetPeer)


@attrs.define(eq=False)
class MemoryDatagram(Datagram, Incoming[Datagram, Any]):  # pyright: ignore[reportIncompatibleVariableOverride]
    """A datagram on its way to the handler; its answers go straight to who sent it."""

    sender: MemoryDatagramSocket | None = attrs.field(default=None, repr=False)
    traffic: Traffic | None = attrs.field(default=None, repr=False)
    _pid: int = attrs.field(factory=os.getpid, init=False, repr=False)

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> Datagram:
        """Return the datagram: there is nothing to negotiate, and nothing to wait for.

        Raises:
            UnsupportedError: This is a forked child, and the sender is in the parent.
        """
        if os.getpid() != self._pid:
            raise UnsupportedError(NO_FORK)
        traffic[0] = len(self.payload)
        self.traffic = traffic
        return self

    def reply(self, payload: bytes) -> bool:
        """Send a datagram back; return whether the sender is still there."""
        taken = self._send_back(payload)
        if taken and self.traffic is not None:
            self.traffic[1] += len(payload)
        return taken

    def _send_back(self, payload: bytes) -> bool:
        if isinstance(self.peer, UnixPeer) and not self.peer.path:
            raise NoReturnAddressError(
                errno.EDESTADDRREQ, "cannot reply: the sender's socket is bound to no name"
            )
        if len(payload) > MAX_DATAGRAM_SIZE:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        return self.sender is not None and self.sender.put(bytes(payload))

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return None: no error of a handler is the doing of a datagram's sender."""
        return None

    def close(self, *, patient: bool = False) -> None:
        """Nothing to close."""

    def cut(self) -> None:
        """Nothing to cut."""

    def release(self) -> None:
        """Have the sender raise what the matter is: a child of this process shall answer."""
        if self.sender is not None:
            self.sender.fail(UnsupportedError(NO_FORK))

    def refuse(self, how: Refusal) -> None:
        """Drop it, or answer with one datagram."""
        if isinstance(how, Reply):
            try:
                self._send_back(how.payload)
            except OSError:  # it cannot be answered, or not so; nobody else is concerned
                pass


@attrs.define(eq=False)
class MemoryDatagramListener(Listener[Datagram, PeerT], Queue, Generic[PeerT]):
    """Hands out the datagrams that clients of `MemoryDatagramTransport` have sent."""

    address: PeerT  # pyright: ignore[reportIncompatibleMethodOverride]
    connect: Callable[[], MemoryDatagramSocket]
    """Makes a client, as `MemoryDatagramTransport.connect`; `serve` asks listeners for it."""
    _line: Line[MemoryDatagram]

    def fileno(self) -> int:
        """Return a descriptor that is readable while a datagram waits; -1 once it is closed."""
        return self._line.fileno()

    def accept(self) -> MemoryDatagram | None:
        """Take the next datagram; None if there is none."""
        return self._line.take()

    @property
    def shares_port(self) -> bool:
        """Always False: there is no port."""
        return False

    def waiting(self) -> int | None:
        """Return how many datagrams wait."""
        return len(self._line)

    def retire(self) -> int | None:
        """Take no more datagrams; return how many waited."""
        return len(self._line.close())

    def close(self) -> None:
        """As `retire`."""
        self.retire()

    def release(self) -> None:
        """Keep all of it: there is no port that a child could hold open."""


@attrs.frozen(kw_only=True, eq=False, init=False)
class MemoryDatagramTransport(Transport[Datagram, PeerT], Generic[PeerT]):
    """Datagrams of clients that are made by `connect`: no network, no port, one process.

    As `MemoryTransport`, which is the same for streams; but nothing is ever lost or reordered.
    """

    request_type: ClassVar[type] = Datagram

    address: PeerT
    """What the server is bound to; its kind says which peers come: Internet or Unix."""
    max_datagram_size: int = attrs.field(validator=attrs.validators.ge(1))
    """Bytes; what is longer arrives cut, and says so."""
    _door: Door[MemoryDatagram] = attrs.field(factory=Door[MemoryDatagram], init=False, repr=False)

    @overload
    def __init__(
        self: "MemoryDatagramTransport[InetPeer]", *, max_datagram_size: int = ...
    ) -> None: ...
    @overload
    def __init__(self, *, address: PeerT, max_datagram_size: int = ...) -> None: ...
    def __init__(self, *, address: Any = HERE, max_datagram_size: int = MAX_DATAGRAM_SIZE) -> None:
        """Describe it; nothing is opened."""
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            address=address, max_datagram_size=max_datagram_size
        )

    def listen(self) -> MemoryDatagramListener[PeerT]:
        """Let datagrams come; the caller closes the listener.

        Raises:
            ListenError: A listener is open already.
        """
        return MemoryDatagramListener(self.address, self.connect, self._door.open())

    def connect(
        self, peer: PeerT | None = None, timeout: float | None = PATIENCE
    ) -> MemoryDatagramSocket:
        """Make a client, the caller's to close; it comes when it sends.

        `peer` is who it is, by default somebody on this machine, each time another. `timeout` is
        what `receive` waits, so that a test whose server is silent ends.
        """
        comer: Peer = somebody(self.address, named=True) if peer is None else peer

        def deliver(payload: bytes, sender: MemoryDatagramSocket) -> None:
            kept = payload[: self.max_datagram_size]
            cut = len(payload) > len(kept)
            self._door.enter(MemoryDatagram(kept, comer, cut, sender=sender))

        return MemoryDatagramSocket((comer, self.address), deliver, timeout)
