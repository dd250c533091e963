"""Held connections whose messages are served by a crew of threads that share one wait."""

import contextlib
import io
import os
import select
import struct
import sys
from collections import deque
from collections.abc import Callable, Collection
from threading import get_ident
from typing import Any, Final

import attrs

from acceptor.core.errors import is_ctrl_c
from acceptor.core.events import Outcome, RequestState
from acceptor.core.interfaces import HasRelay, Job, Relay, RelayWork
from acceptor.core.polling import READABLE, WRITABLE
from acceptor.core.reporting import LOGGER
from acceptor.transports.held import READ_SIZE, HeldConnection, can_be_written
from acceptor.transports.holding import Holding

_RESTING: Final = RequestState.RESTING
_WAITING: Final = RequestState.WAITING

# Its wait reports each change once, so what was not dealt with has to be asked for anew. After a
# short read nothing more is there, unless the input has ended as well. Source: epoll(7).
_CHANGE: Final = getattr(select, "EPOLLET", 0)
_INPUT: Final = READABLE | getattr(select, "EPOLLRDHUP", 0) | _CHANGE

_RING: Final = struct.pack("=Q", 1)  # what eventfd(2) wants to be written

# After its time is over, how long until one whose handler does not notice is looked at again.
_NOTICE: Final = 1.0  # seconds

_ASK_AGAIN: Final = 0.1  # seconds, for a thread that the machine has refused

