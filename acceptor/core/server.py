"""The server: one listener, one accept loop, one life."""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Generic, Self

import attrs
from typing_extensions import TypeVar

from acceptor.core.accept_loop import AcceptLoop, Orders
from acceptor.core.admission import Admission
from acceptor.core.deadlines import Deadline, check_timeout
from acceptor.core.drain import DRAIN_TIMEOUT, drain
from acceptor.core.errors import LifecycleError, SelfWaitError
from acceptor.core.events import DrainReport, Listening, Stats, Stopped
from acceptor.core.intake import JobIntake, ServingLoop
from acceptor.core.interfaces import AccessPolicy, Concurrency, Listener, RequestHandler, Transport
from acceptor.core.lifecycle import Lifecycle, Phase, refusal
from acceptor.core.peers import Peer
from acceptor.core.reporting import LOGGER, Reporter
from acceptor.core.runner import run
from acceptor.core.seat import Seat
from acceptor.core.waiting import Waiter
from acceptor.core.workplace import AcceptThreadWorkplace

RequestT_co = TypeVar("RequestT_co", covariant=True, default=object)
PeerT_co = TypeVar("PeerT_co", covariant=True, default=Peer)


@attrs.define(eq=False)
class Server(Generic[RequestT_co, PeerT_co]):
    """A server put together by `ServerBuilder`; nothing is open until `listen` or a serving call.

    All methods may be called from any thread. Those that wait (`wait`, `drain`, `stop`) raise
    `SelfWaitError` where they would wait for the calling thread itself: in a handler, or on top
    of `serve_forever` in a signal handler. `shutdown` and `hurry` only ask and are safe anywhere.
    """

    _transport: Transport[RequestT_co, PeerT_co]
    _concurrency: Concurrency
    _policy: AccessPolicy[PeerT_co]
    _handler: "Callable[[RequestT_co, PeerT_co, Server[RequestT_co, PeerT_co]], object]"
    _report: Reporter = attrs.field(converter=Reporter, repr=False)
    _lifecycle: Lifecycle = attrs.field(factory=Lifecycle, init=False)
    _orders: Orders = attrs.field(factory=Orders, init=False, repr=False)
    _seat: Seat = attrs.field(init=False, repr=False)
    _loop: ServingLoop[RequestT_co, PeerT_co] | None = attrs.field(
        default=None, init=False, repr=False
    )
    _failure: Exception | None = attrs.field(default=None, init=False, repr=False)
    _closer: int | None = attrs.field(default=None, init=False, repr=False)  # thread that drains
    _drained: DrainReport | None = attrs.field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._seat = Seat(self._orders)

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
        return self._handler

    @property
    def stats(self) -> Stats:
        """The counters as they stand now; all zero before the server listens."""
        return Stats() if self._loop is None else self._loop.intake.admission.stats()

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
            self._loop = self._open()
            self._lifecycle.advance(Phase.LISTENING, "listen")
        self._report(Listening(address=self.address))
        return self

    def _open(self) -> ServingLoop[RequestT_co, PeerT_co]:
        with contextlib.ExitStack() as undo:
            listener = self._transport.listen()
            undo.callback(listener.close)
            waiter = Waiter(self._ask_to_end)
            undo.callback(waiter.close)
            intake = JobIntake(
                Admission(self._concurrency.limit, waiter.wake),
                self._concurrency.start(AcceptThreadWorkplace(waiter)),
                self._policy,
                _serving(self._handler, self),
                self._report,
            )
            loop = AcceptLoop(listener, waiter, intake, self._report, self._orders)
            undo.pop_all()  # from here on the loop owns them
            return loop

    def serve_forever(self) -> None:
        """Serve in this thread until `shutdown`, `drain` or `stop` is called elsewhere.

        After `shutdown` the port is still open: serve again, or close it with `drain`.

        Raises:
            ListenError: As `listen`, which is called if need be.
            LifecycleError: It serves already, or is closed.
            Exception: The listener or the concurrency strategy broke; the server has stopped.
        """
        with self._in_seat(self._begin("serve")) as loop:
            loop.run()

    def handle_request(self, timeout: float | None = None) -> bool:
        """Take one client and serve it, or return False if none came within `timeout` seconds.

        A client that the policy denies counts. Under a strategy with workers the request may
        still run when this returns. `shutdown` ends the wait, too. Raises as `serve_forever`.
        """
        check_timeout("timeout", timeout)
        with self._in_seat(self._begin("handle a request")) as loop:
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
        except Exception as error:  # the listener or the strategy broke, so nothing can go on
            if keep_failure:
                LOGGER.error("the accept loop broke, the server stops", exc_info=error)
                self._failure = error
            self._end()
            self.stop()
            if not keep_failure:
                raise
        except BaseException:  # Ctrl-C is the program's business; the port stays open
            self._end()
            raise
        else:
            self._end()

    def _end(self) -> None:
        with self._seat.changed:
            self._orders.ending = self._orders.paused = False
            self._lifecycle.try_advance(Phase.LISTENING)
            if self.phase is Phase.CLOSED and self._loop is not None:
                self._loop.close()  # the drain could not, with this thread still in the loop
            self._seat.leave()

    def run(self, grace: float | None = DRAIN_TIMEOUT) -> DrainReport:
        """Serve as a program does: the first SIGTERM or SIGINT drains, the second stops now.

        Returns the drain's report; `shutdown`, too, leads to the drain. `grace` is the drain's
        timeout in seconds. The signal handlers are there only during the call.

        Raises:
            LifecycleError: Not called in the main thread, which alone may handle signals.
        """
        return run(self, grace=grace)[0]

    def shutdown(self) -> None:
        """Ask `serve_forever` to return, or the next one if none runs; the port stays open.

        Safe from any thread, a handler (in a forked child, too) or a signal handler, early or
        twice. Returns at once; `wait` waits.
        """
        if self._loop is None:
            self._ask_to_end()
        else:
            self._loop.waiter.ask_to_end()

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
        return self._opened("hand out a wake-up").waiter.wake_end()

    def pause(self) -> None:
        """Take no more clients for now; they wait in the backlog, running requests go on.

        Raises:
            LifecycleError: The server does not serve.
        """
        with self._seat.changed:
            self._lifecycle.advance(Phase.PAUSED, "pause", only_from=Phase.SERVING)
            self._orders.paused = True
        self._opened("pause").waiter.wake()

    def resume(self) -> None:
        """Take clients again.

        Raises:
            LifecycleError: The server is not paused.
        """
        with self._seat.changed:
            self._lifecycle.advance(Phase.SERVING, "resume", only_from=Phase.PAUSED)
            self._orders.paused = False
        self._opened("resume").waiter.wake()

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

    def drain(self, timeout: float | None = DRAIN_TIMEOUT) -> DrainReport:
        """Close the port, let running requests finish until the timeout, cut what is left.

        New clients are refused from the first moment on. `timeout` is in seconds, None waits for
        as long as it takes. A second call, from another thread, waits for the same report; the
        shorter timeout wins. On a server that is closed it returns the report once more.

        Raises:
            SelfWaitError: Called by the serving thread or a handler.
            Exception: What ended a loop begun with `start`; the server has closed all the same.
        """
        check_timeout("timeout", timeout)
        self._refuse_to_wait_for_itself("drain")
        report = self._close(timeout)
        self._raise_failure()
        return report

    def stop(self) -> DrainReport:
        """Close the port, cut what runs, return the report: a drain with no patience.

        Raises:
            SelfWaitError: Called by the serving thread or a handler.
        """
        self._refuse_to_wait_for_itself("stop")
        return self._close(0.0)

    def _refuse_to_wait_for_itself(self, act: str) -> None:
        me = threading.get_ident()
        waited_for = me in (self._seat.driver, self._closer)
        if waited_for or (self._loop and self._loop.intake.admission.runs_in(me)):
            raise SelfWaitError(
                f"cannot {act} here: the calling thread is one that would be waited for; "
                "call shutdown(), which only asks"
            )

    def _raise_failure(self) -> None:
        with self._seat.changed:
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _close(self, timeout: float | None) -> DrainReport:
        before = self.stats  # taken first, so that none which ends meanwhile goes unreported
        with self._seat.changed:
            self._lifecycle.try_advance(Phase.DRAINING)
            self._await_other_closer(timeout)
            if self._drained is not None:
                return self._drained
            self._closer = threading.get_ident()
        report = DrainReport(finished=0, cut=0, elapsed=0.0)
        try:
            if self._loop is not None:
                report = drain(self._loop, self._seat, self._report, before, timeout)
        except BaseException:  # Ctrl-C, most likely: the next call goes on with it
            with self._seat.changed:
                self._closer = None
                self._seat.changed.notify_all()
            raise
        with self._seat.changed:
            self._lifecycle.advance(Phase.CLOSED, "close")
            if self._loop is not None and self._seat.is_free:
                self._loop.close()
            self._closer = None
            self._drained = report
            self._seat.changed.notify_all()
        self._report(Stopped(report=report))
        return report

    def _await_other_closer(self, timeout: float | None) -> None:
        seconds = Deadline.after(timeout).remaining()
        if not self._seat.changed.wait_for(lambda: self._closer is None, seconds):
            self.hurry()
            self._seat.changed.wait_for(lambda: self._closer is None)

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
            self.drain()
        else:
            self.stop()


RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")


def _serving(
    handler: Callable[[RequestT, PeerT, Server[RequestT, PeerT]], object],
    server: Server[RequestT, PeerT],
) -> Callable[[RequestT, PeerT], None]:
    # A closure, because one Python function calls another in half the time of a partial.
    def serve(request: RequestT, peer: PeerT) -> None:
        """Call the handler; if it returns one of ours, run its life."""
        made = handler(request, peer, server)
        if isinstance(made, RequestHandler):
            made.setup()
            try:
                made.handle()
            finally:
                made.finish()

    return serve
