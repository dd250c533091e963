"""Held connections whose messages are handed to any dispatcher, one job for each."""

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Collection
from threading import get_ident
from typing import Final

import attrs

from acceptor.core.accept_loop import Backoff
from acceptor.core.asking import tell
from acceptor.core.events import Outcome, RequestState
from acceptor.core.interfaces import Dispatcher, Job, Leave, Traffic
from acceptor.core.polling import WRITABLE
from acceptor.transports.held import HeldConnection, can_be_written
from acceptor.transports.holding import Holding

_RESTING: Final = RequestState.RESTING

_HEAD: Final = struct.Struct("=I")  # bytes of a reply; none at all asks to close
_CLOSE: Final = 0
_CHUNK: Final = 2**16  # bytes


@attrs.define(eq=False)
class _Relay:
    """How replies come from a child, which must not write to what its parent goes on with."""

    ours: socket.socket
    theirs: socket.socket
    has_ended: bool = attrs.field(default=False, init=False)
    _had: bytearray = attrs.field(factory=bytearray, init=False)

    def send(self, data: bytes, flags: int = 0, /) -> int:
        """In the child: pass a reply on; waits while the parent has too many."""
        if data:  # a framing may make nothing of an empty one
            self.theirs.sendall(_HEAD.pack(len(data)) + data)
        return len(data)

    def ask_to_close(self) -> None:
        """In the child: have the connection end."""
        self.theirs.sendall(_HEAD.pack(_CLOSE))

    def hang_up(self) -> None:
        """In the parent: have the child know, as soon as it replies, that its client has left."""
        with contextlib.suppress(OSError):
            self.ours.shutdown(socket.SHUT_RD)

    def receive(self) -> list[bytes]:
        """In the parent: return what has come, without waiting; an empty one asks to close.

        Raises:
            BlockingIOError: Nothing has.
            EOFError: The child, and whoever it has left it to, has closed it.
        """
        data = self.ours.recv(_CHUNK)
        if not data:
            self.has_ended = True
            raise EOFError
        self._had += data
        found: list[bytes] = []
        while len(self._had) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._had)
            if len(self._had) < _HEAD.size + length:
                break
            found.append(bytes(self._had[_HEAD.size : _HEAD.size + length]))
            del self._had[: _HEAD.size + length]
        return found

    def close(self) -> None:
        """In the parent: let go of it."""
        self.ours.close()
        self.theirs.close()


def _relay() -> _Relay:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return _Relay(ours, theirs)


@attrs.define(eq=False)
class MessageJob(Job):
    """One message on its way through a handler."""

    connection: HeldConnection
    payload: bytes
    leave: Leave
    holding: "HandedHolding"
    relay: _Relay | None
    began: float
    sent: int  # what its connection had sent before
    outcome: Outcome = attrs.field(default=Outcome.LOST, init=False)
    has_ended: bool = attrs.field(default=False, init=False)

    def run(self, *, patient: bool) -> None:
        """Serve and end."""
        outcome = Outcome.FAILED
        try:
            outcome = self.serve(patient=patient)
        finally:
            self.end(outcome)

    def serve(self, *, patient: bool) -> Outcome:
        """Have it served, here or in a child."""
        connection, relay = self.connection, self.relay
        if relay is None:
            return self.holding.handle(connection, self.payload, get_ident())
        connection.sock = relay
        # Of the parent's threads none is here, but one may have held the lock; and what they have
        # left is the parent's to send.
        self.holding.lock = threading.Lock()
        connection.mail, connection.mailed = None, 0
        outcome = self.holding.handle(connection, self.payload, get_ident())
        with contextlib.suppress(OSError):  # the client has left
            if connection.mail is not None:
                relay.send(b"".join(connection.mail))
            if connection.ending is Outcome.FINISHED:
                relay.ask_to_close()
        return outcome

    def end(self, outcome: Outcome) -> None:
        """Have the connection go on, or end."""
        self.outcome, self.has_ended = outcome, True
        self.holding.note_end(self)

    def cut(self) -> None:
        """Shut its connection."""
        self.connection.cut()

    def release(self, worker: int) -> None:
        """Note that a child serves it."""
        self.connection.worker = worker
        if self.relay is not None:
            self.relay.theirs.close()

    def count_into(self, traffic: Traffic, /) -> None:
        """Do nothing: what a child sends is counted when it comes by."""


