"""What stands behind a server's port: who may come in, and who serves it."""

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

import attrs

from acceptor.core.accept_loop import AcceptLoop
from acceptor.core.access import AllowAll
from acceptor.core.admission import Admission
from acceptor.core.errors import ResourceError, is_ctrl_c
from acceptor.core.events import Outcome, Refused
from acceptor.core.interfaces import AccessPolicy, Dispatcher, Incoming, Intake
from acceptor.core.job import ServeRequest, new_job
from acceptor.core.reporting import Reporter

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")


@attrs.define(eq=False)
class JobIntake(Intake[RequestT, PeerT], Generic[RequestT, PeerT]):
    """Asks the policy, makes a job of whom it lets in, and hands that to the dispatcher."""

    admission: Admission
    _dispatcher: Dispatcher
    _policy: AccessPolicy[PeerT]
    _handle: Callable[[RequestT, PeerT], object]
    _report: Reporter
    holds_one: bool = attrs.field(default=False, init=False)
    """Whether a job still waits for a worker; a field, because each wait asks."""
    _held: ServeRequest[RequestT, PeerT] | None = attrs.field(default=None, init=False)
    _lets_all_in: bool = attrs.field(init=False)

    # The admission's own; no function of ours in between, because each wait and client asks.
    has_room: Callable[[], bool] = attrs.field(init=False)  # pyright: ignore[reportIncompatibleMethodOverride]
    expect_room: Callable[[], bool] = attrs.field(init=False)  # pyright: ignore[reportIncompatibleMethodOverride]

    def __attrs_post_init__(self) -> None:
        self._lets_all_in = isinstance(self._policy, AllowAll)
        self.has_room = self.admission.has_room
        self.expect_room = self.admission.expect_room

    def take(self, incoming: Incoming[RequestT, PeerT], /) -> None:
        """Let a client in, or refuse it.

        Raises:
            ResourceError: There is no worker for it now; the job is held.
            Exception: The dispatcher is broken; the client is closed.
        """
        if not (self._lets_all_in or self._is_allowed(incoming)):
            return
        job = new_job(incoming, self._handle, self._report, self.admission)
        self.admission.enter(job)
        if self._report.wants_every_request:
            job.tell_accepted()
        try:
            self._dispatcher.submit(job)
        except Exception as error:
            self._keep_or_end(job, error)
            raise

    def _is_allowed(self, incoming: Incoming[RequestT, PeerT]) -> bool:
        error: BaseException | None = None
        try:
            if self._policy.allows(incoming.peer):
                return True
        except BaseException as raised:
            error = raised
        self._refuse(incoming, error)
        if error is not None and is_ctrl_c(error):
            raise error
        return False

    def _refuse(self, incoming: Incoming[RequestT, PeerT], error: BaseException | None) -> None:
        reason = "the access policy failed" if error is not None else f"denied by {self._policy!r}"
        self.admission.refuse()
        self._report(Refused(peer=incoming.peer, reason=reason, error=error))
        incoming.release()  # at once: who may not come in is not waited for

    def take_held(self) -> None:
        """Hand the held job, if there is one, to the dispatcher once more.

        Raises:
            ResourceError: There is still no worker for it.
        """
        held = self._let_go()
        if held is not None:
            try:
                self._dispatcher.submit(held)
            except Exception as error:
                self._keep_or_end(held, error)
                raise

    def _let_go(self) -> ServeRequest[RequestT, PeerT] | None:
        held, self._held, self.holds_one = self._held, None, False
        return held

    def _keep_or_end(self, job: ServeRequest[RequestT, PeerT], error: Exception) -> None:
        if isinstance(error, ResourceError):
            self._held = job
            self.holds_one = True
        else:
            job.incoming.close(patient=False)
            job.end(Outcome.LOST)

    def cut(self, timeout: float) -> int:
        """End what still runs, hard; return how many requests that were."""
        jobs = self.admission.running()
        held = self._let_go()
        if held is not None:  # no worker ever had it, so none can end it
            held.incoming.close(patient=False)
            held.end(Outcome.CUT)
        self._dispatcher.cut([job for job in jobs if job is not held], timeout)
        return len(jobs)

    def close(self) -> None:
        """Let go of the workers."""
        self._dispatcher.close()


ServingLoop: TypeAlias = AcceptLoop[RequestT, PeerT, JobIntake[RequestT, PeerT]]
