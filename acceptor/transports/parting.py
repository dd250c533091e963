"""How held connections end, and what goes wrong before."""

import socket
import threading
from abc import abstractmethod
from typing import Any, Final

import attrs

from acceptor.core.errors import is_ctrl_c
from acceptor.core.events import HandlerFailed, MessageRefused, Outcome, Refused, RequestState
from acceptor.core.framing import FramingError
from acceptor.core.interfaces import Dispatcher
from acceptor.core.job import Service
from acceptor.core.limits import Refusal
from acceptor.core.path import DeniedError
from acceptor.core.polling import READABLE, WRITABLE
from acceptor.core.waiting import Waiter
from acceptor.transports.held import DONTWAIT, READ_SIZE, HeldConnection
from acceptor.transports.stream import LINGER_BYTES, LINGER_SECONDS
from acceptor.transports.timers import Timers
from acceptor.transports.way import Way

_CLOSING: Final = RequestState.CLOSING
_FINISHED: Final = Outcome.FINISHED


@attrs.define(eq=False)
class Parting(Dispatcher):
    """The part of a `Holding` that ends connections, each in its own way; for their owners.

    `lock` guards the closing of a socket against whoever cuts it from outside.
    """

    service: Service[Any, Any]
    waiter: Waiter
    way: Way
    by_fd: dict[int, HeldConnection] = attrs.field(factory=dict, init=False, repr=False)
    timers: Timers = attrs.field(init=False, repr=False)
    is_leaving: bool = attrs.field(default=False, init=False)
    """Whether connections are to end as soon as nothing of them is in work."""
    lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _ended_messages: int = attrs.field(default=0, init=False)  # under the lock

    def __attrs_post_init__(self) -> None:
        self.timers = Timers(self.by_fd, self.service.timeouts, self.service.clock, self.expire)

    @abstractmethod
    def expire(self, connection: HeldConnection) -> None:
        """End a connection whose time is over."""

    @abstractmethod
    def rearm(self, connection: HeldConnection, mask: int) -> None:
        """Wait for something else from now on."""

    @abstractmethod
    def forget(self, connection: HeldConnection) -> None:
        """Wait for it no more; before it is closed."""

    @abstractmethod
    def hurry(self, connection: HeldConnection) -> None:
        """See that it is ended in time, which may be sooner now."""

    @abstractmethod
    def put_off(self, connection: HeldConnection) -> None:
        """Go on with it when the others have had their turn."""

    # What goes wrong.

    def on_failure(self, connection: HeldConnection, error: BaseException) -> None:
        """End a connection whose handler has raised.

        Raises:
            KeyboardInterrupt: It was Ctrl-C, which is the program's business as well.
        """
        self.tell_failure(connection, error)
        connection.note_ending(Outcome.FAILED)
        if is_ctrl_c(error):
            self.settle(connection)
            raise error

    def tell_failure(self, connection: HeldConnection, error: BaseException) -> None:
        """Tell that the handler, the session or the framing has raised."""
        self.service.report(HandlerFailed(id=connection.id, peer=connection.peer, error=error))

    def tell_fault(self, connection: HeldConnection, error: FramingError) -> None:
        """Tell that a client has sent what is no message."""
        self.service.report(
            MessageRefused(
                id=connection.id, peer=connection.peer, fault=error.fault, detail=str(error)
            )
        )

    def _refuse(self, connection: HeldConnection, fault: BaseException) -> None:
        """Turn a client away that has sent what is no message."""
        if not isinstance(fault, FramingError):  # the framing itself has failed
            self.tell_failure(connection, fault)
            self.finish(connection, Outcome.FAILED)
            return
        self.tell_fault(connection, fault)
        self._turn_away(connection, self.way.framed.refusal, Outcome.BAD_MESSAGE)

    def deny(self, connection: HeldConnection, denial: DeniedError) -> None:
        """Turn a client away whose message a policy has denied."""
        self.service.report(
            Refused(
                id=connection.id,
                peer=connection.peer,
                reason=denial.reason,
                detail=denial.detail,
                error=denial.__cause__,
            )
        )
        self._turn_away(connection, denial.how, Outcome.DENIED)

    def _turn_away(self, connection: HeldConnection, how: Refusal, outcome: Outcome) -> None:
        connection.turn_away(how)
        self.finish(connection, outcome)

    # A connection ends.

    def finish(self, connection: HeldConnection, outcome: Outcome) -> None:
        """Serve nothing more, and end it once all that was accepted has gone out."""
        connection.note_ending(outcome)
        self.settle(connection)

    def settle(self, connection: HeldConnection) -> None:
        """Do what is next for a connection that does not simply wait for more; its owner's."""
        if connection.is_over or connection.lingers:
            return
        if connection.ending is not None:
            connection.take_mail()
        if connection.out is not None:
            self.rearm(connection, WRITABLE)
            self.hurry(connection)
        elif connection.ending is not None:
            self._close_politely(connection, connection.ending)
        elif connection.queue:
            connection.is_halted = True
            self.put_off(connection)
        elif connection.fault is not None:
            self._refuse(connection, connection.fault)
        elif self.is_leaving and connection.pending is None and not self.has_more(connection):
            self.finish(connection, Outcome.FINISHED)

    def has_more(self, connection: HeldConnection) -> bool:
        """Say whether something has come that was not read yet."""
        try:
            return bool(connection.sock.recv(1, socket.MSG_PEEK | DONTWAIT))
        except OSError:
            return False

    def _close_politely(self, connection: HeldConnection, outcome: Outcome) -> None:
        """End our side; wait for the client to end its own if a reply may still be on its way."""
        has_spoken = connection.traffic[0] or connection.traffic[1]
        was_told = has_spoken or outcome is not Outcome.FINISHED
        is_recent = self.service.clock() < connection.active + LINGER_SECONDS
        lingers = was_told and is_recent and not connection.has_ended_input
        if not lingers and (connection.tls is None or connection.resets):
            self.end(connection, outcome)
            return
        connection.queue = connection.pending = None
        connection.seen = 0
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:  # as if a reply of no bytes had to wait
            connection.keep_for_later(b"")
            self.settle(connection)
            return
        except OSError:
            lingers = False
        if not lingers:
            self.end(connection, outcome)
            return
        connection.lingers = True
        connection.flushed = self.service.clock()
        self.hurry(connection)
        self.linger(connection)

    def linger(self, connection: HeldConnection) -> None:
        """Read what a client still sends after our end, and nobody wants any more."""
        try:
            while data := connection.sock.recv(READ_SIZE, DONTWAIT):
                connection.seen += len(data)
                if connection.seen > LINGER_BYTES:
                    break
        except BlockingIOError:
            self.rearm(connection, READABLE)
            return
        except OSError:
            pass
        self.end(connection, connection.ending or Outcome.FINISHED)

    def end(self, connection: HeldConnection, outcome: Outcome) -> None:
        """Close it here and now, tell of it, and give its slot back."""
        with self.lock:
            if connection.is_over:
                return
            connection.is_over = connection.is_halted = True
            connection.out = connection.mail = None
            connection.fault = None  # whose traceback has the connection, and what has come
            self.by_fd.pop(connection.fd, None)
            self._ended_messages += connection.messages
            try:
                self.forget(connection)
                connection.sock.close()
            except OSError:  # the handler has closed it
                pass
        connection.state = _CLOSING
        connection.queue = connection.pending = None
        try:
            if connection.session_end is not None:
                self._close_session(connection)
        finally:
            has_gone = connection.has_left and outcome is _FINISHED
            connection.end(Outcome.CLIENT_LEFT if has_gone else outcome)

    def _close_session(self, connection: HeldConnection) -> None:
        try:
            connection.session_end(connection)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            self.tell_failure(connection, error)
