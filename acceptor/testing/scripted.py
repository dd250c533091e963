"""Clients that never were, and listeners that yield them, or faults, in a given order."""

import threading
import time
from collections.abc import Iterable
from typing import Any, Self, TypeAlias

import attrs

from acceptor.core.deadlines import Clock, Deadline, Timeouts
from acceptor.core.errors import DeadlineError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Incoming, Listener, Queue, Traffic, Transport
from acceptor.core.limits import Refusal
from acceptor.core.peers import IPv4Peer
from acceptor.testing.bell import Bell
from acceptor.testing.clock import wait_by_clock

SOMEBODY = IPv4Peer("192.0.2.1", 4000)
"""The peer of a client that is not told who it is; an address for documentation. RFC 5737."""


@attrs.define(eq=False)
class FakeIncoming(Incoming[Any, Any]):
    """A client that never was; writes down what is done to it.

    `request` is what the handler is given. With `fault` the handshake raises that; with `stalls`
    it takes until `Timeouts.handshake` or `cut`, as with a client that says nothing.
    """

    request: Any = "request"
    peer: Any = SOMEBODY  # pyright: ignore[reportIncompatibleMethodOverride]
    history: list[str] = attrs.field(factory=list[str])
    fault: Exception | None = attrs.field(default=None, kw_only=True)
    stalls: bool = attrs.field(default=False, kw_only=True)
    clock: Clock = attrs.field(default=time.monotonic, kw_only=True)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> Any:
        """Return the request, or do as the script says."""
        if self.stalls:
            deadline = Deadline.after(timeouts.handshake, self.clock)
            with self._changed:
                if wait_by_clock(
                    self._changed, lambda: "cut" in self.history, deadline, self.clock
                ):
                    raise ConnectionAbortedError("cut during the handshake")
            raise DeadlineError(f"no handshake within {timeouts.handshake} s")
        if self.fault is not None:
            raise self.fault
        return self.request

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return None: it does nothing that could end a request."""
        return None

    def close(self, *, patient: bool) -> None:
        """Note it."""
        self.history.append("closed")

    def cut(self) -> None:
        """Note it; end a handshake that stalls."""
        with self._changed:
            self.history.append("cut")
            self._changed.notify_all()

    def release(self) -> None:
        """Note it."""
        self.history.append("released")

    def refuse(self, how: Refusal) -> None:
        """Note how."""
        self.history.append(f"refused by {how}")


Step: TypeAlias = Incoming[Any, Any] | Exception | None
"""A client, what `accept` raises, or None: somebody who left before being taken."""


@attrs.define(eq=False)
class ScriptedListener(Listener[Any, Any], Queue):
    """Yields or raises what it was told to, one step for each `accept`; then nothing more.

    A `ConnectionError` is a client's fault, and so `accept` returns None, as it must.
    """

    _steps: list[Step]
    address: Any = SOMEBODY  # pyright: ignore[reportIncompatibleMethodOverride]
    accepts: int = attrs.field(default=0, init=False)
    """How often it was asked for a client."""
    history: list[str] = attrs.field(factory=list[str], init=False)
    """What else was done to it."""
    _bell: Bell = attrs.field(factory=Bell, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _retired: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._bell.ring(bool(self._steps))

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Self:
        """Make one with these steps."""
        return cls(list(steps))

    def add(self, *steps: Step) -> None:
        """Have more happen.

        Raises:
            ConnectionRefusedError: It takes nobody any more.
        """
        with self._lock:
            if self._retired:
                raise ConnectionRefusedError("the listener is retired")
            self._steps.extend(steps)
            self._bell.ring(bool(self._steps))

    def fileno(self) -> int:
        """Return a descriptor that is readable as long as there are steps; -1 once retired."""
        return -1 if self._retired else self._bell.fileno()

    def accept(self) -> Incoming[Any, Any] | None:
        """Do the next step."""
        with self._lock:
            self.accepts += 1
            step = self._steps.pop(0) if self._steps else None
            self._bell.ring(bool(self._steps))
        if isinstance(step, ConnectionError):
            return None
        if isinstance(step, Exception):
            raise step
        return step

    @property
    def shares_port(self) -> bool:
        """Always False: there is no port."""
        return False

    def waiting(self) -> int | None:
        """Return how many clients are among the steps left."""
        with self._lock:
            return sum(step is not None and not isinstance(step, Exception) for step in self._steps)

    def retire(self) -> int | None:
        """Take no more clients; note it."""
        left = self.waiting()
        with self._lock:
            self.history.append("retired")
            self._retired = True
            self._steps.clear()
            self._bell.ring(False)
        return left

    def close(self) -> None:
        """Let go of the descriptors; note it."""
        self.history.append("closed")
        self._retired = True
        self._bell.close()

    def release(self) -> None:
        """Let go of this process's descriptor."""
        self._bell.close()


@attrs.frozen(eq=False)
class ScriptedTransport(Transport[Any, Any]):
    """Opens the one listener it was given."""

    listener: ScriptedListener

    @classmethod
    def of(cls, *steps: Step) -> Self:
        """Make one whose listener has these steps."""
        return cls(ScriptedListener.of(steps))

    def listen(self) -> ScriptedListener:
        """Return the listener."""
        return self.listener
