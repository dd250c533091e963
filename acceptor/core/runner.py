"""Servers as a program: signals drain, then stop."""

import _thread
import contextlib
import functools
import queue
import signal
import socket
import threading
from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from types import EllipsisType, FrameType
from typing import Final, Protocol

import attrs

from acceptor.core.deadlines import Deadline, check_timeout
from acceptor.core.errors import ConfigurationError, LifecycleError
from acceptor.core.events import DrainReport, StopCause
from acceptor.core.values import define

# A signal's handler runs between two of these, if the system gave the signal to another thread.
_SLICE: Final = 0.1  # seconds

_SIGHUP: Final = getattr(signal, "SIGHUP", None)  # Windows has none

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Runnable(Protocol):
    """The part of a `Server` that running it as a program needs."""

    __slots__ = ()

    @abstractmethod
    def __enter__(self) -> object:
        """Listen, unless it does already."""

    @abstractmethod
    def serve_forever(self) -> None:
        """Serve in this thread until asked to end."""

    @abstractmethod
    def shutdown(self) -> None:
        """Ask `serve_forever` to return."""

    @abstractmethod
    def wind_down(self) -> None:
        """Ask `serve_forever` to return as soon as a drain can follow."""

    @abstractmethod
    def hurry(self) -> None:
        """Ask a drain to wait no longer."""

    @abstractmethod
    def wake_end(self) -> socket.socket:
        """Return a socket on which a byte ends the server's wait; the caller closes it."""

    @abstractmethod
    def drain(
        self, timeout: float | EllipsisType | None, *, lame_duck: float, cause: StopCause
    ) -> DrainReport:
        """Close the port, wait for what runs, cut what is left."""

    @property
    @abstractmethod
    def has_files(self) -> bool:
        """Whether there is anything for `reload` to read."""

    @abstractmethod
    def reload(self) -> None:
        """Read certificates and lists from their files again."""

    @abstractmethod
    def stop(self) -> DrainReport:
        """Close the port, cut what runs."""


def run(
    *servers: Runnable,
    grace: float | EllipsisType | None = ...,
    lame_duck: float = 0.0,
    on_ready: Callable[[], object] | None = None,
) -> tuple[DrainReport, ...]:
    """Serve until SIGTERM or SIGINT, then drain all servers; a second signal stops them now.

    SIGHUP has what was read from files (certificates, lists of networks) read again, if there is
    any. One server is served in the calling thread, several in a thread each. They end together: on
    a signal, when one was shut down, or when one broke. Returns their reports in order.

    Args:
        servers: Built, and not serving yet.
        grace: Timeout of the drain in seconds, one for all; None waits for as long as it takes.
            Without one each server has its own `Timeouts.drain`.
        lame_duck: Seconds for which clients are still taken after the first signal.
        on_ready: Called once, when all of them listen and signals are handled.

    Raises:
        ConfigurationError: One is no server, or a time is none.
        ListenError: One could not be opened; the others are closed again.
        LifecycleError: Not called in the main thread, which alone may handle signals.
        Exception: What broke a server, once all have ended.
    """
    for server in servers:
        if not hasattr(server, "serve_forever"):
            raise ConfigurationError(f"run takes servers, as build() makes them, got {server!r}")
    if grace is not ...:
        check_timeout("grace", grace)
    check_timeout("lame_duck", lame_duck)
    if threading.current_thread() is not threading.main_thread():
        raise LifecycleError(
            "cannot run outside the main thread, which alone may handle signals; "
            "call start() and drain()"
        )
    program = _Program(servers, grace, lame_duck)
    with program.helped(), program.handling_signals(), contextlib.ExitStack() as undo:
        undo.callback(program.stop_all)
        program.open_all()
        if on_ready is not None:
            on_ready()
        with program.woken_by_signals():
            failures = program.serve_all()
            reports = program.drain_all()
        undo.pop_all()
    for failure in failures:
        raise failure
    return reports


