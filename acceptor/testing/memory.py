"""Stream clients without a network: connections that are two buffers in this process."""

import os
import socket
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final, Generic, overload

import attrs
from typing_extensions import TypeVar

from acceptor.core.deadlines import Clock, Deadline, Timeouts
from acceptor.core.errors import DeadlineError, UnsupportedError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Incoming, Listener, Queue, Traffic, Transport
from acceptor.core.limits import Refusal, Reply, Reset
from acceptor.core.peers import InetPeer, Peer
from acceptor.testing.clock import FakeClock
from acceptor.testing.door import HERE, NO_FORK, Door, Line, somebody
from acceptor.testing.memory_socket import MemorySocket
from acceptor.testing.patience import PATIENCE
from acceptor.testing.wire import Wire

PeerT = TypeVar("PeerT", bound=Peer, default=InetPeer)

CAPACITY: Final = 65_536  # bytes on their way in one direction, before a write waits
LINGER_SECONDS: Final = 2.0  # as the real ones

_HANG_UPS: Final = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


@attrs.define(eq=False)
class MemoryIncoming(Incoming[socket.socket, Any]):
    """One accepted memory connection."""

    _socket: MemorySocket
    peer: Any  # pyright: ignore[reportIncompatibleMethodOverride]
    _clock: Clock
    _since: float = attrs.field(init=False)
    _pid: int = attrs.field(factory=os.getpid, init=False)

    def __attrs_post_init__(self) -> None:
        self._since = self._clock()

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> socket.socket:
        """Return the socket: there is nothing to negotiate.

        Raises:
            UnsupportedError: This is a forked child, and the client's end is in the parent.
        """
        if os.getpid() != self._pid:
            raise UnsupportedError(NO_FORK)
        seconds = timeouts.connection
        connection = Deadline.after(None, self._clock)
        if seconds is not None:
            connection = Deadline(self._since + seconds, self._clock)
        self._socket.obey(timeouts, traffic, connection)
        return self._socket

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return how it ended if the client hung up or took too long."""
        if error is None:  # handlers of HTTP catch a timeout and return
            return Outcome.TIMED_OUT if self._socket.has_stalled else None
        if isinstance(error, _HANG_UPS) and self._socket.is_dead:
            return Outcome.CLIENT_LEFT
        if isinstance(error, DeadlineError):
            return Outcome.TIMED_OUT
        # Other timeouts a handler may run into carry an errno or another text, or none.
        if isinstance(error, TimeoutError) and error.args == ("timed out",):
            return Outcome.TIMED_OUT if self._socket.gettimeout() is not None else None
        return None

    def close(self, *, patient: bool) -> None:
        """Half-close, read what the client still sends (within bounds), close."""
        if os.getpid() != self._pid:  # the locks may be held by a thread that is not here
            return
        # By a clock that stands still the wait for a client that stays would have no end.
        waits = patient and not isinstance(self._clock, FakeClock)
        self._socket.finish(LINGER_SECONDS if waits else 0.0)

    def cut(self) -> None:
        """Shut it both ways, which ends a blocked read or write at once."""
        self._socket.cut()

    def release(self) -> None:
        """Have the client raise what the matter is: a child of this process shall serve it."""
        self._socket.break_with(UnsupportedError(NO_FORK))

    def refuse(self, how: Refusal) -> None:
        """Turn the client away, without ever waiting for it."""
        if isinstance(how, Reset):
            self._socket.reset()
            return
        if isinstance(how, Reply):
            self._socket.send_what_fits(how.payload)
        self._socket.finish(0.0)


@attrs.define(eq=False)
class MemoryListener(Listener[socket.socket, PeerT], Queue, Generic[PeerT]):
    """Hands out the clients that `MemoryTransport.connect` has made."""

    address: PeerT  # pyright: ignore[reportIncompatibleMethodOverride]
    connect: Callable[[], MemorySocket]
    """Connects a client, as `MemoryTransport.connect`; `serve` asks listeners for it."""
    _line: Line[MemoryIncoming]

    def fileno(self) -> int:
        """Return a descriptor that is readable while a client waits; -1 once it is closed."""
        return self._line.fileno()

    def accept(self) -> MemoryIncoming | None:
        """Take the next client; None if there is none."""
        return self._line.take()

    @property
    def shares_port(self) -> bool:
        """Always False: there is no port."""
        return False

    def waiting(self) -> int | None:
        """Return how many clients wait."""
        return len(self._line)

    def retire(self) -> int | None:
        """Take no more clients; those that wait find their connection reset."""
        left = self._line.close()
        for incoming in left:
            incoming.refuse(Reset())
        return len(left)

    def close(self) -> None:
        """As `retire`."""
        self.retire()

    def release(self) -> None:
        """Let go of this process's descriptor."""
        self._line.release()


@attrs.frozen(kw_only=True, eq=False, init=False)
class MemoryTransport(Transport[socket.socket, PeerT], Generic[PeerT]):
    """Stream clients that are made by `connect`: no network, no port, one process.

    Each is a place of its own, with at most one listener at a time. What a handler is given is a
    `socket.socket` in all but its descriptor; under `forked` no handler could reach it, and the
    client's calls raise `UnsupportedError`.
    """

    request_type: ClassVar[type] = socket.socket

    address: PeerT
    """What the server is bound to; its kind says which peers come: Internet or Unix."""
    clock: Clock
    """What the deadlines of connections are measured by: give the server the same."""
    capacity: int = attrs.field(validator=attrs.validators.ge(1))
    """Bytes that may be on their way in one direction before a write waits."""
    _door: Door[MemoryIncoming] = attrs.field(factory=Door[MemoryIncoming], init=False, repr=False)

    @overload
    def __init__(
        self: "MemoryTransport[InetPeer]", *, clock: Clock = ..., capacity: int = ...
    ) -> None: ...
    @overload
    def __init__(self, *, address: PeerT, clock: Clock = ..., capacity: int = ...) -> None: ...
    def __init__(
        self, *, address: Any = HERE, clock: Clock = time.monotonic, capacity: int = CAPACITY
    ) -> None:
        """Describe it; nothing is opened."""
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            address=address, clock=clock, capacity=capacity
        )

    def listen(self) -> MemoryListener[PeerT]:
        """Let clients come; the caller closes the listener.

        Raises:
            ListenError: One is open already.
        """
        return MemoryListener(self.address, self.connect, self._door.open())

    def connect(self, peer: PeerT | None = None, timeout: float | None = PATIENCE) -> MemorySocket:
        """Come as a client; return its end of the connection, the caller's to close.

        `peer` is who comes, by default somebody on this machine, each time another. `timeout` is
        the client's own and takes real time, so that a test whose server is silent ends.

        Raises:
            ConnectionRefusedError: Nobody listens.
        """
        wire = Wire(self.capacity)
        comer: Peer = somebody(self.address) if peer is None else peer
        served = MemorySocket(wire, 0, (self.address, comer), self.clock)
        self._door.enter(MemoryIncoming(served, comer, self.clock))
        return MemorySocket(wire, 1, (comer, self.address), timeout=timeout)
