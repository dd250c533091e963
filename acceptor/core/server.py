"""The server: one listener, one accept loop, one life."""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Final, Generic, Self

import attrs
from typing_extensions import TypeVar

from acceptor.core.accept_loop import Orders
from acceptor.core.admission import Request
from acceptor.core.at_exit import drain_at_exit
from acceptor.core.deadlines import Deadline, Timeouts, check_timeout
from acceptor.core.drain import CUT_PATIENCE, DrainPlan
from acceptor.core.ending import Ending
from acceptor.core.errors import ConfigurationError, LifecycleError, SelfWaitError
from acceptor.core.events import (
    AcceptPaused,
    AcceptResumed,
    DrainReport,
    Listening,
    LiveRequest,
    Reloaded,
    ReloadFailed,
    RequestState,
    Stats,
    StopCause,
)
from acceptor.core.intake import ServingLoop
from acceptor.core.interfaces import Listener
from acceptor.core.lazily import LazyModule
from acceptor.core.lifecycle import Lifecycle, Phase, refusal
from acceptor.core.limits import Limits
from acceptor.core.message import AnyPeer
from acceptor.core.opening import open_loop
from acceptor.core.recipe import Recipe
from acceptor.core.reporting import LOGGER, Reporter
from acceptor.core.seat import Seat
from acceptor.core.values import define

if TYPE_CHECKING:
    from acceptor.core import plan as _plan
    from acceptor.core import runner as _runner
else:
    _plan = LazyModule("acceptor.core.plan")
    _runner = LazyModule("acceptor.core.runner")

_HANDLING: Final = RequestState.HANDLING


def _is_handled(job: Request) -> bool:
    # A held connection is at rest or at work so often that it says so by its worker alone.
    return job.state is RequestState.RESTING and job.worker is not None


RequestT_co = TypeVar("RequestT_co", covariant=True, default=object)
PeerT_co = TypeVar("PeerT_co", covariant=True, default=AnyPeer)