@define(eq=False)
class _Program:
    """Several servers under one set of signal handlers."""

    _servers: Sequence[Runnable]
    _grace: float | EllipsisType | None
    _lame_duck: float
    _signals: int = attrs.field(default=0, init=False)
    _deadline: Deadline | None = attrs.field(default=None, init=False)
    _helpers: int = attrs.field(default=0, init=False)  # changed by the main thread alone
    _helped: "queue.SimpleQueue[None]" = attrs.field(factory=queue.SimpleQueue, init=False)
    _main_waits: socket.socket = attrs.field(init=False)
    _wake_main: socket.socket = attrs.field(init=False)

    @contextlib.contextmanager
    def handling_signals(self) -> Generator[None, None, None]:
        """Handle the signals meanwhile; the handlers of before are put back."""
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        if _SIGHUP is not None and any(server.has_files for server in self._servers):
            before[_SIGHUP] = signal.signal(_SIGHUP, self._on_hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # Draining takes locks, and the main thread below this handler may hold them, or may be
        # in a handler that only the drain can end; so a thread drains. `threading.Thread` takes
        # locks to start one, `start_new_thread` does not, and starts the real one for us.
        self._signals += 1
        for server in self._servers:
            if self._signals > 1:
                server.hurry()
            elif not self._lame_duck:
                server.wind_down()
        work = self.drain_all if self._signals == 1 else self.stop_all
        try:
            _thread.start_new_thread(self._start_helper, (work,))
            self._helpers += 1
        except RuntimeError:
            self._do_without_helper()

    def _on_hang_up(self, number: int, frame: FrameType | None) -> None:
        try:
            _thread.start_new_thread(self._start_helper, (self._reload_all,))
            self._helpers += 1
        except RuntimeError:  # no more threads; who sent it may send it again
            pass

    def _reload_all(self) -> None:
        for server in self._servers:
            if server.has_files:
                with contextlib.suppress(ConfigurationError):  # an event has told it
                    server.reload()

    def _do_without_helper(self) -> None:
        """Have the serving threads drain when they have left: there are no more threads."""
        for server in self._servers:
            server.shutdown()

    def _start_helper(self, work: Callable[[], object]) -> None:
        try:
            _start(functools.partial(self._help, work))
        except RuntimeError:
            if work != self._reload_all:
                self._do_without_helper()
            self._helped.put(None)

    def _help(self, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            self._helped.put(None)

    @contextlib.contextmanager
    def helped(self) -> Generator[None, None, None]:
        """At the end wait for the threads that signals have started: none outlives the program."""
        try:
            yield
        finally:
            for _ in range(self._helpers):
                self._helped.get()

    def open_all(self) -> None:
        """Listen with all of them."""
        for server in self._servers:
            with self._unless_asked_to_end():
                server.__enter__()

    @contextlib.contextmanager
    def woken_by_signals(self) -> Generator[None, None, None]:
        """Have every signal wake the main thread, whichever thread the system gives it to."""
        with contextlib.ExitStack() as stack:
            reader, writer = (stack.enter_context(end) for end in socket.socketpair())
            writer.setblocking(False)
            self._main_waits = reader
            if len(self._servers) == 1:
                with self._unless_asked_to_end():
                    writer = stack.enter_context(self._servers[0].wake_end())
            before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            stack.callback(signal.set_wakeup_fd, before)
            self._wake_main = writer
            yield

    def serve_all(self) -> list[BaseException]:
        """Serve until one of them has ended; return what broke them, if anything did."""
        if len(self._servers) == 1:
            self._serve(self._servers[0])
            return []
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        for server in self._servers:
            _start(functools.partial(self._serve_and_tell, server, ended))
        failures: list[BaseException | None] = []
        while len(failures) < len(self._servers):
            self._main_waits.recv(1)
            while not ended.empty():
                failures.append(ended.get())
                for server in self._servers:  # they end together
                    server.shutdown()
        return [failure for failure in failures if failure is not None]

    def _serve_and_tell(
        self, server: Runnable, ended: "queue.SimpleQueue[BaseException | None]"
    ) -> None:
        failure = None
        try:
            self._serve(server)
        except BaseException as error:  # from outside, too: the main thread waits for all
            failure = error
        ended.put(failure)
        with contextlib.suppress(OSError):  # full, so awake already
            self._wake_main.send(b".")

    def _serve(self, server: Runnable) -> None:
        with self._unless_asked_to_end():
            server.serve_forever()

    @contextlib.contextmanager
    def _unless_asked_to_end(self) -> Generator[None, None, None]:
        try:
            yield
        except LifecycleError:
            if not self._signals:  # a signal has closed it before it could listen or serve
                raise

    def drain_all(self) -> tuple[DrainReport, ...]:
        """Drain all of them at the same time, under one deadline; return their reports."""
        timeout = self._grace
        lame_duck, cause = 0.0, StopCause.DRAIN
        if self._signals:
            lame_duck, cause = self._lame_duck, StopCause.SIGNAL
        if not isinstance(timeout, EllipsisType):
            if self._deadline is None:
                self._deadline = Deadline.after(timeout)
            timeout = self._deadline.remaining()
        reports: dict[Runnable, DrainReport] = {}
        failures: list[Exception] = []

        def drain(server: Runnable) -> None:
            try:
                reports[server] = server.drain(timeout, lame_duck=lame_duck, cause=cause)
            except Exception as error:
                failures.append(error)

        threads: list[threading.Thread] = []
        left: list[Runnable] = []
        for server in self._servers:
            try:
                threads.append(_start(functools.partial(drain, server)))
            except RuntimeError:  # no more threads
                left.append(server)
        for server in left:
            drain(server)
        for thread in threads:
            while thread.is_alive():
                thread.join(_SLICE)
        for failure in failures:
            raise failure
        return tuple(reports[server] for server in self._servers)

    def stop_all(self) -> None:
        """End all of them now."""
        for server in self._servers:
            server.stop()


def _start(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, name="acceptor", daemon=True)
    thread.start()
    return thread
