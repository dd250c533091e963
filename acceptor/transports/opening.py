"""What a held connection negotiates before its first message, without ever waiting."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

import attrs

from acceptor.core.asking import LeaveAll
from acceptor.core.errors import HandshakeError
from acceptor.core.events import HandshakeFailure, Outcome, RequestState
from acceptor.core.framing import Framed
from acceptor.core.path import DeniedError, Rule, Step
from acceptor.core.polling import READABLE, WRITABLE, Poller
from acceptor.core.secured import Secured
from acceptor.transports.held import DONTWAIT, HeldConnection

_HANDSHAKE: Final = RequestState.HANDSHAKE


class WantsToWriteError(BlockingIOError):
    """A step can go on when the connection can be written to."""


@attrs.define(eq=False)
class _Replayed:
    """A connection as a blocking one, for a step that is taken anew whenever more has come.

    It reads what it has read before once more, and raises `BlockingIOError` where nothing is left.
    """

    _sock: Any
    _had: bytearray = attrs.field(factory=bytearray, init=False)
    _place: int = attrs.field(default=0, init=False)

    def begin(self) -> None:
        """Read from the beginning again."""
        self._place = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read, from what was read before, or from the connection."""
        peeks = bool(flags & socket.MSG_PEEK)
        if self._place < len(self._had):
            data: bytes = bytes(self._had[self._place : self._place + size])
            self._place += 0 if peeks else len(data)
            return data
        data = self._sock.recv(size, flags | DONTWAIT)
        if not peeks:
            self._had += data
            self._place += len(data)
        return data


@attrs.define(eq=False)
class Opening:
    """Takes the steps of one connection, each as often as it needs. For the accept thread.

    To a step it is what `LayeredIncoming` is where steps may wait.
    """

    connection: HeldConnection
    _poller: Poller
    _on_open: Callable[[HeldConnection], object]
    _on_failure: Callable[[HeldConnection, Outcome], object]
    _steps: list[Step]
    live: Any = attrs.field(init=False)
    """What a step reads from."""
    _wants: int = attrs.field(default=0, init=False)
    _upgraded: Any = attrs.field(default=None, init=False)
    _leaves: LeaveAll = attrs.field(factory=LeaveAll, init=False)

    def __attrs_post_init__(self) -> None:
        self.live = _Replayed(self.connection.sock)
        self.connection.state = _HANDSHAKE
        self._leaves.add(self.connection.leave)

    @property
    def peer(self) -> Any:
        """Who it is, as far as is known by now."""
        return self.connection.peer

    @peer.setter
    def peer(self, peer: Any) -> None:
        incoming: Any = self.connection.incoming
        self.connection.peer = incoming.peer = peer

    def go_on(self) -> None:
        """Take as many steps as can be taken now."""
        connection = self.connection
        try:
            while self._steps:
                self._take(self._steps[0])
                del self._steps[0]
        except WantsToWriteError:
            self._await(WRITABLE)
        except BlockingIOError:
            self._await(READABLE)
        except DeniedError as denial:
            self._fail(denial)
        except HandshakeError as error:  # says why; it is a `ConnectionError`, too
            self._fail(error)
        except ConnectionError:
            self._fail(HandshakeError("", HandshakeFailure.CLIENT_LEFT))
        except Exception as error:
            self._fail(error)
        else:
            self._stop_waiting()
            connection.opening = None
            connection.leave = self._leaves.as_one()
            self._on_open(connection)

    def _take(self, step: Step) -> None:
        if isinstance(step, Rule):
            self._judge(step)
        elif not isinstance(step, Framed):
            self.live = self._upgraded or _begun(self.live)
            step.negotiate(self)
            if self._upgraded is None:
                self.live = _Replayed(self.connection.sock)

    def upgrade(self, wait: object, begin: Callable[[Any], Any]) -> None:
        """Make a handshake, in as many calls as it takes."""
        if self._upgraded is None:
            self._upgraded = begin(self.connection.sock)
            incoming: Any = self.connection.incoming
            self.connection.sock = incoming.sock = self._upgraded
        self._upgraded.shake_hands()
        self.connection.tls = self._upgraded.view

    def _judge(self, rule: Rule[Any]) -> None:
        subject = Secured(self.peer, self.connection.tls) if rule.judges_tls else self.peer
        try:
            leave = rule.admit(subject)
        except DeniedError as denial:
            self.connection.turn_away(denial.how)
            raise
        self._leaves.add(leave)

    def fail_late(self) -> None:
        """End it: its time is over."""
        limit = self.connection.service.timeouts.handshake
        text = "cut off" if limit is None else f"not done within {limit:g} s"
        self._fail(HandshakeError(text, HandshakeFailure.TIMEOUT))

    def _fail(self, error: Exception) -> None:
        self._stop_waiting()
        self.connection.opening = None
        self.connection.leave = self._leaves.as_one()
        self._on_failure(self.connection, self.connection.tell_handshake_failure(error))

    def _await(self, mask: int) -> None:
        if not self._wants:
            self._poller.register(self.connection.fd, mask)
        elif mask != self._wants:
            self._poller.modify(self.connection.fd, mask)
        self._wants = mask

    def _stop_waiting(self) -> None:
        if self._wants:
            self._wants = 0
            with contextlib.suppress(OSError, ValueError, KeyError):
                self._poller.unregister(self.connection.fd)


def _begun(live: _Replayed) -> _Replayed:
    live.begin()
    return live
