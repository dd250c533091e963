"""Holds connections, waits for all of them at once, and has their messages served."""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable
from threading import get_ident
from typing import Any, Final, cast

import attrs

from acceptor.core.errors import is_ctrl_c
from acceptor.core.events import (
    MessageFault,
    Outcome,
    RequestState,
    Started,
)
from acceptor.core.framing import Framing, FramingError
from acceptor.core.framings import Delimited
from acceptor.core.interfaces import Job
from acceptor.core.job import live
from acceptor.core.polling import READABLE
from acceptor.transports.cutting import cutter_of
from acceptor.transports.held import DONTWAIT, READ_SIZE, FramedMessage, HeldConnection
from acceptor.transports.opening import Opening
from acceptor.transports.serving import Serving

# Python 3.11 takes 60 ns to look an enum's member up.
_WAITING: Final = RequestState.WAITING
_RESTING: Final = RequestState.RESTING

# A burst that takes longer counts as time in which its connections were not idle.
_LONG: Final = 0.1  # seconds

DEFAULT_SIZE: Final = 2**20  # bytes, for framings that do not say how long a message may be


@attrs.define(eq=False)
class Holding(Serving):
    """The dispatcher of connections whose messages are what is served; also their `Holder`.

    Here messages are served in the thread that drives the accept loop. It calls `submit` and, in
    its wait, `poll`. `notes` is how other threads make it look at a connection.
    """

    ready: deque[HeldConnection] = attrs.field(factory=deque, init=False, repr=False)
    """Those that have more to serve, and must wait for their turn."""
    notes: deque[HeldConnection] = attrs.field(factory=deque, init=False, repr=False)
    framing: Framing = attrs.field(init=False)
    cut_all: Callable[[bytes], list[bytes]] = attrs.field(init=False)
    max_size: int = attrs.field(init=False)
    max_output: int = attrs.field(init=False)
    now: float = attrs.field(init=False)
    ending: bytes | None = attrs.field(default=None, init=False)
    _dismissed: bool = attrs.field(default=False, init=False)
    driver: int = attrs.field(default=0, init=False)
    """The thread that drives the accept loop."""
    # Up to how many bytes what has come may be one message that needs no closer look.
    _short: int = attrs.field(default=0, init=False)
    # Whether messages are neither judged nor told of, nor waited for by whoever counts them.
    _is_plain: bool = attrs.field(default=False, init=False)
    _separator: bytes = attrs.field(default=b"\n", init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        framed = self.way.framed
        self.framing = framed.framing
        self.cut_all = cutter_of(framed.framing)
        self.max_size = getattr(framed.framing, "max_size", DEFAULT_SIZE)
        self.max_output = framed.max_output
        if isinstance(framed.framing, Delimited):
            self.ending = framed.framing.ending
            self._separator = framed.framing.separator
            self._short = framed.framing.max_length
        self.now = self.service.clock()
        self.waiter.poll = self.poll

    @property
    def messages(self) -> int:
        """How many messages were begun with."""
        with self.lock:  # one that ends is in one of the two
            ended, held = self._ended_messages, self.by_fd.copy()
        return ended + sum(connection.messages for connection in held.values())

    def note_time(self) -> None:
        """Look at the clock, once for all that has come together."""
        self.now = self.service.clock()

    # A connection begins.

    def submit(self, job: Job, /) -> None:
        """Hold a connection that was let in."""
        connection = cast("HeldConnection", job)
        connection.holder = self
        self.by_fd[connection.fd] = connection
        if self.way.steps:
            self._begin_opening(connection)
        elif self.way.framed.session is not None or self.service.report.wants_every_request:
            self.open(connection)
        else:  # as `open`, without what is not asked for
            self.timers.watch_new(connection)
            self.admit(connection)

    def _begin_opening(self, connection: HeldConnection) -> None:
        connection.is_halted = True
        connection.opening = Opening(
            connection, self.waiter.poller, self.open, self.close_unopened, list(self.way.steps)
        )
        self.timers.watch(connection)
        connection.opening.go_on()

    def open(self, connection: HeldConnection) -> None:
        """Wait for the messages of a connection that has nothing to negotiate any more."""
        service = self.service
        connection.is_halted = connection.ending is not None
        connection.active = service.clock() if self.way.steps else connection.since
        if service.report.wants_every_request:
            service.report(Started(id=connection.id, peer=connection.peer))
        new_session = self.way.framed.session
        if new_session is not None and not self._open_session(connection, new_session):
            self.end(connection, Outcome.FAILED)
            return
        if connection.mail is not None:  # what the session has said comes before all replies
            connection.take_mail()
        self.timers.watch_new(connection)
        self.admit(connection)

    def close_unopened(self, connection: HeldConnection, outcome: Outcome) -> None:
        """End a connection that did not get through its steps; it may still read why."""
        connection.active = self.service.clock()
        connection.note_ending(outcome)
        self.admit(connection)

    def _open_session(self, connection: HeldConnection, new_session: Callable[[], Any]) -> bool:
        try:
            connection.session = session = new_session()
            opened = getattr(session, "opened", None)
            if opened is not None:
                opened(connection)
            connection.session_end = getattr(session, "closed", None)
        except BaseException as error:
            self.tell_failure(connection, error)
            if is_ctrl_c(error):
                self.end(connection, Outcome.FAILED)
                raise
            return False
        return True

    # The wait.

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        """Wait, and serve what comes, until something happens that is no connection's.

        Or until the time is over; returns what has happened.
        """
        clock = self.service.clock
        poll = self.waiter.poller.poll
        held = self.by_fd.get
        others: list[tuple[int, int]] = []
        self.driver = me = get_ident()
        needs_a_look = self.service.report.wants_every_request or self.way.rules
        self._is_plain = not (needs_a_look or self.stops_often)
        self.now = now = clock()
        until = math.inf if timeout is None else now + timeout
        while True:
            if self.notes:
                self._read_notes()
            if self.is_leaving and not self._dismissed:
                self._dismiss()
            if now >= self.timers.due:
                self.timers.run(now)
            left = min(self.timers.due, until) - now
            events = poll(0 if self.ready else None if left == math.inf else max(0.0, left))
            self.now = now = clock()
            for fd, mask in events:
                connection = held(fd)
                if connection is None:
                    others.append((fd, mask))
                else:
                    self.on_event(connection, me)
            if self.ready:
                self.take_turns()
            if (later := clock()) - now > _LONG:
                self._note_active(events, later)
            # If nothing has come the time is over, though the clock may stand still.
            if (
                others
                or now >= until
                or self.waiter.rechecks
                or self.stops_often
                or not (events or self.ready)
            ):
                return others

    def _note_active(self, events: Iterable[tuple[int, int]], now: float) -> None:
        """Let those begin to be idle only now whose handlers took long."""
        for fd, _ in events:
            connection = self.by_fd.get(fd)
            if connection is not None:
                connection.active = now

    def on_event(self, connection: HeldConnection, me: int) -> None:
        """Read from a connection, and serve what is complete; for its owner, the thread `me`."""
        if connection.is_halted:
            self.on_halted(connection, me)
            return
        try:
            data = connection.sock.recv(READ_SIZE, DONTWAIT)
        except BlockingIOError:
            if self.is_leaving:
                self.settle(connection)
            return
        except OSError:
            self.end(connection, Outcome.CLIENT_LEFT)
            return
        if not data:
            self._on_end_of_input(connection)
            return
        connection.active = self.now
        count = len(data)
        connection.traffic[0] += count
        if count <= self._short and connection.pending is None:
            # Nearly always it is one message, and all of it.
            payload, found, rest = data.partition(self._separator)
            if found and not rest and payload[-1:] != b"\r":
                if self._is_plain:  # what `serve_one` does, in line: each call costs each message
                    message = FramedMessage()
                    message.payload = payload
                    message._connection = connection
                    connection.messages += 1
                    connection.worker = me
                    try:
                        made = self._handler(message, connection.peer, self._server)
                        if made is not None:
                            live(made)
                    except BaseException as error:
                        connection.worker = None
                        self.on_failure(connection, error)
                    connection.worker = None
                else:
                    self.serve_one(connection, payload, me)
                if connection.is_halted or self.is_leaving:
                    connection.active = self.service.clock()
                    self.settle(connection)
                return
        self.serve(connection, connection.cut_messages(data), me)
        self.settle(connection)

    def receive(self, connection: HeldConnection) -> bytes:
        """Read what has come; nothing if there is nothing more to do with it now."""
        try:
            data: bytes = connection.sock.recv(READ_SIZE, DONTWAIT)
        except BlockingIOError:
            return b""
        except OSError:
            self.end(connection, Outcome.CLIENT_LEFT)
            return b""
        if not data:
            self._on_end_of_input(connection)
        connection.active = self.now
        connection.traffic[0] += len(data)
        return data

    def take_turns(self) -> None:
        """Go on with those that had to wait for the others."""
        for _ in range(len(self.ready)):
            self.go_on(self.ready.popleft(), self.driver)

    def go_on(self, connection: HeldConnection, me: int) -> None:
        """Serve what is complete already; for its owner."""
        if connection.out is None and connection.ending is None and not connection.is_over:
            connection.go_on()
            if connection.queue and not connection.is_halted:
                self.serve(connection, connection.queue, me)
        self.settle(connection)

    def on_halted(self, connection: HeldConnection, me: int) -> None:
        """Go on with a connection that waits for something else than messages; for its owner."""
        if connection.opening is not None:
            connection.opening.go_on()
        elif connection.lingers:
            self.linger(connection)
        elif connection.out is not None:
            if connection.flush():
                self.rearm(connection, READABLE)
                self.go_on(connection, me)
        elif connection.ending is not None:  # another thread has cut it
            self.settle(connection)

    def _on_end_of_input(self, connection: HeldConnection) -> None:
        connection.has_ended_input = True
        if connection.pending is not None:
            text = f"{len(connection.pending)} bytes of it had come"
            self.tell_fault(connection, FramingError(text, MessageFault.INCOMPLETE))
        if connection.mail is not None:
            connection.take_mail()
        if connection.out is None and connection.tls is None:  # or it is owed a goodbye
            self.end(connection, connection.ending or Outcome.FINISHED)
        else:
            self.finish(connection, Outcome.FINISHED)

    # Descriptors.

    def admit(self, connection: HeldConnection) -> None:
        """Wait for its messages from now on."""
        connection.state = _RESTING
        self.waiter.poller.register(connection.fd, connection.interest)
        if connection.is_halted:
            self.settle(connection)
        else:
            self.on_event(connection, self.driver)  # most have sent something by now

    def rearm(self, connection: HeldConnection, mask: int) -> None:
        """Wait for something else from now on."""
        if connection.state is not _WAITING:
            self.waiter.poller.modify(connection.fd, mask)

    def forget(self, connection: HeldConnection) -> None:
        """Wait for it no more; before it is closed."""
        try:
            self.waiter.poller.unregister(connection.fd)
        except (OSError, ValueError, KeyError):  # it never was
            pass

    def hurry(self, connection: HeldConnection) -> None:
        """See that it is ended in time, which may be sooner now; its owner's."""
        self.timers.watch(connection)

    def wait_for_room(self, connection: HeldConnection, /) -> bool:
        """Refuse: to wait for one client would hold up all others."""
        return False

    # Other threads, and time.

    def note(self, connection: HeldConnection) -> None:
        """Have the driver look at a connection; from any thread."""
        self.notes.append(connection)
        self.waiter.wake()

    def _read_notes(self) -> None:
        while self.notes:
            connection = self.notes.popleft()
            if connection.is_over:
                self.on_late_note(connection)
            elif connection.state is _RESTING:
                self.look_at(connection)

    def on_late_note(self, connection: HeldConnection) -> None:
        """Do nothing: it is over."""

    def look_at(self, connection: HeldConnection) -> None:
        """See to what other threads want of a connection."""
        was_full = connection.out is not None
        connection.take_mail()
        if was_full and connection.out is None:  # its client has just read
            self.rearm(connection, READABLE)
        self.settle(connection)

    def put_off(self, connection: HeldConnection) -> None:
        """Go on with it when the others have had their turn."""
        self.ready.append(connection)

    def dismiss(self) -> None:
        """Have connections end as soon as nothing of them is in work; from any thread."""
        self.is_leaving = True
        self.waiter.wake()

    def _dismiss(self) -> None:
        self._dismissed = True
        for connection in self.by_fd.copy().values():
            if connection.opening is not None:
                self.end(connection, Outcome.CUT)
            else:
                self.let_go(connection)

    def let_go(self, connection: HeldConnection) -> None:
        """End a connection, once all that has come already is served."""
        if not connection.is_halted:
            self.on_event(connection, self.driver)
        if not connection.is_over and not connection.is_halted:
            self.settle(connection)

    def expire(self, connection: HeldConnection) -> None:
        """End a connection whose time is over; its owner's, or the driver's, to call."""
        if connection.opening is not None:
            connection.opening.fail_late()
        elif connection.lingers:
            self.end(connection, connection.ending or Outcome.FINISHED)
        elif not (self._is_kept_waiting(connection) and self._wait_on(connection)):
            self.end(connection, Outcome.TIMED_OUT)

    def _is_kept_waiting(self, connection: HeldConnection) -> bool:
        """Say whether it has sent something that nobody had the time to look at, or to serve."""
        if connection.out is not None or connection.ending is not None:
            return False
        return bool(connection.queue) or self.has_more(connection)

    def _wait_on(self, connection: HeldConnection) -> bool:
        """Have it begin to be idle only now; False if its time is over however lively it is."""
        connection.active = self.service.clock()
        if self.timers.deadline_of(connection, claimed=True) <= connection.active:
            return False
        self.timers.watch(connection)
        return True

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Shut the connections; who serves one of them, or waits for it, notices."""
        for job in jobs:
            job.cut()
        self.waiter.wake()

    def close(self) -> None:
        """Nothing to let go: no connection is left, or those that are were cut."""
        for connection in self.by_fd.copy().values():
            self.end(connection, Outcome.CUT)
