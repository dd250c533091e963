"""Forks, watches and reaps the children of one server, and no one else's."""

import contextlib
import operator
import os
import select
import signal
import sys
import time
import warnings

# What the functions of `signal` wrap; the wrappers make enum members of all answers, and the memory
# that this touches is copied for each child: it made a fork a tenth slower.
from _signal import getsignal, pthread_sigmask  # type: ignore[import-not-found] # pyright: ignore

# The threads besides the main one. `threading.active_count` takes a lock, and more pages: what a
# parent writes to after a fork is copied, which takes 3 us for each page.
from _thread import _count
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Final, NoReturn

import attrs

from acceptor.concurrency.exit_watch import ExitWatch, best_exit_watch
from acceptor.concurrency.shared_counts import SharedCounts
from acceptor.core.errors import ForkWithThreadsWarning, ResourceError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Dispatcher, Job, Traffic, Workplace
from acceptor.core.values import define

# A child's exit status says how the request ended. The ordinary ones are those of any program;
# the others keep out of their way.
_STATUS: Final = {
    Outcome.FINISHED: 0,
    Outcome.FAILED: 1,
    Outcome.CLIENT_LEFT: 64,
    Outcome.TIMED_OUT: 65,
    Outcome.HANDSHAKE_FAILED: 66,
    Outcome.DENIED: 67,
}
_FINISHED: Final = Outcome.FINISHED
_OUTCOME: Final = {status: outcome for outcome, status in _STATUS.items()}

# A child that was sent SIGKILL is gone as soon as it has its turn, unless it hangs in the kernel.
# On a busy machine that took more than a second, and nobody reaps whom we have given up.
_KILL_PATIENCE: Final = 10.0  # seconds
_LOOK_AGAIN: Final = 0.01  # seconds

# A child may run before its parent has noted it; that is a matter of its parent's next turn.
_BIRTH_PATIENCE: Final = 1.0  # seconds

