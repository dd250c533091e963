"""The loop that takes clients in: room first, then a client, then whatever is behind the port."""

import contextlib
import errno
import threading
import time
import weakref
from typing import Any, Final, Generic

import attrs
from typing_extensions import TypeVar

from acceptor.core.deadlines import Clock, Deadline
from acceptor.core.direct import DirectPath
from acceptor.core.errors import ResourceError
from acceptor.core.events import AcceptPaused, AcceptResumed
from acceptor.core.interfaces import Incoming, Intake, Listener, LoopOrders, Queue
from acceptor.core.lending import Lending
from acceptor.core.reporting import Reporter
from acceptor.core.waiting import Waiter

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")
IntakeT = TypeVar("IntakeT", bound=Intake[Any, Any], default=Intake[Any, Any])

OUT_OF_RESOURCES: Final = frozenset(
    getattr(errno, name)
    for name in ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "WSAEMFILE", "WSAENOBUFS")
    if hasattr(errno, name)
)

# After "out of descriptors" the very next accept fails too, so a loop that only ignores it spins:
# socketserver of CPython 3.13 tried 334,000 times in 2 s. Trio, Ranch and Go wait as well.
FIRST_PAUSE: Final = 0.1  # seconds
LONGEST_PAUSE: Final = 1.0  # seconds

_GLANCE: Final = 0.0005  # seconds
_LOOK: Final = 0.01  # seconds

# All loops of this process that may have a port open, for a forked child to drop. No `WeakSet`:
# to go through one, each child would have to copy 15 pages more.
LOOPS: Final[set["weakref.ref[AcceptLoop[Any, Any, Any]]"]] = set()

# Clients taken between two looks at what else there is to do (children that ended, wake-ups).
BURST: Final = 64

# Where clients come one by one, looking for a second costs as much as another wait; so after one
# look in vain so many waits take one client each.
SINGLE: Final = 16


