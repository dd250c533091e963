"""A connection's way from accept to handler: what reads from the client, and who judges it there.

All of it happens in the worker, under one deadline, so that a client that says nothing holds up
nobody else.
"""

import contextlib
import functools
import socket
from collections.abc import Callable
from typing import Any, Final, TypeVar

import attrs

from acceptor.core.asking import LeaveAll
from acceptor.core.deadlines import Deadline, Timeouts
from acceptor.core.errors import DeadlineError, HandshakeError
from acceptor.core.events import HandshakeFailure, Outcome
from acceptor.core.framing import Framed
from acceptor.core.interfaces import HearsEnd, Listener, Traffic, Transport
from acceptor.core.limits import Refusal, Reply, Reset
from acceptor.core.path import DeniedError, Rule, Step
from acceptor.core.secured import Secured
from acceptor.core.values import define, frozen
from acceptor.transports.served import ServedSocket
from acceptor.transports.stream import StreamIncoming, StreamListener

ResultT = TypeVar("ResultT")

# Whom to wait for would be in vain.
_GONE: Final = (HandshakeFailure.TIMEOUT, HandshakeFailure.CLIENT_LEFT)


@functools.lru_cache(maxsize=16)
def _during_handshake(timeouts: Timeouts) -> Timeouts:
    limits = [limit for limit in (timeouts.handshake, timeouts.connection) if limit is not None]
    whole = min(limits, default=None)
    return Timeouts(handshake=whole, first_data=None, idle=None, write=None, connection=whole)


@define(eq=False)
class LayeredIncoming(StreamIncoming[Any], HearsEnd):
    """One accepted connection that has steps to take before its handler."""

    steps: tuple[Step, ...] = attrs.field(default=(), init=False)
    """What is to be done before the handler, in this order."""
    _leaves: LeaveAll = attrs.field(factory=LeaveAll, init=False)
    _is_gone: bool = attrs.field(default=False, init=False)
    deadline: Deadline = attrs.field(init=False)
    """When all steps must be done."""

    @property
    def live(self) -> Any:
        """The socket as it is by now."""
        return self._socket.upgraded or self._socket

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> socket.socket:
        """Take all steps; return the socket that they have made."""
        limited = _during_handshake(timeouts)
        self._socket.begin(limited, [0, 0])
        self.deadline = Deadline.after(limited.handshake)
        try:
            for step in self.steps:
                self._take(step)
        except DeadlineError:
            self._is_gone = True
            text = f"not done within {limited.handshake:g} s"
            raise HandshakeError(text, HandshakeFailure.TIMEOUT) from None
        except HandshakeError as error:
            self._is_gone = error.reason in _GONE
            raise
        self.live.go_on(timeouts, traffic)
        return self.live  # type: ignore[no-any-return]

    def _take(self, step: Step) -> None:
        if isinstance(step, Rule):
            self._judge(step)
        elif not isinstance(step, Framed):
            step.negotiate(self)

    def upgrade(self, make: Callable[[Any, float | None], ResultT], begin: object) -> ResultT:
        """Have a handshake made in what is left of the time; others never wait, but `begin`."""
        return make(self._socket, self.deadline.remaining())

    def _judge(self, rule: Rule[Any]) -> None:
        subject = Secured(self.peer, self.live.view) if rule.judges_tls else self.peer
        try:
            leave = rule.admit(subject)
        except DeniedError as denial:
            self._turn_away(denial.how)
            raise
        self._leaves.add(leave)

    def _turn_away(self, how: Refusal) -> None:
        with contextlib.suppress(OSError):  # gone, or it reads nothing
            if isinstance(how, Reply):
                self.live.settimeout(self.deadline.remaining())
                self.live.sendall(how.payload)
            elif isinstance(how, Reset):
                self._reset()

    def tell(self, outcome: Outcome, /) -> None:
        """Tell the policies that have let it in."""
        self._leaves(outcome)

    def close(self, *, patient: bool) -> None:
        """As every connection; who has kept the handshake waiting is not waited for."""
        super().close(patient=patient and not self._is_gone)


@frozen
class LayeredTransport(Transport[Any, Any]):
    """A stream transport whose connections have steps to take before their handler."""

    transport: Transport[socket.socket, Any]
    steps: tuple[Step, ...]

    @property
    def endpoint(self) -> object:
        """What is listened on."""
        return getattr(self.transport, "endpoint", self.transport)

    @property
    def request_type(self) -> type | None:
        """What handlers are given."""
        return getattr(self.transport, "request_type", None)

    def listen(self) -> Listener[Any, Any]:
        """Bind and listen; the caller closes the listener.

        Raises:
            ListenError: As the transport itself.
        """
        listener = self.transport.listen()
        if isinstance(listener, StreamListener):
            listener.incoming = self._layered
        return listener

    def _layered(self, sock: ServedSocket, peer: Any) -> LayeredIncoming:
        incoming = LayeredIncoming(sock, peer)
        incoming.steps = self.steps
        return incoming
