"""One accepted request on its way through handshake, handler and close."""

import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import attrs

from acceptor.core.admission import Admission
from acceptor.core.asking import nothing_to_leave, tell
from acceptor.core.deadlines import Clock, Timeouts
from acceptor.core.errors import HandshakeError, is_ctrl_c
from acceptor.core.events import (
    Accepted,
    Closed,
    HandlerFailed,
    HandshakeFailed,
    HandshakeFailure,
    Outcome,
    Refused,
    RequestState,
    Started,
)
from acceptor.core.interfaces import HearsEnd, Incoming, Job, Leave, RequestHandler, Traffic
from acceptor.core.path import DeniedError
from acceptor.core.reporting import Reporter

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

_blank: Final = object.__new__

# Python 3.11 takes 60 ns to look an enum's member up.
_FINISHED: Final = Outcome.FINISHED
_FAILED: Final = Outcome.FAILED
_LOST: Final = Outcome.LOST
_OTHER: Final = HandshakeFailure.OTHER
_WAITING: Final = RequestState.WAITING
_HANDSHAKE: Final = RequestState.HANDSHAKE
_HANDLING: Final = RequestState.HANDLING
_CLOSING: Final = RequestState.CLOSING


def _reason_of(error: Exception) -> HandshakeFailure:
    if isinstance(error, HandshakeError):
        return error.reason
    if isinstance(error, TimeoutError):
        return HandshakeFailure.TIMEOUT
    return HandshakeFailure.CLIENT_LEFT if isinstance(error, ConnectionError) else _OTHER


def _no_handler(request: object, peer: object, server: object) -> None:
    """Do nothing."""


@attrs.define(eq=False)
class Service(Generic[RequestT, PeerT]):
    """What all jobs of one server have in common."""

    handle: Callable[[RequestT, PeerT], object]
    report: Reporter
    admission: Admission
    timeouts: Timeouts
    clock: Clock
    remembers: bool = False
    """Whether there are policies that want to hear of ends."""
    handler: Callable[[Any, Any, Any], object] = attrs.field(default=_no_handler, kw_only=True)
    """What `handle` calls, for those who cannot afford another call."""
    server: Any = attrs.field(default=None, kw_only=True)


def live(made: object) -> None:
    """Run the life of what a handler has returned, if it is one of ours."""
    if isinstance(made, RequestHandler):
        made.setup()
        try:
            made.handle()
        finally:
            made.finish()