def _sooner(one: float | None, other: float | None) -> float | None:
    """Return the shorter of two times, of which None is for ever."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


@attrs.define(eq=False)
class Backoff:
    """The spell in which the machine is out of something."""

    _report: Reporter
    clock: Clock = time.monotonic
    attempts: int = attrs.field(default=0, init=False)
    _cause: OSError | None = attrs.field(default=None, init=False)
    _delay: float = attrs.field(default=FIRST_PAUSE, init=False)
    _since: float = attrs.field(default=0.0, init=False)
    _until: Deadline = attrs.field(factory=lambda: Deadline.after(0.0), init=False)

    def begin(self, cause: OSError) -> None:
        """Wait before the next attempt, longer each time; the first of a spell is reported."""
        if not self.attempts:
            self._since = self.clock()
            self._cause = cause
            self._delay = FIRST_PAUSE
            self._report(AcceptPaused(cause=cause, delay=self._delay))
        self.attempts += 1
        self._until = Deadline.after(self._delay, self.clock)
        self._delay = min(self._delay * 2, LONGEST_PAUSE)

    def end(self) -> None:
        """Note that an attempt went well."""
        attempts, self.attempts = self.attempts, 0
        cause, self._cause = self._cause, None
        elapsed = self.clock() - self._since
        self._report(AcceptResumed(cause=cause, attempts=attempts, elapsed=elapsed))

    def remaining(self) -> float:
        """Return the seconds until the next attempt."""
        return (self._until.remaining() or 0.0) if self.attempts else 0.0


@attrs.define(eq=False)
class Orders:
    """What other threads and signal handlers have asked for; plain flags, so never a lock.

    Whoever sets one wakes the waiter afterwards.
    """

    ending: bool = False  # leave the loop, keep the port
    emptying: bool = False  # take the clients that wait already, then leave the loop
    paused: bool = False  # take no client for now
    hurried: bool = False  # let a drain wait no longer


@attrs.define(eq=False)
class AcceptLoop(Generic[RequestT, PeerT, IntakeT]):
    """Takes clients from one listener and hands each to what is behind the port.

    Driven by one thread at a time; `retire` may be called from any.
    """

    listener: Listener[RequestT, PeerT]
    waiter: Waiter
    intake: IntakeT
    _report: Reporter
    _orders: LoopOrders
    _backoff: Backoff = attrs.field(
        default=attrs.Factory(lambda self: Backoff(self._report), takes_self=True)
    )
    _lending: Lending | None = None  # if workers can take clients by themselves
    direct: DirectPath[RequestT, PeerT] | None = None
    """The shorter way for those whose request needs neither a worker nor a handshake."""
    _retired: bool = attrs.field(default=False, init=False)
    _is_closed: bool = attrs.field(default=False, init=False)
    _left: int | None = attrs.field(default=None, init=False)
    _accepting: bool = attrs.field(default=False, init=False)
    _ref: "weakref.ref[AcceptLoop[Any, Any, Any]]" = attrs.field(init=False, repr=False)
    # Reentrant, because a signal's handler may look while its own thread has it.
    _port_lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._ref = weakref.ref(self, LOOPS.discard)
        LOOPS.add(self._ref)

    def run(self) -> None:
        """Serve until asked to end.

        Raises:
            Exception: The listener or the dispatcher is broken; not a client, not the handler.
        """
        single = 0
        orders = self._orders
        while not (orders.ending or self._retired):
            if orders.emptying:
                self._take_waiting()
            elif self._lending is not None and self._lend(self._lending):
                single = 0
            elif single:
                single -= 1
                self.turn(None, 1)
            elif self.turn(None, BURST) == 1:
                single = SINGLE

    def _lend(self, lending: Lending) -> bool:
        """Let the workers take clients until something else is to be done; False if they may not.

        What they cannot deal with comes back: it is dealt with here, as if this thread had met it.
        """
        if self._backoff.attempts or self.intake.holds_one or not lending.is_allowed:
            return False
        if self.waiter.port >= 0:
            with self._port_lock:  # the port is not closed meanwhile
                self.waiter.turn_to(-1)
        try:
            lending.begin()
            while lending.goes_on:
                self.waiter.wait(lending.look())
        except ResourceError:  # this thread takes the next client then, and meets it itself
            return False
        finally:
            lending.end()
        trouble = lending.trouble()
        if isinstance(trouble, OSError) and trouble.errno in OUT_OF_RESOURCES:
            self._backoff.begin(trouble)
        elif trouble is not None:
            raise trouble
        return True

    def _take_waiting(self) -> None:
        """Take clients that wait already; retire if there are no more.

        Here and now: until the port is closed, the system puts more into its queue, and who comes
        afterwards goes to the other sockets.
        """
        if not self.intake.has_room() or self.intake.holds_one or self._backoff.attempts:
            self.turn(None, BURST)  # this waits for a slot, or a worker
        elif self.wait_for_client(0.0):
            self.take_up_to(BURST)
        elif not self._retire_if_empty():
            self.turn(_LOOK, BURST)  # for somebody who is about to come in

    def _retire_if_empty(self) -> bool:
        with self._port_lock:
            self.waiter.turn_to(-1)  # a client that waits is found by the next look
            if not self._retired and isinstance(self.listener, Queue):
                self._retired = self.listener.close_if_empty()
                if self._retired:
                    self._close_port()
            return self._retired

    def _close_port(self) -> None:
        self._left = self.listener.retire()
        self._is_closed = True

    def run_once(self, timeout: float | None) -> bool:
        """Take one client; return False if none came within so many seconds.

        Where clients are held, it is one message: that was begun with since the last call.
        """
        deadline = Deadline.after(timeout, self._backoff.clock)
        with self.intake.one_by_one() as was_served:
            if was_served(0):  # since the last call, by a thread that needs none to be driven
                return True
            while not (self._orders.ending or self._orders.emptying or self._retired):
                taken = self.turn(deadline.remaining(), 1)
                if was_served(taken):
                    return True
                if deadline.passed:
                    break
        return False

    def turn(self, timeout: float | None, most: int) -> int:
        """Wait once, for up to so many seconds, and take what has come; return how many."""
        if self.wait_for_client(timeout):
            return self.take_up_to(most)
        return 0

    def wait_for_client(self, timeout: float | None) -> bool:
        """Wait once, for up to so many seconds; say whether a client is there to be taken.

        The wait also ends when something else happened; it is for none while there is no room,
        the machine is out of something, or a client that was taken still waits for a worker.
        """
        port = -1
        if self._backoff.attempts and (pause := self._backoff.remaining()):
            timeout = pause if timeout is None else min(pause, timeout)
        elif self.intake.holds_one:
            self._take_held()
            return False
        elif not self._orders.paused:
            if self.intake.expect_room():
                port = self.listener.fileno()
            elif not self._retired:
                self.intake.note_full()
        if self.waiter.port != port:
            with self._port_lock:  # the port is not closed meanwhile
                self.waiter.turn_to(-1 if self._retired else port)
        if port >= 0 and self.intake.is_full and self.intake.has_slot():
            timeout = _sooner(timeout, self.intake.note_room() or None)
        return self.waiter.wait(_sooner(timeout, self.intake.cut_overdue()))

    def _take_held(self) -> None:
        try:
            self.intake.take_held()
        except ResourceError as error:
            self._backoff.begin(error)
        else:
            if self._backoff.attempts:
                self._backoff.end()

    def take_up_to(self, most: int) -> int:
        """Take the clients that are there, at most so many; return how many were."""
        if self.direct is not None and self.direct.is_open and not self._backoff.attempts:
            return self._take_directly(self.direct, most)
        taken = 0
        orders = self._orders
        while (
            taken < most
            and not (orders.ending or orders.paused)
            and self.intake.has_room()  # for the first, too: the limits may be others by now
            and (incoming := self._accept()) is not None
        ):
            taken += 1
            try:
                self.intake.take(incoming)
            except ResourceError as error:
                self._backoff.begin(error)
                break
        return taken

    def _take_directly(self, direct: DirectPath[RequestT, PeerT], most: int) -> int:
        try:
            return direct.serve(most, self._orders)
        except OSError as error:
            if error.errno not in OUT_OF_RESOURCES:
                raise
            self._backoff.begin(error)
            return 0

    def _accept(self) -> Incoming[RequestT, PeerT] | None:
        try:
            # Before the look at the flags; whoever sets one does it the other way round.
            self._accepting = True
            if self._retired or self._orders.paused:
                return None
            incoming = self.listener.accept()
        except OSError as error:
            if error.errno not in OUT_OF_RESOURCES:
                raise
            self._backoff.begin(error)
            return None
        finally:
            self._accepting = False
        if incoming is not None and self._backoff.attempts:
            self._backoff.end()
        return incoming

    def finish_lent_accept(self) -> None:
        """Wait until no worker accepts any more of its own; for any thread."""
        if self._lending is not None:
            self._lending.finish()

    def is_taken_by(self, thread: int) -> bool:
        """Whether this thread, a worker, is letting a client in just now."""
        return self._lending is not None and self._lending.taker == thread

    def finish_accept(self) -> None:
        """Wait until an accept that is under way is over; not for the thread that accepts.

        Accepting does not wait, so this takes no time; with a lock, which costs each request more
        than a flag, it would be the same.
        """
        while self._accepting:
            time.sleep(_GLANCE)
        if self.direct is not None:
            self.direct.finish_accept()

    @property
    def shares_port(self) -> bool:
        """Whether what waits at this port is lost with it, though others have the port, too."""
        return isinstance(self.listener, Queue) and self.listener.shares_port

    def waiting(self) -> int | None:
        """Return how many clients wait to be taken; None if that is not known."""
        if not isinstance(self.listener, Queue):
            return None
        with self._port_lock:  # the port is not closed meanwhile
            return 0 if self._retired else self.listener.waiting()

    def retire(self) -> int | None:
        """Close the port for good: from here on no client is taken. May be repeated.

        Returns how many waited in vain, None if that is not known.
        """
        if self._lending is not None:
            # First, and not under the lock: whoever lets a client in may look at our statistics.
            self._lending.end(for_good=True)
        with self._port_lock:
            if self._is_closed:  # else Ctrl-C may have ended an attempt
                return self._left
            self._retired = True
            # So that the port is never closed, and its number used again, between the look at
            # the flag and the system call.
            if self.direct is not None:
                self.direct.shut()
            self.finish_accept()
            self.waiter.turn_to(-1)  # while the number is still the port's
            self._close_port()
            return self._left

    def close(self) -> None:
        """Let go of what is behind the port, listener and waiter; of each, if another fails."""
        with contextlib.ExitStack() as stack:
            stack.callback(LOOPS.discard, self._ref)
            stack.callback(self.waiter.close)
            stack.callback(self.listener.close)
            if not self.waiter.is_inherited:  # else all behind the port is the parent's
                self.intake.close()