@attrs.define(eq=False)
class HandedHolding(Holding):
    """Holds connections, and hands each message to a dispatcher; for any there is.

    All connections are the accept thread's, but for the one message of each that is in work; until
    that and all that have come with it are served, nothing more is read. A child gets a relay for
    its replies: two processes cannot speak TLS on one connection, nor share what waits to be sent.
    """

    dispatcher: Dispatcher = attrs.field(kw_only=True)
    limit: int = attrs.field(kw_only=True)
    relays: bool = attrs.field(kw_only=True)
    """Whether its workers are other processes."""
    _hungry: deque[HeldConnection] = attrs.field(factory=deque, init=False, repr=False)
    _jobs: dict[HeldConnection, MessageJob] = attrs.field(factory=dict, init=False, repr=False)
    _backoff: Backoff = attrs.field(init=False, repr=False)
    _is_closed: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._backoff = Backoff(self.service.report, self.service.clock)

    def let_go(self, connection: HeldConnection) -> None:
        """End a connection, unless a message is in work: then that is seen to when it ends."""
        if connection in self._jobs or connection.is_halted:
            return
        self.on_event(connection, self.driver)
        if connection not in self._jobs and not (connection.is_over or connection.is_halted):
            self.settle(connection)

    def on_event(self, connection: HeldConnection, me: int) -> None:
        """Read from a connection, and hand over what is complete."""
        if connection in self._jobs and self._takes_replies(connection):
            self._pass_on(connection, b"")  # there is room for what its child has sent
        elif connection.is_halted:
            self.on_halted(connection, me)
        elif data := self.receive(connection):
            connection.queue = deque(connection.cut_messages(data)) or None
            self.settle(connection)

    def go_on(self, connection: HeldConnection, me: int) -> None:
        """Have what is complete already handed over, now that its client has read."""
        connection.is_halted = connection.ending is not None
        self.settle(connection)

    def put_off(self, connection: HeldConnection) -> None:
        """Have its next message served when there is a worker; until then nothing is read."""
        self.rearm(connection, 0)
        if connection not in self._hungry:  # a reply of another thread has us look at it once more
            self._hungry.append(connection)
        self._feed()

    def rearm(self, connection: HeldConnection, mask: int) -> None:
        """Wait for something else from now on; with 0 for nothing, not even that it hangs up."""
        if mask != connection.awaited:
            poller = self.waiter.poller
            if not mask:
                poller.unregister(connection.fd)
            elif connection.awaited:
                poller.modify(connection.fd, mask)
            else:
                poller.register(connection.fd, mask)
            connection.awaited = mask

    def _feed(self) -> None:
        for _ in range(len(self._hungry)):
            if self._backoff.remaining():
                self.waiter.recheck(self._feed)
                break
            if len(self._jobs) >= self.limit:
                break
            connection = self._hungry.popleft()
            if connection.ending is not None or connection.is_over:
                self.settle(connection)
            # What another thread has replied meanwhile may have to go first; then it comes again.
            elif connection.out is None and connection.queue and connection not in self._jobs:
                self._hand_over(connection)

    def _hand_over(self, connection: HeldConnection) -> None:
        queue = connection.queue or deque()
        began, sent = self.service.clock(), connection.traffic[1]
        leave = self.judge(connection)
        if leave is None:
            self.tell_served(connection, Outcome.DENIED, began, len(queue[0]), sent)
            return
        payload = queue.popleft()
        connection.queue = queue or None
        connection.is_owned = True
        relay = None
        try:
            relay = _relay() if self.relays else None
            job = MessageJob(connection, payload, leave, self, relay, began, sent)
            if relay is not None:  # while there is no child yet: it may fail
                self._await_replies(job, relay)
            self._jobs[connection] = job  # then the look; `cut` does it the other way round
            connection.go_on()
            if connection.is_halted:  # it has ended while its message was judged
                tell(leave, Outcome.CUT, connection.peer)
                self._take_back(connection, relay)
                self.settle(connection)
                return
            self.dispatcher.submit(job)
            if relay is not None:  # or a child alone would know
                connection.messages += 1
            if self._backoff.attempts:
                self._backoff.end()
        except OSError as error:  # the message waits, as a client would before it is taken
            self._backoff.begin(error)
            tell(leave, Outcome.CUT, connection.peer)
            self._take_back(connection, relay)
            queue.appendleft(payload)
            connection.queue = queue
            connection.is_halted = True
            self._hungry.append(connection)
            self.waiter.recheck(self._feed)

    def _take_back(self, connection: HeldConnection, relay: _Relay | None) -> None:
        connection.is_owned = False
        connection.worker = None
        self._jobs.pop(connection, None)
        if relay is not None:
            self.waiter.unwatch(relay.ours.fileno())
            relay.close()

    def look_at(self, connection: HeldConnection) -> None:
        """See to a message that has ended, and to what other threads want of a connection."""
        job = self._jobs.get(connection)
        if job is None:
            super().look_at(connection)
        elif job.has_ended:
            self._on_end(job)

    def on_late_note(self, connection: HeldConnection) -> None:
        """See to a message that has outlived its connection."""
        job = self._jobs.get(connection)
        if job is not None and job.has_ended:
            self._on_end(job)

    def note_end(self, job: MessageJob) -> None:
        """Have the driver see to a message that has ended; from any thread."""
        self.note(job.connection)
        if self._is_closed:  # nobody reads that
            self._leave_late(job)

    def _leave_late(self, job: MessageJob) -> None:
        """Let policies hear of a message that has outlived its server."""
        if self._jobs.pop(job.connection, None) is not None:  # in one step, so only once
            if job.relay is not None:
                self.waiter.unwatch(job.relay.ours.fileno())
                job.relay.close()
            tell(job.leave, job.outcome, job.connection.peer)

    def _on_end(self, job: MessageJob) -> None:
        connection = job.connection
        if job.relay is not None:
            while self._read_replies(job, job.relay):
                pass
        self._take_back(connection, job.relay)
        tell(job.leave, job.outcome, connection.peer)
        self.tell_served(connection, job.outcome, job.began, len(job.payload), job.sent)
        connection.active = self.service.clock()
        if not connection.is_over:
            if job.outcome is not Outcome.FINISHED:
                connection.note_ending(job.outcome)
            connection.take_mail()
            connection.is_halted = connection.out is not None or connection.ending is not None
            self.rearm(connection, connection.interest)
            self.settle(connection)
        self._feed()

    # Replies of a child.

    def _await_replies(self, job: MessageJob, relay: _Relay) -> None:
        """Pass on what the child sends."""
        self.waiter.watch(relay.ours.fileno(), lambda: self._read_replies(job, relay))

    def _read_replies(self, job: MessageJob, relay: _Relay) -> bool:
        try:
            replies = relay.receive()
        except OSError:  # nothing more is here
            return False
        except EOFError:
            self.waiter.unwatch(relay.ours.fileno())
            return False
        for reply in replies:
            if reply:
                self._pass_on(job.connection, reply)
            else:
                job.connection.note_ending(Outcome.FINISHED)
        return True

    def _takes_replies(self, connection: HeldConnection) -> bool:
        """Say whether what a child replies is still sent.

        It is if another thread has closed the connection: the child knows nothing of that.
        """
        return not connection.is_over and connection.ending in (None, Outcome.FINISHED)

    def _pass_on(self, connection: HeldConnection, reply: bytes) -> None:
        """Send what a child has replied; stop reading from it while the client reads too slowly."""
        if not self._takes_replies(connection):
            return
        if reply:
            connection.keep_for_later(reply)
        connection.flush()
        connection.is_halted = False
        if connection.out is not None and not connection.awaited:
            self.rearm(connection, WRITABLE)
            self.timers.watch(connection)
        elif connection.out is None:
            self.rearm(connection, 0)
        relay = self._jobs[connection].relay
        if relay is not None:
            if connection.has_left:
                relay.hang_up()
            is_full = connection.out is not None and len(connection.out) >= self.max_output
            self._listen_to(relay, self._jobs[connection], is_full)

    def _listen_to(self, relay: _Relay, job: MessageJob, is_full: bool) -> None:
        number = relay.ours.fileno()
        if is_full:
            self.waiter.unwatch(number)
        elif not self.waiter.is_watched(number) and not relay.has_ended:
            self._await_replies(job, relay)

    def end(self, connection: HeldConnection, outcome: Outcome) -> None:
        """Close it here and now; a message that is in work ends by itself."""
        super().end(connection, outcome)
        if connection in self._hungry:
            self._hungry.remove(connection)

    def forget(self, connection: HeldConnection) -> None:
        """Wait for it no more; before it is closed."""
        if connection.state is not _RESTING or connection.awaited:
            super().forget(connection)
        if self.relays and not connection.resets:  # children that serve others have it open as well
            for how in (socket.SHUT_WR, socket.SHUT_RDWR):  # the first says goodbye, with TLS
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(how)

    def wait_for_room(self, connection: HeldConnection, /) -> bool:
        """Wait until the client has read something, in a worker; False if its time is over."""
        is_worker = get_ident() != self.driver
        return is_worker and can_be_written(connection, self.service.timeouts.write)

    def admit(self, connection: HeldConnection) -> None:
        """Wait for its messages from now on."""
        connection.awaited = connection.interest
        super().admit(connection)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Shut the connections; and make what serves their messages end, however hard."""
        super().cut(jobs, timeout)
        wanted = [job for connection, job in list(self._jobs.items()) if connection in jobs]
        if wanted:
            self.dispatcher.cut(wanted, timeout)

    def expire(self, connection: HeldConnection) -> None:
        """End a connection whose time is over, even while a message of it is served."""
        job = self._jobs.get(connection)
        if job is None:
            super().expire(connection)
        else:
            if self.service.admission.settle_now(connection, Outcome.TIMED_OUT):
                connection.cut()
                self.dispatcher.cut([job], 0.0)
            self.timers.watch(connection, 1.0)

    def close(self) -> None:
        """End all connections, and let the workers go."""
        self._is_closed = True  # then the look at who has ended; `note_end` does the opposite
        super().close()
        self.dispatcher.close()
        for job in list(self._jobs.values()):
            if job.has_ended or job.relay is not None:
                self._leave_late(job)