if sys.platform != "win32":
    # Asked for once: each call turns every number into an enum's member, and takes a tenth of
    # the time that a fork takes.
    _ALL_SIGNALS: Final = tuple(int(number) for number in signal.valid_signals())

    @define(eq=False)
    class _Child:
        pid: int
        job: Job
        counts: Traffic
        watch: int = -1  # descriptor, -1 if there is none

    @define(eq=False)
    class ForkDispatcher(Dispatcher):
        """Forks a child for each job. Belongs to the accept thread, but for `cut`.

        Children are waited for by their pid, when their descriptor says that they have ended;
        so the accept loop never blocks on one, and never reaps what others have started. One that
        cannot be watched is looked at every tenth of a second.

        With `fresh_signals` off a child keeps the handlers that its parent has, and nobody is
        warned of threads: as it ever was in the classic servers.
        """

        in_processes: ClassVar[bool] = True

        _workplace: Workplace
        _new_watch: Callable[[], ExitWatch] = attrs.field(factory=best_exit_watch)
        _fresh_signals: bool = attrs.field(default=True, alias="fresh_signals")
        pids: set[int] = attrs.field(factory=set[int])
        """The children that have not been reaped."""
        _children: dict[int, _Child] = attrs.field(factory=dict, init=False, repr=False)
        _coming: Job | None = attrs.field(default=None, init=False)  # is being forked for just now
        _late: set[Job] = attrs.field(factory=set[Job], init=False, repr=False)  # cut before that
        _shared: SharedCounts = attrs.field(factory=SharedCounts, init=False, repr=False)
        _warned: bool = attrs.field(default=False, init=False)
        _handlers: Sequence[object] = attrs.field(
            factory=lambda: [None] * len(_ALL_SIGNALS), init=False, repr=False
        )
        _handled: Collection[int] = attrs.field(default=(), init=False, repr=False)

        def submit(self, job: Job, /) -> None:
            """Fork a child that serves it.

            Raises:
                ResourceError: The machine gives no more processes or descriptors.
            """
            self._coming = job  # then the look; `cut` does it the other way round
            try:
                if job in self._late:
                    self._late.discard(job)
                    job.drop()
                else:
                    self._submit(job)
            finally:
                self._coming = None

        def _submit(self, job: Job) -> None:
            try:
                if self._fresh_signals:
                    self._warn_about_threads()
                flush_standard_streams()
                try:
                    watch = self._new_watch()
                except OSError as error:
                    raise ResourceError(error.errno, error.strerror) from error
                self._fork(job, watch)
            except Exception:
                raise
            except BaseException:  # Ctrl-C
                if self._coming is job:  # no child has it
                    job.drop()
                raise

        def _fork(self, job: Job, watch: ExitWatch) -> None:
            handlers = self._handlers_in_python() if self._fresh_signals else ()
            counts = self._shared.take()
            job.count_into(counts)
            # In a new child these would run the parent's handler, and Ctrl-C, in either of the
            # two, would come before anyone is ready for it.
            held = (signal.SIGINT, *handlers) if self._fresh_signals else ()
            before = pthread_sigmask(signal.SIG_BLOCK, ())
            try:
                try:
                    pthread_sigmask(signal.SIG_BLOCK, held)
                    pid = os.fork()
                except BaseException as error:
                    watch.close()
                    job.count_into(self._shared.give_back(counts))
                    if isinstance(error, OSError):
                        raise ResourceError(error.errno, error.strerror) from error
                    raise
                if pid == 0:
                    self._live_as_child(job, watch, handlers)
                self._mind(_Child(pid, job, counts), watch)
            finally:
                pthread_sigmask(signal.SIG_SETMASK, before)

        def _handlers_in_python(self) -> Collection[int]:
            """Return the signals for which this process has a handler that no fresh one has."""
            now = map(getsignal, _ALL_SIGNALS)
            if not all(map(operator.is_, now, self._handlers)):  # all in C, and no list to grow
                self._handlers = list(map(getsignal, _ALL_SIGNALS))
                self._handled = [
                    number
                    for number, handler in zip(_ALL_SIGNALS, self._handlers, strict=True)
                    if callable(handler) and handler is not signal.default_int_handler
                ]
            return self._handled

        def _live_as_child(self, job: Job, watch: ExitWatch, handlers: Collection[int]) -> NoReturn:
            status = 1
            try:
                watch.in_child()
                if handlers:
                    restore_signal_handlers(handlers)
                if self._fresh_signals:
                    pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, *handlers))
                self._workplace.leave()
                outcome = job.serve(patient=True)
                # An enum's hash is a function in Python, on pages that only it would need.
                status = 0 if outcome is _FINISHED else _STATUS[outcome]
            finally:
                try:
                    flush_standard_streams()
                finally:
                    os._exit(status)  # whatever is raised, nothing else of ours may run

        def _mind(self, child: _Child, watch: ExitWatch) -> None:
            self.pids.add(child.pid)
            self._children[child.pid] = child
            self._coming = None  # from here on it can be cut, by an observer in `release`, too
            try:
                child.job.release(child.pid)
            finally:  # of a Ctrl-C, too
                self._watch(child, watch)

        def _watch(self, child: _Child, watch: ExitWatch) -> None:
            fd = -1
            try:
                fd = watch.in_parent(child.pid)
                self._workplace.watch(fd, lambda: self._look_at(child))
            except OSError:
                # It is reaped already, a thread took the descriptor in reserve, or the system
                # watches no more of them.
                if fd >= 0:
                    os.close(fd)
                self._look_at(child)
                return
            child.watch = fd  # only now: another thread that cuts it closes that
            if not self._is_ours(child):  # it was cut before it was watched
                self._unwatch(child)

        def _is_ours(self, child: _Child) -> bool:
            return self._children.get(child.pid) is child

        def _look_at(self, child: _Child) -> None:
            """Reap a child if it has ended; if there is nothing to watch, look again soon."""
            if not self._is_ours(child) or self._reap(child):
                return
            self._unwatch(child)  # a pipe may be closed by a child that lives on
            self._workplace.recheck(lambda: self._look_at(child))

        def minds(self, pid: int) -> bool:
            """Say whether this is one of our children, and not reaped yet."""
            return pid in self._children

        def reap(self, pid: int, *, wait: bool = False) -> None:
            """Reap one of our children if it has ended, or wait until it has."""
            child = self._children.get(pid)
            if child is not None:
                self._reap(child, 0 if wait else os.WNOHANG)

        def look_away(self) -> None:
            """Watch the children no more; they stay ours, to be reaped when somebody asks."""
            for child in list(self._children.values()):
                self._unwatch(child)

        def wait_for_room(self, most: int) -> None:
            """Wait until fewer than so many of our children run."""
            while len(self._children) >= most:
                children = list(self._children.values())
                ended = [child for child in children if self._reap(child)]
                if not ended:
                    self._await_an_exit(children, _LOOK_AGAIN)

        def _reap(self, child: _Child, options: int = os.WNOHANG) -> bool:
            try:
                pid, status = os.waitpid(child.pid, options)
            except ChildProcessError:
                # Someone else reaped it, or SIGCHLD is ignored; nothing says that it failed.
                pid, status = child.pid, 0
            if pid == 0:
                return False
            self._forget(child, _outcome(status))
            return True

        def _forget(self, child: _Child, outcome: Outcome) -> None:
            # Classic programs close a server while its loop runs in another thread; then both
            # reap, and one of them has found it.
            if self._children.pop(child.pid, None) is not None:
                self._unwatch(child)
                self._late.discard(child.job)
                self.pids.discard(child.pid)  # last: who sees it gone may use its descriptor
                child.job.count_into(self._shared.give_back(child.counts))
                child.job.end(outcome)

        def _unwatch(self, child: _Child) -> None:
            watch, child.watch = child.watch, -1  # whoever cuts may come here as well
            if watch >= 0:
                self._workplace.unwatch(watch)
                os.close(watch)

        def _warn_about_threads(self) -> None:
            if not self._warned and _count() > 0:
                self._warned = True
                warnings.warn(
                    "forking while other threads run: a lock that one of them holds stays locked "
                    "in the child; serve in the main thread, before any thread is started",
                    ForkWithThreadsWarning,
                    stacklevel=2,
                )

        def cut(self, jobs: Collection[Job], timeout: float) -> None:
            """Send SIGTERM, and SIGKILL to those that are still there after the timeout.

            A job that is let in and not forked yet never will be.
            """
            self._late.update(jobs)
            soon = time.monotonic() + _BIRTH_PATIENCE
            while self._coming in jobs and time.monotonic() < soon:
                time.sleep(_LOOK_AGAIN)
            children = [child for child in list(self._children.values()) if child.job in jobs]
            self._late.difference_update(child.job for child in children)
            for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, _KILL_PATIENCE)):
                for child in children:
                    # Not reaped by us, so the pid is its own, unless somebody else has reaped it.
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child.pid, number)
                children = self._await_exits(children, time.monotonic() + patience)

        def _await_exits(self, children: list[_Child], until: float) -> list[_Child]:
            """Reap these children until the moment comes; return those that have not ended."""
            while True:
                children = [child for child in children if not self._reap(child)]
                left = until - time.monotonic()
                if not children or left <= 0:
                    return children
                # Short, for those that cannot be watched, and pipes close before their child ends.
                self._await_an_exit(children, min(left, _LOOK_AGAIN))

        def _await_an_exit(self, children: list[_Child], timeout: float) -> None:
            poll = select.poll()
            for child in children:
                if child.watch >= 0:
                    poll.register(child.watch, select.POLLIN)
            poll.poll(timeout * 1000)

        def close(self) -> None:
            """Give up on children that no signal could end."""
            for child in list(self._children.values()):
                if not self._reap(child):
                    self._forget(child, Outcome.CUT)

    def _outcome(status: int) -> Outcome:
        if status == 0:
            return _FINISHED
        if os.WIFSIGNALED(status):
            return Outcome.LOST
        return _OUTCOME.get(os.waitstatus_to_exitcode(status), Outcome.FAILED)

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

    def flush_standard_streams() -> None:
        """Write out what is buffered, so that parent and child never both write it."""
        for stream in (sys.stdout, sys.stderr):
            # A stream may be None, closed, or full; none of this is the request's concern.
            try:
                stream.flush()
            except Exception:  # noqa: S110
                pass
