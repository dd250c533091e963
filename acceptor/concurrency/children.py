"""Forks, watches and reaps the children of one server, and no one else's."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
import warnings

# What `signal.getsignal` wraps; the wrapper makes an enum's member of each answer, and the memory
# that this touches is copied for each child: it made a fork a tenth slower.
from _signal import getsignal  # type: ignore[import-not-found] # pyright: ignore
from collections.abc import Callable, Collection
from typing import Final, NoReturn

import attrs

from acceptor.concurrency.exit_watch import ExitWatch, best_exit_watch
from acceptor.core.errors import ForkWithThreadsWarning, ResourceError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Dispatcher, Job, Workplace

# A child's exit status says how the request ended. The ordinary ones are those of any program;
# the others keep out of their way.
_STATUS: Final = {
    Outcome.FINISHED: 0,
    Outcome.FAILED: 1,
    Outcome.CLIENT_LEFT: 64,
    Outcome.TIMED_OUT: 65,
    Outcome.HANDSHAKE_FAILED: 66,
}
_OUTCOME: Final = {status: outcome for outcome, status in _STATUS.items()}

# A child that was sent SIGKILL is gone at once, unless it hangs in the kernel.
_KILL_PATIENCE: Final = 1.0  # seconds

if sys.platform != "win32":
    # Asked for once: each call turns every number into an enum's member, and takes a tenth of
    # the time that a fork takes.
    _ALL_SIGNALS: Final = tuple(int(number) for number in signal.valid_signals())

    @attrs.define(eq=False)
    class _Child:
        pid: int
        job: Job
        watch: int  # descriptor, -1 if there is none
        cut: bool = False

    @attrs.define(eq=False)
    class ForkDispatcher(Dispatcher):
        """Forks a child for each job. Belongs to the accept thread, but for `cut`.

        Children are waited for by their pid, when their descriptor says that they have ended;
        so the accept loop never blocks on one, and never reaps what others have started.
        """

        _workplace: Workplace
        _new_watch: Callable[[], ExitWatch] = attrs.field(factory=best_exit_watch)
        _children: dict[int, _Child] = attrs.field(factory=dict, init=False, repr=False)
        _warned: bool = attrs.field(default=False, init=False)

        def submit(self, job: Job, /) -> None:
            """Fork a child that serves it.

            Raises:
                ResourceError: The machine gives no more processes or descriptors.
            """
            self._warn_about_threads()
            self._reap_unwatched()
            flush_standard_streams()
            try:
                watch = self._new_watch()
            except OSError as error:
                raise ResourceError(error.errno, error.strerror) from error
            self._mind(self._fork(job, watch), job, watch)

        def _fork(self, job: Job, watch: ExitWatch) -> int:
            parent = os.getpid()
            handlers = handlers_in_python()
            # In a new child these signals would run the parent's handler.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, handlers) if handlers else None
            try:
                pid = os.fork()
                if pid == 0:
                    self._live_as_child(job, watch, handlers)
            except BaseException as error:
                if os.getpid() != parent:  # Ctrl-C, before the child was ready for it
                    os._exit(_STATUS[Outcome.FAILED])
                watch.close()
                if isinstance(error, OSError):
                    raise ResourceError(error.errno, error.strerror) from error
                raise
            finally:
                if before is not None:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return pid

        def _mind(self, pid: int, job: Job, watch: ExitWatch) -> None:
            job.release()
            try:
                fd = watch.in_parent(pid)
            except OSError:  # another thread took the descriptor held in reserve
                fd = -1
            child = self._children[pid] = _Child(pid, job, fd)
            if fd >= 0:
                self._workplace.watch(fd, lambda: self._reap(child))

        def _live_as_child(self, job: Job, watch: ExitWatch, handlers: Collection[int]) -> NoReturn:
            status = _STATUS[Outcome.FAILED]
            try:
                watch.in_child()
                if handlers:
                    restore_signal_handlers(handlers)
                self._workplace.leave()
                status = _STATUS[job.serve(patient=True)]
            finally:
                flush_standard_streams()
                os._exit(status)  # in finally: whatever is raised, nothing else of ours may run

        def _reap(self, child: _Child, options: int = 0) -> None:
            try:
                pid, status = os.waitpid(child.pid, options)
            except ChildProcessError:
                # Someone else reaped it, or SIGCHLD is ignored; nothing says that it failed.
                pid, status = child.pid, 0
            if pid == 0 or self._children.pop(child.pid, None) is None:
                return
            if child.watch >= 0:
                self._workplace.unwatch(child.watch)
                os.close(child.watch)
            child.job.end(_outcome(child, status))

        def _reap_unwatched(self) -> None:
            for child in [child for child in self._children.values() if child.watch < 0]:
                self._reap(child, os.WNOHANG)

        def _warn_about_threads(self) -> None:
            if not self._warned and threading.active_count() > 1:
                self._warned = True
                warnings.warn(
                    "forking while other threads run: a lock that one of them holds stays locked "
                    "in the child; serve in the main thread, before any thread is started",
                    ForkWithThreadsWarning,
                    stacklevel=2,
                )

        def cut(self, jobs: Collection[Job], timeout: float) -> None:
            """Send SIGTERM, and SIGKILL to those that are still there after the timeout."""
            children = [child for child in list(self._children.values()) if child.job in jobs]
            for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, _KILL_PATIENCE)):
                children = [child for child in children if child.pid in self._children]
                for child in children:
                    child.cut = True
                    os.kill(child.pid, number)  # not reaped yet, so the pid is still its own
                self._await_exits(children, time.monotonic() + patience)

        def _await_exits(self, children: list[_Child], until: float) -> None:
            waiting = {child.watch: child for child in children if child.watch >= 0}
            poll = select.poll()
            for fd in waiting:
                poll.register(fd, select.POLLIN)
            while waiting and (left := until - time.monotonic()) > 0:
                for fd, _ in poll.poll(left * 1000):
                    poll.unregister(fd)
                    self._reap(waiting.pop(fd))
            for child in children:
                if child.watch < 0:
                    self._reap(child, os.WNOHANG)

        def close(self) -> None:
            """Give up on children that no signal could end."""
            for child in list(self._children.values()):
                self._reap(child, os.WNOHANG)
            for child in self._children.values():
                if child.watch >= 0:
                    os.close(child.watch)
                child.job.end(Outcome.CUT)
            self._children.clear()

    def _outcome(child: _Child, status: int) -> Outcome:
        if child.cut:
            return Outcome.CUT
        if os.WIFSIGNALED(status):
            return Outcome.LOST
        return _OUTCOME.get(os.waitstatus_to_exitcode(status), Outcome.FAILED)

    def handlers_in_python() -> list[int]:
        """Return the signals for which this process has a handler that no fresh one has."""
        found = ((number, getsignal(number)) for number in _ALL_SIGNALS)
        return [
            number
            for number, handler in found
            if callable(handler) and handler is not signal.default_int_handler
        ]

    def restore_signal_handlers(handlers: Collection[int]) -> None:
        """Give a child the handlers that a fresh interpreter has.

        Where the program handles SIGINT itself (as `run` does), the child leaves the terminal's
        process group: Ctrl-C is then the parent's to answer, with a drain.
        """
        signal.set_wakeup_fd(-1)
        for number in handlers:
            signal.signal(number, signal.SIG_DFL)
        if signal.SIGINT in handlers:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, handlers)

    def flush_standard_streams() -> None:
        """Write out what is buffered, so that parent and child never both write it."""
        for stream in (sys.stdout, sys.stderr):
            # A stream may be None, closed, or full; none of this is the request's concern.
            try:
                stream.flush()
            except Exception:  # noqa: S110
                pass