@attrs.define(eq=False)
class ServeRequest(Job, Generic[RequestT, PeerT]):
    """Takes one client through handshake, handler and close, and owns it on the way."""

    incoming: Incoming[RequestT, PeerT]
    peer: PeerT
    service: Service[RequestT, PeerT]
    id: int
    since: float  # when it was accepted, in seconds on the clock
    state: RequestState = attrs.field(default=_WAITING, init=False)
    traffic: Traffic = attrs.field(factory=lambda: [0, 0], init=False)
    worker: int | None = attrs.field(default=None, init=False)
    leave: Leave = attrs.field(default=nothing_to_leave, init=False)
    """What policies want to have called in the end."""

    @classmethod
    def new(
        cls, incoming: Incoming[RequestT, PeerT], service: Service[RequestT, PeerT], id: int
    ) -> "ServeRequest[RequestT, PeerT]":
        """Make one as the class does when called, but in half the time: each request needs one.

        Calling a class goes from Python through C to its `__init__` in Python; this stays here.
        """
        job: ServeRequest[RequestT, PeerT] = _blank(cls)
        job.incoming = incoming
        job.peer = incoming.peer
        job.service = service
        job.id = id
        job.since = service.clock()
        job.state = _WAITING
        job.traffic = [0, 0]
        job.worker = None
        job.leave = nothing_to_leave
        return job

    def begin(self, worker: int, since: float, traffic: Traffic) -> None:
        """Note that its handler runs already."""
        self.worker = worker
        self.since = since
        self.traffic = traffic
        self.state = _HANDLING

    def tell_accepted(self) -> None:
        """Tell that the client was let in."""
        self.service.report(Accepted(id=self.id, peer=self.peer))

    def run(self, *, patient: bool) -> None:
        """Serve and end."""
        outcome = _FAILED
        try:
            outcome = self._serve(patient, self.service.report.wants_every_request)
        finally:
            self.end(outcome)

    def serve(self, *, patient: bool) -> Outcome:
        """Run handshake, handler and close; whatever they raise is the outcome."""
        return self._serve(patient, False)  # `release` has told it, in the parent

    def _serve(self, patient: bool, tells: bool) -> Outcome:  # by position, which is faster
        self.worker = threading.get_ident()
        self.state = _HANDSHAKE
        incoming, service = self.incoming, self.service
        try:
            try:
                request = incoming.handshake(service.timeouts, self.traffic)
            except Exception as error:
                return self.tell_handshake_failure(error)
            self.peer = peer = incoming.peer  # a proxy may have told who it is
            self.state = _HANDLING
            if tells:
                service.report(Started(id=self.id, peer=peer))
            service.handle(request, peer)
            return incoming.outcome_of(None) or _FINISHED
        except BaseException as error:
            outcome = self.judge(error)
            if is_ctrl_c(error):
                raise
            return outcome
        finally:
            self.state = _CLOSING
            incoming.close(patient=patient)

    def tell_handshake_failure(self, error: Exception) -> Outcome:
        """Tell that a client did not get through to the handler; return how that ends it."""
        self.peer = self.incoming.peer
        if isinstance(error, DeniedError):
            cause = error.__cause__
            self.service.report(
                Refused(
                    id=self.id,
                    peer=self.peer,
                    reason=error.reason,
                    detail=error.detail,
                    error=cause,
                )
            )
            return Outcome.DENIED
        reason = _reason_of(error)
        self.service.report(HandshakeFailed(id=self.id, peer=self.peer, reason=reason, error=error))
        return Outcome.HANDSHAKE_FAILED

    def judge(self, error: BaseException) -> Outcome:
        """Say how it has ended, by what its handler raised, and tell it."""
        if isinstance(error, HandshakeError):  # the handler has upgraded its connection
            return self.tell_handshake_failure(error)
        outcome = self.incoming.outcome_of(error)
        if outcome is None:
            self.service.report(HandlerFailed(id=self.id, peer=self.peer, error=error))
            return Outcome.FAILED
        return outcome

    def end(self, outcome: Outcome) -> None:
        """Tell how it ended and give the slot back."""
        service = self.service
        outcome = service.admission.settle(self, outcome)
        try:
            # One that was killed is logged even if nobody listens.
            if service.report.wants_every_request or outcome is _LOST:
                service.report(self._closed(outcome))
        finally:  # of a Ctrl-C, too
            try:
                if service.remembers:
                    self._tell_policies(outcome)
            finally:
                service.admission.leave(self)

    def _tell_policies(self, outcome: Outcome) -> None:
        hears = (self.incoming.tell,) if isinstance(self.incoming, HearsEnd) else ()
        for leave in (self.leave, *hears):
            tell(leave, outcome, self.peer)

    def _closed(self, outcome: Outcome) -> Closed:
        return Closed(
            id=self.id,
            peer=self.peer,
            outcome=outcome,
            elapsed=self.service.clock() - self.since,
            received=self.traffic[0],
            sent=self.traffic[1],
        )

    def cut(self) -> None:
        """Shut the client's connection from outside, so that the handler comes to an end."""
        self.incoming.cut()

    def drop(self) -> None:
        """Close the client's connection and end; for a job that never had a worker."""
        self.incoming.close(patient=False)
        self.end(Outcome.CUT)

    def count_into(self, traffic: Traffic, /) -> None:
        """Keep the count of its bytes there from now on."""
        self.traffic = traffic

    def release(self, worker: int) -> None:
        """Let go of this process's copy of the client; a child serves it."""
        self.worker = worker
        self.state = _HANDLING
        try:
            if self.service.report.wants_every_request:
                self.service.report(Started(id=self.id, peer=self.peer))
        finally:  # of a Ctrl-C, too
            self.incoming.release()
