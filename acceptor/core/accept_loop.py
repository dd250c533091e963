"""The loop that takes clients in: room first, then a client, then policy, then the dispatcher."""

import errno
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import attrs

from acceptor.core.access import AllowAll
from acceptor.core.admission import Admission
from acceptor.core.deadlines import Deadline
from acceptor.core.errors import ResourceError, is_ctrl_c
from acceptor.core.events import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Outcome,
    Refused,
)
from acceptor.core.interfaces import AccessPolicy, Dispatcher, Incoming, Listener
from acceptor.core.job import ServeRequest
from acceptor.core.reporting import Reporter
from acceptor.core.waiting import Waiter

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

OUT_OF_RESOURCES: Final = frozenset(
    getattr(errno, name)
    for name in ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "WSAEMFILE", "WSAENOBUFS")
    if hasattr(errno, name)
)

# After "out of descriptors" the very next accept fails too, so a loop that only ignores it spins:
# socketserver of CPython 3.13 tried 334,000 times in 2 s. Trio, Ranch and Go wait as well.
FIRST_PAUSE: Final = 0.1  # seconds
LONGEST_PAUSE: Final = 1.0  # seconds

_SLICE: Final = 0.5  # seconds

# All loops of this process that may have a port open, for a forked child to drop.
LOOPS: Final["weakref.WeakSet[AcceptLoop[Any, Any]]"] = weakref.WeakSet()

# Clients taken between two looks at what else there is to do (children that ended, wake-ups).
BURST: Final = 64


@attrs.define(eq=False)
class Backoff:
    """The spell in which the machine is out of something."""

    _report: Reporter
    attempts: int = attrs.field(default=0, init=False)
    _delay: float = attrs.field(default=FIRST_PAUSE, init=False)
    _since: float = attrs.field(default=0.0, init=False)
    _until: Deadline = attrs.field(factory=lambda: Deadline.after(0.0), init=False)

    def begin(self, cause: OSError) -> None:
        """Wait before the next attempt, longer each time; the first of a spell is reported."""
        if not self.attempts:
            self._since = time.monotonic()
            self._delay = FIRST_PAUSE
            self._report(AcceptPaused(cause=cause, delay=self._delay))
        self.attempts += 1
        self._until = Deadline.after(self._delay)
        self._delay = min(self._delay * 2, LONGEST_PAUSE)

    def end(self) -> None:
        """Note that an attempt went well."""
        elapsed = time.monotonic() - self._since
        self._report(AcceptResumed(attempts=self.attempts, elapsed=elapsed))
        self.attempts = 0

    def remaining(self) -> float:
        """Return the seconds until the next attempt."""
        return (self._until.remaining() or 0.0) if self.attempts else 0.0


@attrs.define(eq=False)
class Orders:
    """What other threads and signal handlers have asked for; plain flags, so never a lock.

    Whoever sets one wakes the waiter afterwards.
    """

    ending: bool = False  # leave the loop, keep the port
    paused: bool = False  # take no client for now
    hurried: bool = False  # let a drain wait no longer


