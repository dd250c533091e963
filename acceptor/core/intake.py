"""What stands behind a server's port: who may come in, and who serves it."""

import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

import attrs

from acceptor.core.accept_loop import AcceptLoop
from acceptor.core.admission import Admission, Request
from acceptor.core.asking import LeaveAll, nothing_to_leave, tell
from acceptor.core.errors import ResourceError
from acceptor.core.events import Full, Outcome, RefusalReason, Refused, RoomAgain
from acceptor.core.interfaces import Dispatcher, Incoming, Intake, Leave
from acceptor.core.job import ServeRequest, Service
from acceptor.core.limits import Close, Refusal
from acceptor.core.path import DeniedError, Rule

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

# How long after its time a request may take to notice by itself, with an error in its handler.
NOTICE: Final = 1.0  # seconds

# How long there must have been room for everybody until a spell without counts as over.
QUIET: Final = 0.5  # seconds

_CLOSE: Final = Close()


@attrs.define(eq=False)
class JobIntake(Intake[RequestT, PeerT], Generic[RequestT, PeerT]):
    """Asks the policy, makes a job of whom it lets in, and hands that to the dispatcher."""

    admission: Admission
    _dispatcher: Dispatcher
    _rules: tuple[Rule[PeerT], ...]
    _service: Service[RequestT, PeerT]
    _job_type: type[ServeRequest[Any, Any]] = attrs.field(
        default=ServeRequest, kw_only=True, alias="job_type"
    )
    holds_one: bool = attrs.field(default=False, init=False)
    """Whether a job still waits for a worker; a field, because each wait asks."""
    is_full: bool = attrs.field(default=False, init=False)
    """Whether a spell goes on in which there is no room for all who come."""
    _full_since: float = attrs.field(default=0.0, init=False)
    _room_since: float | None = attrs.field(default=None, init=False)
    _refused_before: int = attrs.field(default=0, init=False)
    _is_over: bool = attrs.field(default=False, init=False)  # who comes in now is cut at once
    # Which job that is. Whoever takes it out, in one step, has it: the accept thread, to hand it
    # on, or another, to cut it. That thread alone puts one in, and says whether there is one.
    _held: list[ServeRequest[RequestT, PeerT]] = attrs.field(factory=list, init=False)

    # The admission's own; no function of ours in between, because each wait and client asks.
    has_room: Callable[[], bool] = attrs.field(init=False)  # pyright: ignore[reportIncompatibleMethodOverride]
    expect_room: Callable[[], bool] = attrs.field(init=False)  # pyright: ignore[reportIncompatibleMethodOverride]

    def __attrs_post_init__(self) -> None:
        self.has_room = self.admission.has_room
        self.expect_room = self.admission.expect_room

    def has_slot(self) -> bool:
        """Say whether one more client may be served now."""
        return not self.admission.is_full()

    def take(self, incoming: Incoming[RequestT, PeerT], /) -> None:
        """Let a client in, or refuse it.

        Raises:
            ResourceError: There is no worker for it now; the job is held.
            Exception: The dispatcher is broken; the client is closed.
        """
        job = self.admit(incoming)
        if job is None:
            return
        try:
            self._dispatcher.submit(job)
        except Exception as error:
            self._keep_or_end(job, error)
            raise

    def admit(
        self, incoming: Incoming[RequestT, PeerT], worker: int | None = None
    ) -> ServeRequest[RequestT, PeerT] | None:
        """Let a client in, and return the job that it makes; None if it is refused.

        `worker` is the thread that will serve it, if that is known.
        """
        admission = self.admission
        leave = self._judge(incoming) if self._rules else nothing_to_leave
        if leave is None:
            return None
        # Where nobody is turned away it is only full if the limits have changed this very moment.
        if (admission.may_turn_away or admission.is_full()) and not self._fits(incoming, leave):
            return None
        service = self._service
        job: ServeRequest[RequestT, PeerT] = self._job_type.new(
            incoming, service, admission.next_id
        )
        job.leave = leave
        job.worker = worker
        admission.enter(job)
        if service.report.wants_every_request:
            try:
                job.tell_accepted()
            except BaseException:  # Ctrl-C; nobody has the job yet
                job.drop()
                raise
        if self._is_over:  # a policy has taken longer than the end of the server
            job.drop()
            return None
        return job

    def _judge(self, incoming: Incoming[RequestT, PeerT]) -> Leave | None:
        """Ask one rule after the other; None if one denies, and the client is turned away."""
        entered = LeaveAll()
        try:
            for rule in self._rules:
                entered.add(rule.admit(incoming.peer))
        except DeniedError as error:
            denial = error
        except BaseException as error:  # Ctrl-C
            tell(entered, Outcome.DENIED, incoming.peer)
            self._refuse(incoming, _CLOSE, RefusalReason.POLICY_FAILED, "", error)
            raise
        else:
            return entered.as_one()
        # Not above, where whatever an observer raises would be told with the denial behind it.
        tell(entered, Outcome.DENIED, incoming.peer)
        self._refuse(incoming, denial.how, denial.reason, denial.detail, denial.__cause__)
        return None

    def _fits(self, incoming: Incoming[RequestT, PeerT], leave: Leave) -> bool:
        admission = self.admission
        if admission.is_full():
            reason, text = RefusalReason.FULL, f"all {admission.limit} slots are taken"
        elif not admission.has_room_for(incoming.peer):
            reason, text = RefusalReason.PEER_FULL, f"it has {admission.limits.per_peer} already"
        else:
            return True
        tell(leave, Outcome.CUT, incoming.peer)
        try:
            if reason is RefusalReason.FULL:
                self.note_full()
        finally:
            self._refuse(incoming, admission.limits.refusal, reason, text)
        return False

    def _refuse(
        self,
        incoming: Incoming[RequestT, PeerT],
        how: Refusal,
        reason: RefusalReason,
        detail: str,
        error: BaseException | None = None,
    ) -> None:
        self.admission.refuse()
        told = Refused(peer=incoming.peer, reason=reason, detail=detail, error=error)
        try:
            self._service.report(told)
        finally:  # of a Ctrl-C, too
            incoming.refuse(how)  # at once: who may not come in is not waited for

    def note_full(self) -> None:
        """Begin a spell in which there is no room for all who come, unless one goes on."""
        self._room_since = None
        if not self.is_full:
            self.is_full = True
            self._full_since = self._service.clock()
            stats = self.admission.stats()
            self._refused_before = stats.refused
            limit = self.admission.limit
            # One may have ended since it was seen to be full.
            self._service.report(Full(limit=limit, active=max(limit, stats.active)))

    def note_room(self) -> float:
        """End the spell if there has been room for a while; return the seconds that it still takes.

        Not at once: a busy server has room for a moment after each request.
        """
        now = self._service.clock()
        if self._room_since is None:
            self._room_since = now
        left = self._room_since + QUIET - now
        if left > 0:
            return left
        self.is_full = False
        elapsed = self._room_since - self._full_since
        refused = self.admission.stats().refused - self._refused_before
        self._service.report(RoomAgain(elapsed=elapsed, refused=refused))
        return 0.0

    def take_held(self) -> None:
        """Hand the held job, if there is one, to the dispatcher once more.

        Raises:
            ResourceError: There is still no worker for it.
        """
        self.holds_one = False
        try:
            held = self._held.pop()
        except IndexError:  # it was cut meanwhile
            return
        try:
            self._dispatcher.submit(held)
        except Exception as error:
            self._keep_or_end(held, error)
            raise

    def _keep_or_end(self, job: ServeRequest[RequestT, PeerT], error: Exception) -> None:
        if isinstance(error, ResourceError):
            self._held.append(job)
            self.holds_one = True
        else:
            job.incoming.close(patient=False)
            job.end(Outcome.LOST)

    @property
    def messages(self) -> int:
        """How many messages of held connections were begun with."""
        return 0

    def dismiss(self) -> None:
        """Let connections go of which nothing is in work; from any thread."""

    def cut_overdue(self) -> float | None:
        """Cut whose time is over and who has not noticed; return the seconds to the next."""
        longest = self._service.timeouts.connection
        # All have the same time, so the oldest is the first whose time is over.
        if longest is None or (oldest := self.admission.oldest()) is None:
            return None
        now = self._service.clock()
        left = oldest.since + longest + NOTICE - now
        if left > 0:
            return left
        overdue = [
            job
            for job in self.admission.running()
            if job.since + longest + NOTICE <= now
            and self.admission.settle_now(job, Outcome.TIMED_OUT)
        ]
        self._end_now(overdue, 0.0)
        return NOTICE  # one that cannot be ended at all stays the oldest

    def next_overdue(self) -> float | None:
        """Do the same for whom others let in meanwhile; return the seconds to the next look."""
        left = self.cut_overdue()
        longest = self._service.timeouts.connection
        return longest + NOTICE if left is None and longest is not None else left

    def cut(self, timeout: float) -> int:
        """End what still runs, hard; return how many requests that were."""
        self._is_over = True  # then the look; `admit` does it the other way round
        jobs = self.admission.claim(Outcome.CUT)
        count = len(jobs)
        self._end_now(jobs, timeout)
        return count

    def end_broken_off(self) -> None:
        """End what this thread has in work still, since Ctrl-C has met it between two lines."""
        for job in self.admission.begun_by(threading.get_ident()):
            job.drop()

    def cut_one(self, id: int, timeout: float) -> bool:
        """End one request, hard; False if it has ended, or is about to."""
        for job in self.admission.running():
            if job.id == id and self.admission.settle_now(job, Outcome.CUT):
                if job in self._held:  # it will find itself cut as soon as it has a worker
                    job.cut()
                else:
                    self._dispatcher.cut([job], timeout)
                return True
        return False

    def _end_now(self, jobs: list[Request], timeout: float) -> None:
        for held in self._held.copy():
            if held in jobs and self._withdraw(held):
                jobs.remove(held)  # no worker ever had it, so none can end it
                held.incoming.close(patient=False)
                held.end(Outcome.CUT)
        if jobs:
            self._dispatcher.cut(jobs, timeout)

    def _withdraw(self, held: ServeRequest[RequestT, PeerT]) -> bool:
        try:
            self._held.remove(held)
        except ValueError:  # the accept thread has just taken it, for a worker
            return False
        return True

    def close(self) -> None:
        """Let go of the workers."""
        self._dispatcher.close()


ServingLoop: TypeAlias = AcceptLoop[RequestT, PeerT, JobIntake[RequestT, PeerT]]