@define(eq=False)
class Server(Generic[RequestT_co, PeerT_co]):
    """A server put together by `ServerBuilder`; nothing is open until `listen` or a serving call.

    All methods may be called from any thread. Those that wait (`wait`, `drain`, `stop`) raise
    `SelfWaitError` where they would wait for the calling thread itself: in a handler, or on top
    of `serve_forever` in a signal handler. `shutdown` and `hurry` only ask and are safe anywhere.
    """

    _recipe: Recipe[RequestT_co, PeerT_co]
    _limits: Limits = attrs.field(init=False)
    _report: Reporter = attrs.field(init=False, repr=False)
    _lifecycle: Lifecycle = attrs.field(factory=Lifecycle, init=False)
    _orders: Orders = attrs.field(factory=Orders, init=False, repr=False)
    _seat: Seat = attrs.field(init=False, repr=False)
    _ending: Ending = attrs.field(init=False, repr=False)
    _loop: ServingLoop[RequestT_co, PeerT_co] | None = attrs.field(
        default=None, init=False, repr=False
    )
    _failure: BaseException | None = attrs.field(default=None, init=False, repr=False)
    _paused_at: float = attrs.field(default=0.0, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        recipe = self._recipe
        self._limits = recipe.limits
        self._report = Reporter(recipe.observers)
        self._seat = Seat(self._orders)
        self._ending = Ending(self._lifecycle, self._seat, self._report, recipe.clock, self.hurry)

    @property
    def phase(self) -> Phase:
        """Where the server is in its life."""
        return self._lifecycle.phase

    @property
    def address(self) -> PeerT_co:
        """What the server is bound to, with the port that the kernel chose.

        Raises:
            LifecycleError: It has not listened yet.
        """
        return self._opened("tell the address").listener.address

    @property
    def listener(self) -> Listener[RequestT_co, PeerT_co]:
        """What the transport has opened; the server's to accept from and to close.

        Raises:
            LifecycleError: It has not listened yet.
        """
        return self._opened("show the listener").listener

    @property
    def handler(self) -> Callable[..., object]:
        """What is called for each request, with `(request, client_address, server)`."""
        return self._recipe.handler

    @property
    def stats(self) -> Stats:
        """The counters as they stand now; all zero before the server listens."""
        loop = self._loop
        if loop is None:
            return Stats()
        stats = loop.intake.admission.stats()
        return attrs.evolve(stats, backlog=loop.waiting(), messages=loop.intake.messages)

    @property
    def timeouts(self) -> Timeouts:
        """How long the server waits for its clients, and for itself."""
        return self._recipe.timeouts

    @property
    def limits(self) -> Limits:
        """How many may come in; may be set while the server runs, who is in stays in."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        if not isinstance(limits, Limits):
            raise ConfigurationError(f"expected Limits, got {limits!r}")
        with self._seat.changed:
            self._limits = limits
            loop = self._loop
        if loop is not None:
            loop.intake.admission.change_limits(limits)
            loop.waiter.wake()

    @property
    def is_draining(self) -> bool:
        """Whether the end has begun; handlers may ask, in threads and in forked children alike."""
        return self._ending.has_begun

    def connections(self) -> list[LiveRequest]:
        """Return the requests that have not ended, the oldest first."""
        loop = self._loop
        if loop is None:
            return []
        now = self._recipe.clock()
        return [
            LiveRequest(
                id=job.id,
                peer=job.peer,
                age=now - job.since,
                state=_HANDLING if _is_handled(job) else job.state,
                received=job.traffic[0],
                sent=job.traffic[1],
                worker=job.worker,
            )
            for job in loop.intake.admission.running()
        ]

    def close_connection(self, id: int) -> bool:
        """End one of the requests that `connections` lists, as a drain cuts it.

        Returns False if it has ended, or is about to.
        """
        return self._loop is not None and self._loop.intake.cut_one(id, CUT_PATIENCE)

    def plan(self) -> "_plan.Plan":
        """Return what will be, before anything is bound; `str` has it in words."""
        return _plan.Plan.of(attrs.evolve(self._recipe, limits=self._limits))

    def fileno(self) -> int:
        """Return the port's descriptor, readable when a client waits; -1 once it is closed.

        Raises:
            LifecycleError: The server has not listened yet.
        """
        return self._opened("tell the descriptor").listener.fileno()

    def _opened(self, act: str) -> ServingLoop[RequestT_co, PeerT_co]:
        if self._loop is None:
            raise refusal(act, self.phase)
        return self._loop

    def listen(self) -> Self:
        """Bind and listen; clients may connect from here on.

        Raises:
            ListenError: The endpoint is in use, denied or unknown on this machine.
            LifecycleError: The server has listened before.
        """
        with self._seat.changed:
            if self.phase is not Phase.NEW:
                raise refusal("listen", self.phase)
            self._loop = open_loop(
                attrs.evolve(self._recipe, limits=self._limits),
                self,
                self._report,
                self._orders,
                self._ask_to_end,
            )
            self._lifecycle.advance(Phase.LISTENING, "listen")
        drain_at_exit(self)
        self._report(Listening(address=self.address))
        return self

    def serve_forever(self) -> None:
        """Serve in this thread until `shutdown`, `drain` or `stop` is called elsewhere.

        After `shutdown` the port is still open: serve again, or close it with `drain`.

        Raises:
            ListenError: As `listen`, which is called if need be.
            LifecycleError: It serves already, or is closed.
            Exception: The listener or the concurrency strategy broke; the server has stopped.
        """
        with self._in_seat(self._begin("serve")) as loop, loop.waiter.woken_by_signals():
            loop.run()

    def handle_request(self, timeout: float | None = None) -> bool:
        """Take one client and serve it, or return False if none came within `timeout` seconds.

        A client that the policy denies counts. Of a framed server it is a message, of any client
        that is held or comes meanwhile, and those that have come with it; workers of a crew also
        serve between two calls, and the next one returns at once then. Under a strategy with
        workers the request may still run when this returns. `shutdown` ends the wait, too. Raises
        as `serve_forever`.
        """
        check_timeout("timeout", timeout)
        begun = self._begin("handle a request")
        with self._in_seat(begun) as loop, loop.waiter.woken_by_signals():
            return loop.run_once(timeout)

    def start(self) -> Self:
        """Serve in a background thread; returns once clients can connect.

        Raises:
            ListenError: As `listen`, which is called if need be.
            LifecycleError: It serves already, or is closed.
        """
        loop = self._begin("start")
        thread = threading.Thread(
            target=self._serve_in_background, args=(loop,), name="acceptor", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            self._end()
            raise
        return self

    def _serve_in_background(self, loop: ServingLoop[RequestT_co, PeerT_co]) -> None:
        with self._in_seat(loop, keep_failure=True):
            loop.run()

    def _begin(self, act: str) -> ServingLoop[RequestT_co, PeerT_co]:
        if self.phase is Phase.NEW:
            self.listen()
        self._report.look_who_listens()
        if self._opened(act).waiter.is_inherited:
            raise LifecycleError(
                f"cannot {act}: the server was opened before this process was forked; listen "
                "after the fork, or hand the bound socket to socket() in each process"
            )
        with self._seat.changed:
            if not self._seat.is_free:
                raise refusal(act, self.phase)
            self._lifecycle.advance(Phase.SERVING, act)
            self._seat.promise()
        return self._opened(act)

    @contextlib.contextmanager
    def _in_seat(
        self,
        loop: ServingLoop[RequestT_co, PeerT_co],
        *,
        keep_failure: bool = False,
    ) -> Generator[ServingLoop[RequestT_co, PeerT_co], None, None]:
        self._seat.take()
        try:
            yield loop
        except BaseException as error:
            if not (keep_failure or isinstance(error, Exception)):
                # Ctrl-C is the program's business; the port stays open.
                loop.intake.end_broken_off()
                self._end()
                raise
            # The listener or the strategy broke, so nothing can go on; or the thread was broken
            # off from outside, and nobody would hear of it.
            if keep_failure:
                LOGGER.error("the accept loop broke, the server stops", exc_info=error)
                self._failure = error
            self._end()
            self._refuse_to_wait_for_itself("stop")
            self._close(0.0, 0.0, StopCause.BROKEN)
            if not keep_failure:
                raise
        else:
            self._end()

    def _end(self) -> None:
        with self._seat.changed:
            self._orders.ending = self._orders.paused = self._orders.emptying = False
            self._lifecycle.try_advance(Phase.LISTENING)
            try:
                if self.phase is Phase.CLOSED and self._loop is not None:
                    self._loop.close()  # the drain could not, with this thread still in the loop
            finally:
                self._seat.leave()

    def run(
        self, grace: float | EllipsisType | None = ..., *, lame_duck: float = 0.0
    ) -> DrainReport:
        """Serve as a program does: the first SIGTERM or SIGINT drains, the second stops now.

        Returns the drain's report; `shutdown`, too, leads to the drain. `grace` and `lame_duck`
        are those of `drain`, in seconds. The signal handlers are there only during the call.

        Raises:
            LifecycleError: Not called in the main thread, which alone may handle signals.
        """
        return _runner.run(self, grace=grace, lame_duck=lame_duck)[0]

    def shutdown(self) -> None:
        """Ask `serve_forever` to return, or the next one if none runs; the port stays open.

        Safe from any thread, a handler (in a forked child, too) or a signal handler, early or
        twice. Returns at once; `wait` waits.
        """
        if self._loop is None:
            self._ask_to_end()
        else:
            self._loop.waiter.ask_to_end()

    def wind_down(self) -> None:
        """Ask the loop to end as the first step of a drain, which must follow; safe anywhere.

        At a port that other processes share, it first takes the clients who wait already.
        """
        loop = self._loop
        if loop is not None and loop.shares_port:
            self._orders.emptying = True
            loop.waiter.wake()
        else:
            self.shutdown()

    def _ask_to_end(self) -> None:
        self._orders.ending = True

    def hurry(self) -> None:
        """Ask a drain, the current or the next, to wait no longer; safe wherever `shutdown` is."""
        self._orders.hurried = True
        if self._loop is not None:
            self._loop.waiter.wake()

    def wake_end(self) -> socket.socket:
        """Return a socket for `signal.set_wakeup_fd`, so that a signal ends the server's wait.

        Without it a signal that the system gives to another thread waits until the main thread
        next wakes up. The caller closes it; it stays valid when the server closes.

        Raises:
            LifecycleError: The server has not listened yet, or is closed.
        """
        if self.phase in (Phase.NEW, Phase.CLOSED):
            raise refusal("hand out a wake-up", self.phase)
        try:
            return self._opened("hand out a wake-up").waiter.wake_end()
        except OSError:
            if self._lifecycle.phase is Phase.CLOSED:  # since the look above, by another thread
                raise refusal("hand out a wake-up", self.phase) from None
            raise

    def pause(self) -> None:
        """Take no more clients for now; they wait in the backlog, running requests go on.

        When it returns, no client is taken any more. One that was taken right before may still be
        counted, and told of, afterwards.

        Raises:
            LifecycleError: The server does not serve.
        """
        with self._seat.changed:
            self._lifecycle.advance(Phase.PAUSED, "pause", only_from=Phase.SERVING)
            self._orders.paused = True
            self._paused_at = self._recipe.clock()
        loop = self._opened("pause")
        loop.waiter.wake()
        loop.finish_lent_accept()
        if self._seat.driver != threading.get_ident():  # or this is a signal handler in its midst
            loop.finish_accept()
        self._report(AcceptPaused(cause=None, delay=None))

    def resume(self) -> None:
        """Take clients again.

        Raises:
            LifecycleError: The server is not paused.
        """
        with self._seat.changed:
            self._lifecycle.advance(Phase.SERVING, "resume", only_from=Phase.PAUSED)
            self._orders.paused = False
            elapsed = self._recipe.clock() - self._paused_at
        self._opened("resume").waiter.wake()
        self._report(AcceptResumed(cause=None, attempts=0, elapsed=elapsed))

    def reload(self) -> None:
        """Read certificates and lists of networks from their files again.

        For clients that come from now on; the others go on as they are. Safe from any thread, in
        any phase; `run` calls it on SIGHUP. Each file counts for itself: what can be used is.

        Raises:
            ConfigurationError: A file is not what it should be, and what was read before stays in
                use; or nothing here was read from a file.
        """
        files = self._recipe.files
        if not files:
            raise ConfigurationError("nothing was read from a file, so nothing can be reloaded")
        failures: list[ConfigurationError] = []
        for made in files:
            try:
                made.reload()
            except ConfigurationError as error:
                failures.append(error)
        if failures:
            self._report(ReloadFailed(error=failures[0]))
            raise failures[0]
        self._report(Reloaded(what=tuple(map(repr, files))))

    @property
    def has_files(self) -> bool:
        """Whether there is anything for `reload` to read."""
        return bool(self._recipe.files)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nobody serves any more; return False if `timeout` seconds pass before.

        Raises:
            SelfWaitError: Called by the serving thread or a handler.
            Exception: What ended a loop begun with `start`.
        """
        check_timeout("timeout", timeout)
        self._refuse_to_wait_for_itself("wait")
        with self._seat.changed:
            seconds = Deadline.after(timeout).remaining()
            over = self._seat.changed.wait_for(lambda: self._seat.is_free, seconds)
        self._raise_failure()
        return over

    def drain(
        self,
        timeout: float | EllipsisType | None = ...,
        *,
        lame_duck: float = 0.0,
        cause: StopCause = StopCause.DRAIN,
    ) -> DrainReport:
        """Close the port, let running requests finish until the timeout, cut what is left.

        New clients are refused from the first moment on. A second call, from another thread,
        waits for the same report; the shorter timeout wins. On a server that is closed it returns
        the report once more.

        Args:
            timeout: Seconds from the closing of the port; None waits for as long as it takes.
                Without one it is `Timeouts.drain`.
            lame_duck: Seconds for which clients are still taken while `phase` and `is_draining`
                say already that the end is near: for load balancers that ask for it.
            cause: What the report will say.

        Raises:
            SelfWaitError: Called by the serving thread or a handler.
            Exception: What ended a loop begun with `start`; the server has closed all the same.
        """
        seconds = self.timeouts.drain if isinstance(timeout, EllipsisType) else timeout
        check_timeout("timeout", seconds)
        check_timeout("lame_duck", lame_duck)
        self._refuse_to_wait_for_itself("drain")
        report = self._close(seconds, lame_duck, cause)
        self._raise_failure()
        return report

    def stop(self, *, cause: StopCause = StopCause.STOP) -> DrainReport:
        """Close the port, cut what runs, return the report: a drain with no patience.

        Raises:
            SelfWaitError: Called by the serving thread or a handler.
        """
        self._refuse_to_wait_for_itself("stop")
        return self._close(0.0, 0.0, cause)

    def _refuse_to_wait_for_itself(self, act: str) -> None:
        me = threading.get_ident()
        waited_for = me in (self._seat.driver, self._ending.closer)
        loop = self._loop
        if loop is not None:
            waited_for = waited_for or loop.is_taken_by(me) or loop.intake.admission.runs_in(me)
        if waited_for:
            raise SelfWaitError(
                f"cannot {act} here: the calling thread is one that would be waited for; "
                "call shutdown(), which only asks"
            )

    def _raise_failure(self) -> None:
        with self._seat.changed:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _close(self, timeout: float | None, lame_duck: float, cause: StopCause) -> DrainReport:
        plan = DrainPlan(timeout=timeout, lame_duck=lame_duck, cause=cause)
        return self._ending.run(lambda: self._loop, plan)

    def __enter__(self) -> Self:
        """Listen, unless it does already."""
        opened = self.phase in (Phase.LISTENING, Phase.SERVING, Phase.PAUSED)
        return self if opened else self.listen()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drain with the default timeout; stop at once if the block raised."""
        if error is None:
            self.drain(cause=StopCause.BLOCK_ENDED)
        else:
            self.stop(cause=StopCause.BLOCK_RAISED)