@attrs.define(eq=False)
class AcceptLoop(Generic[RequestT, PeerT]):
    """Takes clients from one listener and hands each, as a job, to one dispatcher.

    Driven by one thread at a time; `retire` may be called from any.
    """

    listener: Listener[RequestT, PeerT]
    admission: Admission
    waiter: Waiter
    _dispatcher: Dispatcher
    _policy: AccessPolicy[PeerT]
    _handle: Callable[[RequestT, PeerT], object]
    _report: Reporter
    _orders: Orders
    _retired: bool = attrs.field(default=False, init=False)
    _held: ServeRequest[RequestT, PeerT] | None = attrs.field(default=None, init=False)
    _backoff: Backoff = attrs.field(init=False)
    _lets_all_in: bool = attrs.field(init=False)
    _port_lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._backoff = Backoff(self._report)
        self._lets_all_in = isinstance(self._policy, AllowAll)
        LOOPS.add(self)

    def run(self) -> None:
        """Serve until asked to end.

        Raises:
            Exception: The listener or the dispatcher is broken; not a client, not the handler.
        """
        while not (self._orders.ending or self._retired):
            self._turn(None, BURST)

    def run_once(self, timeout: float | None) -> bool:
        """Take one client; return False if none came within so many seconds."""
        deadline = Deadline.after(timeout)
        while not (self._orders.ending or self._retired):
            if self._turn(deadline.remaining(), 1):
                return True
            if deadline.passed:
                break
        return False

    def _turn(self, timeout: float | None, most: int) -> int:
        if self._backoff.attempts and (pause := self._backoff.remaining()):
            self._wait(pause if timeout is None else min(pause, timeout))
        elif self._held is not None:
            self._submit_held()
        elif self._orders.paused or not self.admission.expect_room():
            self._wait(timeout)
        elif self._wait(timeout, for_client=True):
            return self._accept_up_to(most)
        return 0

    def _wait(self, timeout: float | None, *, for_client: bool = False) -> bool:
        # Under the lock for the same reason as accepting.
        with self._port_lock:
            wanted = for_client and not self._retired
            self.waiter.turn_to(self.listener.fileno() if wanted else -1)
        return self.waiter.wait(timeout)

    def _accept_up_to(self, most: int) -> int:
        taken = 0
        orders = self._orders
        while (
            taken < most
            and not (orders.ending or orders.paused or self._held is not None)
            and self.admission.has_room()
            and (incoming := self._accept()) is not None
        ):
            taken += 1
            self._admit(incoming)
        return taken

    def _accept(self) -> Incoming[RequestT, PeerT] | None:
        # Under the lock, so that the port is never closed, and its number used again, between
        # the look at the flag and the system call. Accepting does not wait, so neither does retire.
        with self._port_lock:
            if self._retired:
                return None
            try:
                incoming = self.listener.accept()
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                self._backoff.begin(error)
                return None
        if incoming is not None and self._backoff.attempts:
            self._backoff.end()
        return incoming

    def _admit(self, incoming: Incoming[RequestT, PeerT]) -> None:
        if not (self._lets_all_in or self._is_allowed(incoming)):
            return
        job = ServeRequest(incoming, self._handle, self._report, self.admission)
        self.admission.enter(job)
        if self._report.wants_every_request:
            self._report(Accepted(peer=incoming.peer))
        self._submit(job)

    def _is_allowed(self, incoming: Incoming[RequestT, PeerT]) -> bool:
        error: BaseException | None = None
        try:
            if self._policy.allows(incoming.peer):
                return True
        except BaseException as raised:
            error = raised
        self._refuse(incoming, error)
        if error is not None and is_ctrl_c(error):
            raise error
        return False

    def _refuse(self, incoming: Incoming[RequestT, PeerT], error: BaseException | None) -> None:
        reason = "the access policy failed" if error is not None else f"denied by {self._policy!r}"
        self.admission.refuse()
        self._report(Refused(peer=incoming.peer, reason=reason, error=error))
        incoming.release()  # at once: who may not come in is not waited for

    def _submit(self, job: ServeRequest[RequestT, PeerT]) -> None:
        try:
            self._dispatcher.submit(job)
        except ResourceError as error:
            self._held = job
            self._backoff.begin(error)
        except Exception:
            job.incoming.close(patient=False)
            job.end(Outcome.LOST)
            raise
        else:
            if self._backoff.attempts:
                self._backoff.end()

    def retire(self) -> None:
        """Close the port for good: from here on no client is taken. May be repeated."""
        with self._port_lock:
            self._retired = True
            self.waiter.turn_to(-1)  # while the number is still the port's
            self.listener.retire()

    def wait_until_idle(self, deadline: Deadline, *, heed_hurry: bool) -> None:
        """Wait until nothing runs, the deadline has passed or, if that counts, in a hurry."""
        while not (self.admission.expect_idle() or deadline.passed):
            if heed_hurry and self._orders.hurried:
                break
            pause = self._backoff.remaining()
            if self._held is not None and not pause:
                self._submit_held()
            else:
                # In slices: a Ctrl-C that slips in right before the wait does not end it.
                self._wait(deadline.sooner(Deadline.after(pause or _SLICE)).remaining())

    def cut(self, timeout: float) -> int:
        """End what still runs, hard; return how many requests that were."""
        jobs = self.admission.running()
        held, self._held = self._held, None
        if held is not None:  # no worker ever had it, so none can end it
            held.incoming.close(patient=False)
            held.end(Outcome.CUT)
        self._dispatcher.cut([job for job in jobs if job is not held], timeout)
        return len(jobs)

    def _submit_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._submit(held)

    def close(self) -> None:
        """Let go of listener, dispatcher and waiter."""
        self._dispatcher.close()
        self.listener.close()
        self.waiter.close()
        LOOPS.discard(self)
