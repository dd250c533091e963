"""Forks, watches and reaps the children of one server, and no one else's."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Generator
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
            with signals_held_back() as let_through:
                try:
                    pid = os.fork()
                except OSError as error:
                    watch.close()
                    raise ResourceError(error.errno, error.strerror) from error
                if pid == 0:
                    self._live_as_child(job, watch, let_through)
            self._mind(pid, job, watch)

        def _mind(self, pid: int, job: Job, watch: ExitWatch) -> None:
            job.release()
            try:
                fd = watch.in_parent(pid)
            except OSError:  # another thread took the descriptor held in reserve
                fd = -1
            child = self._children[pid] = _Child(pid, job, fd)
            if fd >= 0:
                self._workplace.watch(fd, lambda: self._reap(child))

        def _live_as_child(
            self, job: Job, watch: ExitWatch, let_through: Callable[[], object]
        ) -> NoReturn:
            status = _STATUS[Outcome.FAILED]
            try:
                watch.in_child()
                restore_signal_handlers()
                let_through()
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
            """Forget children that no signal could end; close their descriptors."""
            for child in self._children.values():
                if child.watch >= 0:
                    os.close(child.watch)
            self._children.clear()

    def _outcome(child: _Child, status: int) -> Outcome:
        if child.cut:
            return Outcome.CUT
        if os.WIFSIGNALED(status):
            return Outcome.LOST
        return _OUTCOME.get(os.waitstatus_to_exitcode(status), Outcome.FAILED)

    @contextlib.contextmanager
    def signals_held_back() -> Generator[Callable[[], object], None, None]:
        """Let no signal in meanwhile: in a new child it would run the parent's handler."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

        def let_through() -> object:
            return signal.pthread_sigmask(signal.SIG_SETMASK, before)

        try:
            yield let_through
        finally:
            let_through()

    def restore_signal_handlers() -> None:
        """Give a child the handlers that a fresh interpreter has.

        Where the program handles SIGINT itself (as `run` does), the child leaves the terminal's
        process group: Ctrl-C is then the parent's to answer, with a drain.
        """
        sigint = signal.getsignal(signal.SIGINT)
        if callable(sigint) and sigint is not signal.default_int_handler:
            with contextlib.suppress(OSError):
                os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                default = signal.SIG_DFL
                is_sigint = number == signal.SIGINT
                signal.signal(number, signal.default_int_handler if is_sigint else default)

    def flush_standard_streams() -> None:
        """Write out what is buffered, so that parent and child never both write it."""
        for stream in (sys.stdout, sys.stderr):
            # A stream may be None, closed, or full; none of this is the request's concern.
            with contextlib.suppress(Exception):
                stream.flush()
