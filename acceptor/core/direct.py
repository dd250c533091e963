"""The direct path: a request that is served where it is taken, and has no job unless one looks."""

import contextlib
import threading
from typing import Any, Final, Generic, TypeVar

import attrs

from acceptor.core.errors import is_ctrl_c
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Immediate, ImmediateListener, LoopOrders
from acceptor.core.job import ServeRequest, Service, live
from acceptor.core.values import define

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

_FINISHED: Final = Outcome.FINISHED
_FAILED: Final = Outcome.FAILED


@define(eq=False)
class DirectPath(Generic[RequestT, PeerT]):
    """Takes requests that need neither handshake nor close, and runs the handler then and there.

    One at a time, in the accept thread, which is all that its strategy allows; so no limit can
    turn anybody away. A job is only made when another thread asks what is in work, when the
    handler fails, or when the request is to be cut; from then on all is as for every other.

    `_lock` guards what is in hand. The accept thread holds it from the end of one request to the
    beginning of the next, with the accept in between, which never waits. So who has the lock
    knows that no accept is under way, and sees one request in its handler, or none.
    """

    _listener: ImmediateListener[RequestT, PeerT]
    _service: Service[RequestT, PeerT]
    _in_hand: Immediate[RequestT, PeerT] | None = attrs.field(default=None, init=False)
    _since: float = attrs.field(default=0.0, init=False)  # when that was taken
    _job: ServeRequest[RequestT, PeerT] | None = attrs.field(default=None, init=False)
    _worker: int = attrs.field(default=0, init=False)  # identity of the accept thread
    _is_shut: bool = attrs.field(default=False, init=False)
    # Reentrant, because a signal's handler may look while its own thread has it.
    _lock: Any = attrs.field(factory=threading.RLock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._service.admission.look = self.look

    @property
    def is_open(self) -> bool:
        """Whether requests may go this way: it has no place for the events of ordinary ones."""
        return not self._service.report.wants_every_request

    def serve(self, most: int, orders: LoopOrders) -> int:
        """Take and serve what is there, at most so many; return how many were.

        Raises:
            OSError: The machine or the listener is at fault.
            KeyboardInterrupt: It arrived in the main thread; the request has ended all the same.
        """
        service, accept = self._service, self._listener.accept_immediate
        handler, server = service.handler, service.server
        clock, admission = service.clock, service.admission
        # Called as they are, because a `with` takes twice their time.
        acquire, release = self._lock.acquire, self._lock.release
        self._worker = threading.get_ident()
        taken = 0
        incoming = None
        try:
            while True:
                acquire()
                if self._job is not None:
                    self._end(_FINISHED)
                elif incoming is not None:  # it has come and gone, and nobody has seen it
                    self._in_hand = None
                    admission.accepted += 1
                if (
                    taken == most
                    or orders.ending
                    or orders.paused
                    or self._is_shut
                    or (incoming := accept()) is None
                ):
                    release()
                    return taken
                self._since = clock()
                self._in_hand = incoming
                release()
                taken += 1
                made = handler(incoming, incoming.peer, server)  # which is the request itself
                if made is not None:
                    live(made)
        except BaseException as error:
            with contextlib.suppress(RuntimeError):  # this thread does not have it
                release()
            if self._in_hand is None:
                raise
            self._fail(error)
            return taken

    def _fail(self, error: BaseException) -> None:
        self.look()
        job = self._job
        outcome = _FAILED
        try:
            if job is not None:
                outcome = job.judge(error)
            if is_ctrl_c(error):
                raise error
        finally:
            with self._lock:
                self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        job, self._job = self._job, None
        self._in_hand = None
        if job is not None:
            job.end(outcome)

    def look(self) -> None:
        """Make a job of what is in hand, so that it is listed and can be ended; from any thread."""
        with self._lock:
            incoming = self._in_hand
            if incoming is not None and self._job is None:
                admission = self._service.admission
                job = ServeRequest.new(incoming, self._service, admission.next_id)
                job.begin(self._worker, self._since, incoming.count())
                admission.enter(job)
                self._job = job

    def finish_accept(self) -> None:
        """Wait until an accept that is under way is over, which takes no time."""
        with self._lock:
            pass

    def shut(self) -> None:
        """Accept no more, from now on."""
        with self._lock:
            self._is_shut = True
