"""Has the messages of held connections judged, served, and told of."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from acceptor.core.asking import LeaveAll, nothing_to_leave, tell
from acceptor.core.events import MessageServed, Outcome, RefusalReason
from acceptor.core.interfaces import Leave
from acceptor.core.job import live
from acceptor.core.limits import Close
from acceptor.core.path import DeniedError
from acceptor.transports.held import HeldConnection, message_of
from acceptor.transports.parting import Parting
from acceptor.transports.way import subject_of

# Python 3.11 takes 60 ns to look an enum's member up.
_DENIED: Final = Outcome.DENIED
_FINISHED: Final = Outcome.FINISHED

_CLOSE: Final = Close()

# Messages of one connection that are served before it is the others' turn.
TURN: Final = 64


@attrs.define(eq=False)
class Serving(Parting):
    """The part of a `Holding` that calls the handler; in the thread that owns the connection."""

    stops_often: bool = attrs.field(default=False, init=False)
    """Whether each wait ends when a message was begun with, so that somebody can count them."""
    _handler: Callable[[Any, Any, Any], object] = attrs.field(init=False, repr=False)
    _server: Any = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._handler, self._server = self.service.handler, self.service.server

    def serve(self, connection: HeldConnection, payloads: Iterable[bytes], me: int) -> None:
        """Have messages served, one after the other, until it is the others' turn."""
        left = iter(payloads)
        for served, payload in enumerate(left, 1):
            self.serve_one(connection, payload, me)
            if connection.is_halted or served >= TURN:
                break
        connection.queue = None if connection.ending is not None else deque(left) or None
        connection.active = self.service.clock()  # the time of the handlers is not its client's

    def serve_one(self, connection: HeldConnection, payload: bytes, me: int) -> None:
        """Have one message judged and served, and tell of it."""
        began, sent = self.service.clock(), connection.traffic[1]
        leave = self.judge(connection) if self.way.rules else nothing_to_leave
        outcome = _DENIED
        if leave is not None:
            if connection.ending is not None:  # since its policies were asked
                tell(leave, Outcome.CUT, connection.peer)
                return
            outcome = Outcome.FAILED  # if it is Ctrl-C, which goes on its way
            try:
                outcome = self.handle(connection, payload, me)
            finally:
                tell(leave, outcome, connection.peer)
        self.tell_served(connection, outcome, began, len(payload), sent)

    def judge(self, connection: HeldConnection) -> Leave | None:
        """Ask the policies whether a message may be served; if not, the client is turned away."""
        entered = LeaveAll()
        try:
            for rule in self.way.rules:
                entered.add(rule.admit(subject_of(connection, rule)))
        except DeniedError as denial:
            tell(entered, Outcome.DENIED, connection.peer)
            self.deny(connection, denial)
            return None
        except BaseException:  # Ctrl-C
            tell(entered, Outcome.DENIED, connection.peer)
            self.deny(connection, DeniedError(_CLOSE, "", RefusalReason.POLICY_FAILED))
            raise
        return entered.as_one()

    def handle(self, connection: HeldConnection, payload: bytes, me: int) -> Outcome:
        """Call the handler; whatever it raises is the outcome."""
        connection.messages += 1
        if self.stops_often:
            self.waiter.wake()
        connection.worker = me
        try:
            made = self._handler(message_of(connection, payload), connection.peer, self._server)
            if made is not None:
                live(made)
        except BaseException as error:
            self.on_failure(connection, error)
            return Outcome.FAILED
        finally:
            connection.worker = None
        return _FINISHED

    def tell_served(
        self, connection: HeldConnection, outcome: Outcome, began: float, received: int, sent: int
    ) -> None:
        """Tell of a message, if anybody wants to know."""
        if self.service.report.wants_every_request:
            self.service.report.tell_ordinary(
                MessageServed(
                    id=connection.id,
                    peer=connection.peer,
                    outcome=outcome,
                    elapsed=self.service.clock() - began,
                    received=received,
                    sent=connection.traffic[1] - sent,
                )
            )
