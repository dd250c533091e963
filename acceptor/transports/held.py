"""A connection that is held open between its messages: what it keeps, and the way back."""

import math
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Any, Final, Protocol, Self

import attrs

from acceptor.core.asking import nothing_to_leave
from acceptor.core.deadlines import Timeouts
from acceptor.core.errors import is_ctrl_c
from acceptor.core.events import MessageFault, Outcome, RequestState
from acceptor.core.framing import Framing, FramingError
from acceptor.core.interfaces import Incoming, Traffic
from acceptor.core.job import ServeRequest, Service
from acceptor.core.limits import Refusal, Reply, Reset
from acceptor.core.message import Message
from acceptor.core.polling import READABLE, WRITABLE
from acceptor.transports.cutting import check_found
from acceptor.transports.served import ServedSocket
from acceptor.transports.stream import RESET, StreamIncoming

_blank: Final = object.__new__

_WAITING: Final = RequestState.WAITING  # Python 3.11 takes 60 ns to look an enum's member up

# Where there is such a flag the sockets stay blocking, which saves a call to the system for each.
DONTWAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0))

# What one read takes at most, and thereby what a connection may have received in advance.
READ_SIZE: Final = 2**16  # bytes


def open_socket(fd: int, family: int, proto: int) -> socket.SocketType:
    """Make the cheapest socket there is of an accepted connection's descriptor."""
    made = socket.SocketType(family, int(socket.SOCK_STREAM), proto, fd)
    if not DONTWAIT:
        made.setblocking(False)
    return made


def can_be_written(connection: "HeldConnection", seconds: float | None) -> bool:
    """Wait until there is room for more, or the client has left; False if the time is over."""
    if sys.platform != "win32":
        poll = select.poll()
        poll.register(connection.fd, select.POLLOUT)
        return bool(poll.poll(None if seconds is None else seconds * 1000))
    return bool(select.select((), (connection.fd,), (), seconds)[1])


@attrs.define(eq=False)
class HeldIncoming(Incoming[Any, Any]):
    """An accepted connection before it is held; or one that is turned away instead."""

    sock: Any
    peer: Any  # pyright: ignore[reportIncompatibleMethodOverride]

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> Any:
        """Not to be called: what holds connections negotiates without waiting."""
        raise NotImplementedError

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return None: whoever holds the connection knows."""
        return None

    def close(self, *, patient: bool) -> None:
        """Close it."""
        self.release()

    def cut(self) -> None:
        """Shut the connection both ways."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def release(self) -> None:
        """Close this process's descriptor."""
        try:
            self.sock.close()
        except OSError:
            pass

    def refuse(self, how: Refusal) -> None:
        """Turn the client away, as every connection."""
        family, proto = self.sock.family, self.sock.proto
        plain = ServedSocket.of(self.sock.detach(), family, proto)
        StreamIncoming(plain, self.peer).refuse(how)


class Holder(Protocol):
    """What a held connection needs of whoever holds it."""

    framing: Framing
    cut_all: Callable[[bytes], list[bytes]]
    max_size: int
    max_output: int
    ending: bytes | None
    """What goes behind each reply, if that is all that the framing does to it."""
    lock: threading.Lock

    def note(self, connection: "HeldConnection", /) -> None:
        """See that its owner looks at it; from any thread."""

    def wait_for_room(self, connection: "HeldConnection", /) -> bool:
        """Wait until it may be written to; False if its time is over, or waiting is no option."""
        ...


