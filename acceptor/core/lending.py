"""Who may accept: the thread that drives the accept loop, or the workers by themselves."""

import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from acceptor.core.admission import Admission
from acceptor.core.interfaces import Borrower, Incoming, Job, Listener, LoopOrders

_get_ident: Final = threading.get_ident


# How often, at most, a server without room is looked at for some.
GLANCE: Final = 0.05  # seconds

# How long the end of a server waits for the worker that lets a client in just now.
PATIENCE: Final = 5.0  # seconds


class LentIntake(Protocol):
    """The part of an intake that workers use who take clients by themselves."""

    admission: Admission
    is_full: bool

    @abstractmethod
    def admit(self, incoming: Incoming[Any, Any], worker: int | None = None) -> Job | None:
        """Let a client in, or refuse it; return the job that the worker is to run."""

    @abstractmethod
    def note_full(self) -> None:
        """Begin a spell without room, unless one goes on."""

    @abstractmethod
    def note_room(self) -> float:
        """End the spell if there has been room for a while; return the seconds still to go."""

    @abstractmethod
    def next_overdue(self) -> float | None:
        """Cut whose time is over; return the seconds to the next look."""


@attrs.define(eq=False)
class Lending:
    """Lends the port to the workers, and takes it back.

    To accept and to let in is for one thread at a time: for the driver, or, while the port is
    lent, for the worker that holds `_turnstile`. The driver takes it back for whatever is not
    everyday business: orders, limits under which clients are turned away, trouble. Whoever has
    gone through the turnstile after the port was taken back, or an order given, knows that no
    worker accepts any more. `_turnstile` guards all fields; it is reentrant for an observer or a
    signal handler that, called in the midst of it, pauses the server.
    """

    _listener: Listener[Any, Any]
    _intake: LentIntake
    _borrower: Borrower
    _orders: LoopOrders
    _wake: Callable[[], object]
    _is_lent: bool = attrs.field(default=False, init=False)
    _is_over: bool = attrs.field(default=False, init=False)
    _trouble: Exception | None = attrs.field(default=None, init=False)
    _glanced: float = attrs.field(default=0.0, init=False)
    taker: int | None = attrs.field(default=None, init=False)
    """The worker that takes a client just now; its identity."""
    _turnstile: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)

    @property
    def is_allowed(self) -> bool:
        """Whether the workers may take clients now.

        Not where more may be taken than there are workers, or clients are turned away while none
        is free; and not while those who are free must not take any.
        """
        orders, admission = self._orders, self._intake.admission
        most = self._borrower.workers
        return not (
            orders.paused
            or orders.ending
            or orders.emptying
            or self._is_over
            or admission.limits.turns_away
            or admission.limit > most
            or (admission.limit < most and admission.is_full())
        )

    @property
    def goes_on(self) -> bool:
        """Whether the port is lent still, and may be."""
        return self._is_lent and self.is_allowed

    def begin(self) -> None:
        """Lend it.

        Raises:
            ResourceError: Workers are missing.
        """
        with self._turnstile:
            if not self._is_over:
                self._is_lent = True
                self._borrower.lend(self._listener.fileno(), self.take, self.hand_back)

    def end(self, *, for_good: bool = False) -> None:
        """Take it back; from here on no worker accepts.

        Once that is for good, it waits a while only: a policy may never come to an end, and its
        worker does not accept either until then.
        """
        # Before, too: whoever turns one client away after the other would go on with that.
        self._is_over = self._is_over or for_good
        self._is_lent = False
        has_gone_through = self._turnstile.acquire(timeout=PATIENCE if self._is_over else -1)
        try:
            self._is_lent = False
            self._borrower.give_back()
        finally:
            if has_gone_through:
                self._turnstile.release()

    def finish(self) -> None:
        """Wait until an accept that is under way is over."""
        with self._turnstile:
            pass

    def trouble(self) -> Exception | None:
        """Return, once, what a worker could not deal with."""
        trouble, self._trouble = self._trouble, None
        return trouble

    def take(self) -> Job | None:
        """Take one client, in a worker; None if there is none, or it may not."""
        orders, intake = self._orders, self._intake
        admission = intake.admission
        with self._turnstile:
            self.taker = me = _get_ident()
            try:
                while self._is_lent and not (orders.paused or orders.ending or orders.emptying):
                    if admission.is_full():  # the limits are others by now
                        self.hand_back()
                        break
                    incoming = self._listener.accept()
                    if incoming is None:
                        break
                    job = intake.admit(incoming, me)
                    if job is not None:
                        if admission.is_full():
                            self._note_full()
                        return job
            except Exception as error:
                self._trouble = error
                self.hand_back()
            finally:
                self.taker = None
        return None

    def hand_back(self) -> None:
        """Have the driver take it back, and see for itself."""
        with self._turnstile:
            self._is_lent = False
        self._wake()

    def _note_full(self) -> None:
        was_full = self._intake.is_full
        self._intake.note_full()
        if not was_full:
            self._wake()  # the driver notes when there is room again

    def look(self) -> float | None:
        """Do, in the driver, what is to be done now and then; return the seconds to the next time.

        Nothing, but while a spell without room goes on, or requests have a longest time.
        """
        overdue = self._intake.next_overdue()
        if not self._intake.is_full:  # who changes that wakes us
            return overdue
        with self._turnstile:
            left = self._look_for_room()
        return left if overdue is None else overdue if left is None else min(left, overdue)

    def _look_for_room(self) -> float | None:
        """Note whether there is room again; return when to look for it, None if we are woken."""
        admission, now = self._intake.admission, time.monotonic()
        if admission.is_full():
            # Whoever leaves next wakes us, but not each time: where all are busy, that is often.
            if now < self._glanced + GLANCE:
                return GLANCE
            self._glanced = now
        if not admission.expect_room():
            return None
        return self._intake.note_room() or None  # for how long it must last before it counts
