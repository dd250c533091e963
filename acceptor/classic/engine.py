"""The classic hooks as the core's contracts: one class here for each contract.

| classic hook | contract |
|---|---|
| `get_request`, `fileno` | `Listener.accept`, `Listener.fileno` |
| `verify_request`, `process_request` | `Intake.take` |
| `finish_request`, `close_request`, in a process of its own | `Job.serve`, `Job.release` |
| `ForkingMixIn.process_request` | `Dispatcher.submit` |
| `service_actions`, `handle_timeout` | what the caller of `AcceptLoop.wait_for_client` does next |

None of these objects outlives the call that needs it, or knows the server while the server knows
it: programs count on the socket being closed when the last reference to their server goes.
"""

import contextlib
import os
import selectors
import sys
import weakref
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol

import attrs

from acceptor.concurrency.exit_watch import ExitWatch
from acceptor.core.accept_loop import OUT_OF_RESOURCES, AcceptLoop, Backoff, Orders
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Incoming, Intake, Job, Listener, Workplace
from acceptor.core.polling import Poller, SelectorPoller
from acceptor.core.reporting import Reporter
from acceptor.core.waiting import Waiter

if sys.platform != "win32":
    from acceptor.concurrency.children import ForkDispatcher
    from acceptor.core.polling import NumberPoller

# A classic loop is ended by its server's own flag, and is never paused.
_NO_ORDERS: Final = Orders()

if hasattr(selectors, "PollSelector"):
    DefaultSelector: type[selectors.BaseSelector] = selectors.PollSelector
else:
    DefaultSelector = selectors.SelectSelector


class _Hooks(Protocol):
    """What is called on a server, and always looked up on it: any of these may be overridden."""

    server_address: Any

    def fileno(self) -> int: ...
    def get_request(self) -> tuple[Any, Any]: ...
    def verify_request(self, request: Any, client_address: Any, /) -> bool: ...
    def process_request(self, request: Any, client_address: Any, /) -> None: ...
    def finish_request(self, request: Any, client_address: Any, /) -> None: ...
    def handle_error(self, request: Any, client_address: Any, /) -> None: ...
    def shutdown_request(self, request: Any, /) -> None: ...
    def close_request(self, request: Any, /) -> None: ...


class _ForkingHooks(_Hooks, Protocol):
    active_children: set[int] | None


@attrs.define(eq=False)
class HookIncoming(Incoming[Any, Any]):
    """The pair that `get_request` returned."""

    _server: _Hooks
    request: Any
    peer: Any  # pyright: ignore[reportIncompatibleMethodOverride]

    def handshake(self, timeout: float) -> Any:
        """Return the request; whoever wraps it in TLS does so in `get_request`."""
        return self.request

    def outcome_of(self, error: BaseException) -> Outcome | None:
        """Return None: the classic rule is `handle_error` for every error."""
        return None

    def close(self, *, patient: bool) -> None:
        """Call `shutdown_request`."""
        self._server.shutdown_request(self.request)

    def cut(self) -> None:
        """Do nothing: a classic server has no way to end a request from outside."""

    def release(self) -> None:
        """Call `close_request`."""
        self._server.close_request(self.request)


@attrs.define(eq=False)
class HookListener(Listener[Any, Any]):
    """Accepts by calling `get_request`; the socket is the server's, and so is its end."""

    _server: _Hooks

    @property
    def address(self) -> Any:
        """The server's address, as it stands now."""
        return self._server.server_address

    def fileno(self) -> int:
        """Return what the server's `fileno` says now; -1 if it has nothing (any more)."""
        try:
            return self._server.fileno()
        except (AttributeError, ValueError, OSError):
            return -1

    def accept(self) -> HookIncoming | None:
        """Call `get_request`; None if it raised an `OSError`, whatever that means.

        Raises:
            OSError: The machine is out of descriptors or memory.
        """
        try:
            request, client_address = self._server.get_request()
        except OSError as error:
            if error.errno in OUT_OF_RESOURCES:
                raise
            return None
        return HookIncoming(self._server, request, client_address)

    def retire(self) -> None:
        """Do nothing: only `server_close` closes the port."""

    def close(self) -> None:
        """Do nothing: the program closes its server."""

    def release(self) -> None:
        """Do nothing: a classic child keeps what its parent has."""