class FramedMessage(Message[Any]):
    """A message of a held connection."""

    __slots__ = ("_connection", "payload")

    payload: bytes
    _connection: "HeldConnection"

    @property
    def peer(self) -> Any:
        """Who sent it."""
        return self._connection.peer

    @property
    def tls(self) -> Any:
        """What its connection's TLS handshake has agreed on."""
        return self._connection.tls

    @property
    def session(self) -> Any:
        """What was made for its connection."""
        return self._connection.session

    def reply(self, payload: bytes) -> bool:
        """Send a message back."""
        connection = self._connection
        ending = connection.holder.ending  # what framings of lines and such have at hand
        data = connection.holder.framing.wrap(payload) if ending is None else payload + ending
        if connection.is_halted or connection.worker != get_ident():
            return connection.send_later(data)
        try:
            sent = connection.sock.send(data, DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError:
            connection.has_left = True  # what it has sent before is served all the same
            return False
        connection.traffic[1] += sent
        if sent != len(data):
            connection.keep_for_later(data[sent:])
        return True

    def close(self) -> None:
        """End the connection once all replies so far have gone out."""
        self._connection.close()

    def __repr__(self) -> str:
        return f"Message(payload={self.payload!r}, peer={self.peer!r})"


def message_of(connection: "HeldConnection", payload: bytes) -> FramedMessage:
    """Make a message; in half the time that the class takes when it is called."""
    message = _blank(FramedMessage)
    message.payload = payload
    message._connection = connection
    return message


@attrs.define(eq=False)
class HeldConnection(ServeRequest[Any, Any]):
    """One connection, from accept to close: its job, its buffers, its session.

    One thread at a time owns it, and it alone reads, cuts, serves, writes and ends it; `worker` is
    that thread while it serves. What other threads want of it they leave in `mail` and `ending`.
    The holder's lock guards `mail`, `is_owned`, and the closing of the socket against a cut.
    `ending` is said before `is_halted`, and whoever takes that back looks at `ending` afterwards.
    """

    sock: Any
    fd: int
    holder: Holder
    tls: Any
    session: Any
    session_end: Any
    opening: Any  # what negotiates; None once that is done
    pending: bytearray | None  # the beginning of a message
    seen: int  # how much of that was looked at in vain
    fault: BaseException | None  # what is wrong with what follows the messages in the queue
    queue: deque[bytes] | None  # messages that are complete, and not served yet
    mail: list[bytes] | None  # what other threads want to have sent
    mailed: int  # bytes of that
    out: bytearray | None  # what the system has not taken yet
    active: float  # when something came last, on the clock
    flushed: float  # when some of `out` has gone last
    watched: float  # when its deadlines are looked at next, on the clock
    messages: int  # that were begun with
    awaited: int  # what is waited for, where that is not simply what `interest` says
    missed: bool  # something happened while it was owned
    is_owned: bool  # by another thread than the one that drives the accept loop, or a child
    has_ended_input: bool  # the client will send no more
    has_left: bool  # or so the system said when something was sent
    ending: Outcome | None  # how it is to end; then nothing more is read or served
    urgency: int  # 1 if replies wait for the client to read, 2 if its end is awaited
    resets: bool  # it is reset when it is closed
    lingers: bool  # our side is closed, and the client's is awaited
    is_over: bool
    is_halted: bool
    """Whether no further message is to be served now: it ends, or its client reads too slowly."""

    @classmethod
    def new(cls, incoming: Any, service: Service[Any, Any], id: int) -> Self:
        """Make one for a client that was let in."""
        made = _blank(cls)
        made.incoming = incoming
        made.peer = incoming.peer
        made.service = service
        made.id = id
        made.since = made.active = made.flushed = service.clock()
        made.state = _WAITING
        made.watched = math.inf
        made.traffic = [0, 0]
        made.worker = None
        made.leave = nothing_to_leave
        made.sock = sock = incoming.sock
        made.fd = sock.fileno()
        made.tls = made.session = made.session_end = made.opening = None
        made.pending = made.fault = made.queue = made.mail = made.out = made.ending = None
        made.seen = made.messages = made.mailed = made.awaited = made.urgency = 0
        made.is_owned = made.has_ended_input = made.has_left = made.resets = made.lingers = False
        made.is_over = made.is_halted = made.missed = False
        return made

    @property
    def hop(self) -> Any:
        """The proxy that has passed it on; None if there is none."""
        return getattr(self.peer, "hop", None)

    @property
    def is_served(self) -> bool:
        """Whether a message is in work, and the client not even asked to read its replies."""
        return (self.is_owned or self.worker is not None) and not self.awaited

    # What comes in.

    def cut_messages(self, data: bytes) -> "list[bytes]":
        """Return the messages that are complete with this data; keep the rest."""
        if self.pending is None:
            parts: list[bytes] = self.holder.cut_all(data)
            if rest := parts.pop():
                self.keep(rest)
            return parts
        pending = self.pending
        pending += data
        if (found := self._cut(pending, self.seen)) is None:
            return []
        payload, size = found
        self.pending = None
        rest = bytes(pending[size:])
        return [payload, *self.cut_messages(rest)] if rest else [payload]

    def keep(self, rest: bytes) -> None:
        """Keep the beginning of a message; or note what is wrong with it."""
        if self._cut(rest, 0) is None and self.fault is None:
            self.pending = bytearray(rest)

    def _cut(self, data: bytes | bytearray, seen: int) -> tuple[bytes, int] | None:
        try:
            found = self.holder.framing.cut(data, seen)
            check_found(found)
            if found is None and len(data) > self.holder.max_size:
                text = f"more than {self.holder.max_size} bytes, and no end"
                raise FramingError(text, MessageFault.TOO_LONG)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            self.fault = error
            self.pending = None
            return None
        self.seen = len(data)
        return found

    # What goes out.

    def reply(self, payload: bytes) -> bool:
        """Send a message; return whether it was accepted."""
        return message_of(self, b"").reply(payload)

    def send_later(self, data: bytes) -> bool:
        """Take what cannot be sent here and now; return whether it was accepted."""
        if self.ending is not None or self.is_over or self.has_left:
            return False
        if self.worker != get_ident():
            return self._post(data)
        if self.out is None or len(self.out) < self.holder.max_output:
            self.keep_for_later(data)
            return True
        return self._send_in_time(data)

    def _post(self, data: bytes) -> bool:
        with self.holder.lock:
            out = self.out
            waiting = self.mailed + (0 if out is None else len(out))
            if self.ending is not None or self.is_over or waiting >= self.holder.max_output:
                return False
            if self.mail is None:
                self.mail = []
            self.mail.append(data)
            self.mailed += len(data)
        self.holder.note(self)
        return True

    def _send_in_time(self, data: bytes) -> bool:
        """Wait for the client to read, where that holds up nobody else; else give up on it.

        Without this reply it could make no sense of the next ones.
        """
        while self.out is not None and len(self.out) >= self.holder.max_output:
            if not self.holder.wait_for_room(self):
                self.note_ending(Outcome.TIMED_OUT)
                return False
            self.flush()
        if self.has_left:
            return False
        self.keep_for_later(data)
        return True

    def keep_for_later(self, data: bytes) -> None:
        """Keep what the system has no room for; nothing is read before all of it has gone."""
        if self.out is None:
            self.out = bytearray()
            self.flushed = self.service.clock()
        self.out += data
        self.is_halted = True

    def flush(self) -> bool:
        """Send what is left; return whether all has gone."""
        while self.out:
            try:
                sent = self.sock.send(self.out, DONTWAIT)
            except BlockingIOError:
                return False
            except OSError:
                self.has_left = True
                break
            del self.out[:sent]
            self.traffic[1] += sent
            self.flushed = self.service.clock()
        self.out = None
        self.go_on()
        return True

    def go_on(self) -> None:
        """Let further messages be served, unless it is to end."""
        self.is_halted = False
        if self.ending is not None:  # who ends it meanwhile says first that it ends
            self.is_halted = True

    def take_mail(self) -> None:
        """Send what other threads have left here; once it is to end, they can leave no more."""
        with self.holder.lock:
            mail, self.mail, self.mailed = self.mail, None, 0
        if mail is not None:
            self.keep_for_later(b"".join(mail))
            self.flush()

    def send(self, data: bytes) -> None:
        """Send bytes as they are, if there is room for them at once."""
        if self.out is None and not self.is_over:
            try:
                self.traffic[1] += self.sock.send(data, DONTWAIT)
            except OSError:
                pass

    def reset(self) -> None:
        """Have the connection reset when it is closed."""
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:
            pass
        self.resets = True
        self.has_ended_input = True  # nothing is waited for any more

    def turn_away(self, how: Refusal) -> None:
        """Do what comes before the end of a client that is turned away, without waiting for it."""
        if isinstance(how, Reply):
            self.send(how.payload)
        elif isinstance(how, Reset):
            self.reset()

    @property
    def interest(self) -> int:
        """What is to be waited for."""
        return READABLE if self.out is None else WRITABLE

    def note_ending(self, outcome: Outcome) -> None:
        """Have it end so, unless it ends already; nothing more is read or served."""
        if self.ending is None:
            self.ending = outcome
        self.is_halted = True

    def close(self) -> None:
        """End the connection once all that was accepted has gone out."""
        self.note_ending(Outcome.FINISHED)
        if self.worker != get_ident():
            self.holder.note(self)

    def cut(self) -> None:
        """Shut the connection both ways, which ends it as soon as its owner looks.

        What has come and is not served yet is not served any more.
        """
        with self.holder.lock:
            if not self.is_over:
                self.note_ending(Outcome.CUT)
                self.incoming.cut()
