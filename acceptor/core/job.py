"""One accepted request on its way through handshake, handler and close."""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import attrs

from acceptor.core.admission import Admission
from acceptor.core.errors import is_ctrl_c
from acceptor.core.events import Accepted, Closed, HandlerFailed, HandshakeFailed, Outcome
from acceptor.core.interfaces import Incoming, Job
from acceptor.core.reporting import Reporter

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

# The field's usual values lie between 5 s (Ranch) and 30 s (AnyIO).
HANDSHAKE_TIMEOUT: Final = 10.0  # seconds

# Python 3.11 takes 60 ns to look an enum's member up.
_blank: Final = object.__new__

_FINISHED: Final = Outcome.FINISHED
_FAILED: Final = Outcome.FAILED
_LOST: Final = Outcome.LOST


@attrs.define(eq=False)
class ServeRequest(Job, Generic[RequestT, PeerT]):
    """Takes one client through handshake, handler and close, and owns it on the way."""

    incoming: Incoming[RequestT, PeerT]
    _handle: Callable[[RequestT, PeerT], object]
    _report: Reporter
    _admission: Admission
    _thread: int = attrs.field(default=-1, init=False)  # identity; -1 until it is served
    _was_cut: bool = attrs.field(default=False, init=False)
    _since: float | None = attrs.field(default=None, init=False)  # None if nobody wants to know

    def tell_accepted(self) -> None:
        """Tell that the client was let in, and from when on its time counts."""
        self._since = time.monotonic()
        self._report(Accepted(peer=self.incoming.peer))

    def run(self, *, patient: bool) -> None:
        """Serve and end."""
        outcome = _FAILED
        try:
            outcome = self._serve(patient)
        finally:
            if outcome is _FINISHED and self._since is None:
                self._admission.leave(self, outcome)  # all that `end` would do
            else:
                self.end(outcome)

    def serve(self, *, patient: bool) -> Outcome:
        """Run handshake, handler and close; whatever they raise is the outcome."""
        return self._serve(patient)

    def _serve(self, patient: bool) -> Outcome:  # by position, which is faster
        self._thread = threading.get_ident()
        incoming = self.incoming
        try:
            try:
                request = incoming.handshake(HANDSHAKE_TIMEOUT)
            except Exception as error:
                self._report(HandshakeFailed(peer=incoming.peer, error=error))
                return Outcome.HANDSHAKE_FAILED
            self._handle(request, incoming.peer)
        except BaseException as error:
            outcome = self._judge(error)
            if is_ctrl_c(error):
                raise
            return outcome
        finally:
            incoming.close(patient=patient and not self._was_cut)
        return Outcome.CUT if self._was_cut else _FINISHED

    def _judge(self, error: BaseException) -> Outcome:
        outcome = self.incoming.outcome_of(error)
        if outcome is None:
            self._report(HandlerFailed(peer=self.incoming.peer, error=error))
            return Outcome.FAILED
        return Outcome.CUT if self._was_cut else outcome

    def end(self, outcome: Outcome) -> None:
        """Tell how it ended and give the slot back."""
        try:
            # One that was killed is logged even if nobody listens, but without its time.
            if self._since is not None or outcome is _LOST:
                elapsed = 0.0 if self._since is None else time.monotonic() - self._since
                self._report(Closed(peer=self.incoming.peer, outcome=outcome, elapsed=elapsed))
        finally:
            self._admission.leave(self, outcome)

    def cut(self) -> None:
        """Shut the client's connection from outside, so that the handler comes to an end."""
        self._was_cut = True
        self.incoming.cut()

    def release(self) -> None:
        """Let go of this process's copy of the client; a child serves it."""
        self.incoming.release()

    def runs_in(self, thread: int) -> bool:
        """Whether the thread with this identity is the one that serves it."""
        return self._thread == thread


def new_job(
    incoming: Incoming[RequestT, PeerT],
    handle: Callable[[RequestT, PeerT], object],
    report: Reporter,
    admission: Admission,
) -> ServeRequest[RequestT, PeerT]:
    """Make a job as its class does, but in half the time: each request needs one.

    Calling a class goes from Python through C to its `__init__` in Python; this stays here.
    """
    job: ServeRequest[RequestT, PeerT] = _blank(ServeRequest)
    job.incoming = incoming
    job._handle = handle
    job._report = report
    job._admission = admission
    job._thread = -1
    job._was_cut = False
    job._since = None
    return job