@attrs.define(eq=False)
class HookIntake(Intake[Any, Any]):
    """Calls `verify_request`, and `process_request` for whom that lets in."""

    _server: _Hooks
    _has_room: Callable[[], bool] | None
    holds_one: bool = False  # never: `process_request` takes each, or fails

    def has_room(self) -> bool:
        """Say whether `max_children` allows one more."""
        return self._has_room is None or self._has_room()

    expect_room = has_room  # a child that ends wakes the loop by its descriptor

    def take(self, incoming: Any, /) -> None:
        """Run the hooks of one request, in the classic order in every case of error."""
        server, request, client_address = self._server, incoming.request, incoming.peer
        if not server.verify_request(request, client_address):
            incoming.close(patient=False)
            return
        try:
            server.process_request(request, client_address)
        except Exception:
            server.handle_error(request, client_address)
            incoming.close(patient=False)
        except BaseException:
            incoming.close(patient=False)
            raise

    def take_held(self) -> None:
        """Do nothing: none is held."""

    def close(self) -> None:
        """Do nothing: `server_close` waits for what runs."""


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

    def release(self) -> None:
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

    def runs_in(self, thread: int) -> bool:
        """Say no: it runs in no thread of ours."""
        return False


@attrs.define(eq=False)
class HookWorkplace(Workplace):
    """What a server keeps between two calls: its loops that run now, and its children's ends.

    There may be several loops: programs call `handle_request` beside `serve_forever`.
    """

    _backoff: Backoff = attrs.field(factory=lambda: Backoff(Reporter()), init=False)
    _loops: list[AcceptLoop[Any, Any, HookIntake]] = attrs.field(factory=list, init=False)
    _watched: dict[int, Callable[[], object]] = attrs.field(factory=dict, init=False)
    _rechecks: list[Callable[[], object]] = attrs.field(factory=list, init=False)

    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back from the loop, now or the next one that runs."""
        self._watched[fd] = on_readable
        for loop in self._loops:
            loop.waiter.watch(fd, on_readable)

    def unwatch(self, fd: int) -> None:
        """End a watch."""
        del self._watched[fd]
        for loop in self._loops:
            loop.waiter.unwatch(fd)

    def recheck(self, callback: Callable[[], object]) -> None:
        """Call back soon from the loop, or when the next one begins."""
        if self._loops:
            self._loops[-1].waiter.recheck(callback)
        else:
            self._rechecks.append(callback)

    def leave(self) -> None:
        """Do nothing: a classic child keeps what its parent has."""

    @property
    def loop(self) -> AcceptLoop[Any, Any, HookIntake] | None:
        """The loop of ours that has begun last, of those that run."""
        return self._loops[-1] if self._loops else None

    def __del__(self) -> None:
        for fd in self._watched:  # the server was forgotten, and its children with it
            os.close(fd)

    def wake(self) -> None:
        """End the loop's wait; safe from any thread and from signal handlers."""
        for loop in self._loops:
            loop.waiter.wake()

    @contextlib.contextmanager
    def loop_for(
        self,
        server: _Hooks,
        selector: type[selectors.BaseSelector],
        has_room: Callable[[], bool] | None,
        *,
        wakeable: bool = False,
    ) -> Generator[AcceptLoop[Any, Any, HookIntake], None, None]:
        """Make the loop that serves this server until the block ends.

        One that can be woken needs descriptors; where there are none, it looks at the server's
        flag now and then, as it ever was.

        Raises:
            ValueError: The server has no descriptor to wait for, or is closed.
        """
        check_descriptor(server)
        waiter = _waiter(_poller(selector), wakeable=wakeable)
        intake = HookIntake(server, has_room)
        loop = AcceptLoop(
            HookListener(server), waiter, intake, Reporter(), _NO_ORDERS, self._backoff
        )
        for fd, on_readable in self._watched.items():
            waiter.watch(fd, on_readable)
        self._loops.append(loop)
        self._pass_on(self._rechecks)
        try:
            yield loop
        finally:
            self._loops.remove(loop)
            self._pass_on(waiter.rechecks)
            loop.close()

    def _pass_on(self, rechecks: list[Callable[[], object]]) -> None:
        for callback in list(rechecks):
            rechecks.remove(callback)
            self.recheck(callback)


def take_one(server: _Hooks, has_room: Callable[[], bool] | None) -> None:
    """Run the hooks of one request for a loop that is not ours."""
    try:
        incoming = HookListener(server).accept()
    except OSError:  # out of descriptors; when to try again is the other loop's matter
        return
    if incoming is not None:
        HookIntake(server, has_room).take(incoming)


def check_descriptor(server: Any) -> None:
    """Refuse to wait for a closed server, in the words of the standard library's selectors."""
    try:
        fd = int(server.fileno())
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f"Invalid file object: {server!r}") from None
    if fd < 0:
        raise ValueError(f"Invalid file descriptor: {fd}")


def _waiter(poller: Poller, *, wakeable: bool) -> Waiter:
    if wakeable:
        try:
            return Waiter(lambda: None, poller)
        except OSError as error:
            if error.errno not in OUT_OF_RESOURCES:
                raise
    return Waiter(lambda: None, poller, ends=())


def _poller(selector: type[selectors.BaseSelector]) -> Poller:
    if sys.platform != "win32" and selector is DefaultSelector:
        # By number: programs close the listening socket and bind another while the loop runs.
        return NumberPoller()
    return SelectorPoller(selector())


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
