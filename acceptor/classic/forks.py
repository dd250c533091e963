"""How a classic server forks: one child for each request, started as it ever was."""

import contextlib
import os
import sys
import weakref
from typing import Any, Protocol

import attrs

from acceptor.classic.engine import Hooks
from acceptor.classic.loops import HookWorkplace
from acceptor.concurrency.exit_watch import ExitWatch
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Job, Traffic

if sys.platform != "win32":
    from acceptor.concurrency.children import ForkDispatcher


class _ForkingHooks(Hooks, Protocol):
    active_children: set[int] | None


@attrs.define(eq=False)
class HookJob(Job):
    """A request that a child process serves."""

    _server: _ForkingHooks
    _request: Any
    _client_address: Any
    _children: set[int]

    def serve(self, *, patient: bool) -> Outcome:
        """Call `finish_request`, `handle_error` if it raises, and always `shutdown_request`."""
        server, request, client_address = self._server, self._request, self._client_address
        outcome = Outcome.FAILED
        try:
            server.finish_request(request, client_address)
            outcome = Outcome.FINISHED
        except Exception:
            server.handle_error(request, client_address)
        finally:
            with contextlib.suppress(BaseException):  # the child is about to end anyhow
                server.shutdown_request(request)
        return outcome

    def run(self, *, patient: bool) -> None:
        """Serve it in this process."""
        self.serve(patient=patient)

    def count_into(self, traffic: Traffic, /) -> None:
        """Do nothing: nobody counts."""

    def release(self, worker: int) -> None:
        """Call `close_request`, and let go of the server: a child may live longer."""
        server, request = self._server, self._request
        del self._server, self._request
        if server.active_children is None:  # a child never sees that there are any
            server.active_children = self._children
        server.close_request(request)

    def end(self, outcome: Outcome) -> None:
        """Do nothing: nobody has asked how a classic request ended."""

    def cut(self) -> None:
        """Do nothing: no request is cut."""


@attrs.frozen
class LateWatch(ExitWatch):
    """Asks for the child's descriptor when it is there: if none is left, the fork stands."""

    def in_parent(self, pid: int) -> int:
        """Return the child's descriptor.

        Raises:
            OSError: There is none; the child is looked at from time to time.
        """
        if sys.platform == "linux":
            return os.pidfd_open(pid)
        raise OSError("this platform has no descriptor of a process")

    def in_child(self) -> None:
        """Nothing to let go."""

    def close(self) -> None:
        """Nothing to let go."""


if sys.platform != "win32":

    def classic_forks(workplace: HookWorkplace, pids: set[int]) -> ForkDispatcher:
        """Make a dispatcher whose children start as they ever did: as their parent's copy."""
        # By a proxy: the callbacks that the workplace keeps belong to the dispatcher.
        return ForkDispatcher(weakref.proxy(workplace), LateWatch, fresh_signals=False, pids=pids)

    def has_ended(pid: int, *, wait: bool) -> bool:
        """Reap a child that is ours to reap, but was forked by the program itself."""
        try:
            return os.waitpid(pid, 0 if wait else os.WNOHANG)[0] == pid
        except ChildProcessError:  # somebody else reaped it
            return True