if sys.platform == "linux":

    @attrs.define(eq=False)
    class _Tasks(RelayWork):
        """A crewed holding, as its crew sees it."""

        wait: Callable[[], list[tuple[int, int]]]  # pyright: ignore[reportIncompatibleMethodOverride]
        wake: Callable[[], None]  # pyright: ignore[reportIncompatibleMethodOverride]
        is_in_work: Callable[[tuple[int, int]], bool]  # pyright: ignore[reportIncompatibleMethodOverride]
        do: Callable[[tuple[int, int], int], None]  # pyright: ignore[reportIncompatibleMethodOverride]
        miss_thread: Callable[[], None]  # pyright: ignore[reportIncompatibleMethodOverride]
        close: Callable[[], None]  # pyright: ignore[reportIncompatibleMethodOverride]

    @attrs.define(eq=False)
    class CrewHolding(Holding):
        """Holds connections for a crew.

        The thread that drives the accept loop accepts, negotiates and looks at the clock; until
        `admit` a connection is that thread's alone, and the `timers` always are. All else is the
        crew's. Whoever wants a connection, the crew, the driver or a thread that cuts it, claims it
        first, and what a thread has claimed is its own until it gives it back. What the wait
        reports of it meanwhile is `missed`; who gives it back then has it reported again.

        `lock` guards `is_owned`, `missed`, `is_over` and `mail` of all connections, and with that
        who closes a socket; `by_fd` loses one under it only. Whoever gives back looks, under it,
        whether there is mail, an end, or a drain that its owner has not seen. `now` is a guess.
        """

        _crew: Relay = attrs.field(init=False, repr=False)
        _poller: select.epoll = attrs.field(factory=select.epoll, init=False, repr=False)
        # An eventfd that nobody reads: each write is a change. A file, for whoever rings too late.
        _bell: io.FileIO = attrs.field(init=False, repr=False)
        _later: deque[tuple[int, int]] = attrs.field(factory=deque, init=False, repr=False)
        """Those that have more to serve, and must wait for their turn."""
        _started: bool = attrs.field(default=False, init=False)
        _is_closed: bool = attrs.field(default=False, init=False)
        _is_short: bool = attrs.field(default=False, init=False)  # of a thread, as the crew says

        def __attrs_post_init__(self) -> None:
            super().__attrs_post_init__()
            try:
                self._bell = io.FileIO(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC), "wb")
            except OSError:
                self._poller.close()
                raise
            self._poller.register(self._bell.fileno(), READABLE | _CHANGE)

        def man(self, strategy: HasRelay) -> None:
            """Have a strategy's threads do the work."""
            self._crew = strategy.relay(
                _Tasks(
                    self.wait,
                    self.wake,
                    self.is_in_work,
                    self.do,
                    self.miss_thread,
                    self.close_wait,
                )
            )

        def submit(self, job: Job, /) -> None:
            """Hold a connection that was let in.

            Raises:
                ResourceError: The machine gives no threads.
            """
            if not self._started:
                self._crew.start()
                self._started = True
            connection: Any = job
            connection.is_owned = True  # nobody may cut it but by shutting it
            super().submit(job)

        # What the crew does.

        def wait(self) -> list[tuple[int, int]]:
            """Wait for connections that have sent something, or can be written to."""
            found = self._poller.poll()
            self.note_time()
            if self._later:
                found.extend(self._later.popleft() for _ in range(len(self._later)))
            return found

        def wake(self) -> None:
            """End the current or the next wait."""
            with contextlib.suppress(OSError, ValueError):  # it is over
                self._bell.write(_RING)

        def is_in_work(self, piece: tuple[int, int], /) -> bool:
            """Say whether a thread serves this connection, and will find what has come since."""
            connection = self.by_fd.get(piece[0])
            with self.lock:
                if connection is None or not connection.is_owned:
                    return False
                connection.missed = True
                return True

        def do(self, piece: tuple[int, int], me: int, /) -> None:
            """Serve what one connection has sent."""
            connection = self.by_fd.get(piece[0])
            if connection is None or connection.state is not _RESTING:
                return  # it is over, and its number given to another; or the bell has rung
            lock, traffic = self.lock, connection.traffic
            with lock:  # as `_claim`, in line
                if connection.is_owned or connection.is_over:
                    connection.missed = True
                    return
                connection.is_owned = True
            before = traffic[0]
            try:
                if connection.queue is not None and connection.out is None:
                    self.go_on(connection, me)
                else:
                    self.on_event(connection, me)
            except BaseException as error:
                if not is_ctrl_c(error):
                    LOGGER.exception("serving %s broke", connection.peer)
                self.end(connection, Outcome.FAILED)
            connection.active = self.service.clock()
            is_drained = piece[1] == READABLE and 0 < traffic[0] - before < READ_SIZE
            with lock:
                connection.is_owned = is_owned = not (is_drained and self._may_rest(connection))
            if is_owned:
                self._give_back(connection, may_leave=True)
            if self.stops_often:  # which may be news since the message was begun with
                self.waiter.wake()

        def _may_rest(self, connection: HeldConnection) -> bool:
            """Say whether nobody wants anything of a connection, as nearly always; under the lock.

            Behind TLS a short read says nothing of what is still there.
            """
            return not (
                connection.missed
                or connection.is_halted
                or connection.queue is not None
                or connection.mail is not None
                or connection.tls is not None
                or connection.urgency
                or self.is_leaving
                or self._is_closed
            )

        # Who owns a connection.

        def _claim(self, connection: HeldConnection) -> bool:
            with self.lock:
                if connection.is_owned or connection.is_over:
                    return False
                connection.is_owned = True
                return True

        def _give_back(self, connection: HeldConnection, *, may_leave: bool = False) -> None:
            """Wait for it anew; before, see to what others wanted of it while it was owned.

            `may_leave` if what it has sent before a drain was served.
            """
            while not self._let_rest(connection, may_leave):
                if self._is_closed:
                    self.end(connection, Outcome.CUT)
                else:
                    connection.take_mail()
                    self.settle(connection)

        def _let_rest(self, connection: HeldConnection, may_leave: bool) -> bool:
            with self.lock:
                if connection.is_over:
                    return True
                has_queue = connection.queue is not None
                must_end = connection.ending is not None or (
                    may_leave
                    and self.is_leaving
                    and not has_queue
                    and connection.pending is None
                    and not self.has_more(connection)
                )
                is_done = must_end and connection.out is None and not connection.lingers
                if self._is_closed or connection.mail is not None or is_done:
                    return False
                connection.is_owned = False
                has_more = has_queue and connection.out is None
                if not has_more:
                    self._arm(connection)
                urgency = 2 if connection.lingers else 0 if connection.out is None else 1
                if urgency != connection.urgency:
                    self._tell_urgency(connection, urgency)
            if has_more:  # in the next round, behind whoever else has sent something
                self._later.append((connection.fd, 0))
                self.wake()
            return True

        def _tell_urgency(self, connection: HeldConnection, urgency: int) -> None:
            """Have the driver, whose the timers are, see to what may be sooner now."""
            is_sooner = urgency > connection.urgency
            connection.urgency = urgency
            if is_sooner and get_ident() == self.driver:
                self.timers.watch(connection)
            elif is_sooner:
                self.note(connection)

        def _arm(self, connection: HeldConnection) -> None:
            connection.missed = False  # what is there already is reported as well
            self._poller.modify(
                connection.fd, _INPUT if connection.out is None else WRITABLE | _CHANGE
            )

        def admit(self, connection: HeldConnection) -> None:
            """Wait for its messages from now on."""
            connection.state = _RESTING
            self._poller.register(connection.fd, _CHANGE)
            if connection.is_halted:
                self.settle(connection)
            self._give_back(connection, may_leave=True)

        def rearm(self, connection: HeldConnection, mask: int) -> None:
            """Do nothing: what is waited for is found out when it is given back."""

        def hurry(self, connection: HeldConnection) -> None:
            """Do nothing: that its time is shorter now is seen when it is given back."""

        def put_off(self, connection: HeldConnection) -> None:
            """Do nothing: that there is more is seen when it is given back."""

        def forget(self, connection: HeldConnection) -> None:
            """Wait for it no more; before it is closed."""
            if connection.state is _RESTING:
                with contextlib.suppress(OSError, ValueError):
                    self._poller.unregister(connection.fd)
            else:
                super().forget(connection)

        def wait_for_room(self, connection: HeldConnection, /) -> bool:
            """Wait until the client has read something; False if its time is over."""
            return can_be_written(connection, self.service.timeouts.write)

        # What the driver does.

        def miss_thread(self) -> None:
            """Have the driver ask for it now and then; all other threads may be held for long."""
            self._is_short = True
            if get_ident() != self.driver:
                self.waiter.wake()

        def poll(self, timeout: float | None) -> list[tuple[int, int]]:
            """Wait, and serve what comes; if the crew is short of a thread, ask for it soon."""
            if not self._is_short:
                return super().poll(timeout)
            found = super().poll(_ASK_AGAIN if timeout is None else min(timeout, _ASK_AGAIN))
            self._is_short = False
            self._crew.reinforce()
            return found

        def look_at(self, connection: HeldConnection) -> None:
            """See to what others want of a connection, unless its owner will."""
            if connection.urgency:
                self.timers.watch(connection)
            is_wanted = connection.ending is not None and not connection.lingers
            if (connection.mail is not None or is_wanted) and self._claim(connection):
                connection.take_mail()
                self.settle(connection)
                self._give_back(connection)

        def let_go(self, connection: HeldConnection) -> None:
            """End a connection of which nothing is in work; have the crew see to others."""
            if not self._claim(connection):
                return
            self.settle(connection)
            self._give_back(connection)

        def expire(self, connection: HeldConnection) -> None:
            """End a connection whose time is over, even while a message of it is served."""
            if connection.opening is not None:
                super().expire(connection)
            elif not self._claim(connection):
                is_late = self.timers.deadline_of(connection) <= self.now
                if is_late and self.service.admission.settle_now(connection, Outcome.TIMED_OUT):
                    connection.cut()
                self.timers.watch(connection, _NOTICE)
            elif self.timers.deadline_of(connection, claimed=True) > self.now:
                self.timers.watch(connection)
                self._give_back(connection)
            else:
                super().expire(connection)
                self._give_back(connection)

        def cut(self, jobs: Collection[Job], timeout: float) -> None:
            """End the connections that nobody serves now; shut the others, which is noticed."""
            for job in jobs:
                connection: Any = job
                connection.cut()
                if self._claim(connection):
                    self.end(connection, Outcome.CUT)

        def close(self) -> None:
            """End all connections that nobody serves now, and send the crew home.

            Who still serves one, ends it when he gives it back.
            """
            self._is_closed = True
            for connection in self.by_fd.copy().values():
                if connection.state is not _RESTING or self._claim(connection):
                    self.end(connection, Outcome.CUT)
                else:
                    connection.note_ending(Outcome.CUT)
                    connection.cut()
            self._crew.close()

        def close_wait(self) -> None:
            """Let go of what is waited with."""
            self._poller.close()
            self._bell.close()
