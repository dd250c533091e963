"""What a classic server keeps between two calls, and the loops that it is served by."""

import contextlib
import os
import selectors
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, MutableSequence
from typing import Any, Final

import attrs

from acceptor.classic.engine import HookIntake, HookListener, Hooks
from acceptor.core.accept_loop import OUT_OF_RESOURCES, AcceptLoop, Backoff, Orders
from acceptor.core.interfaces import Workplace
from acceptor.core.polling import Poller, SelectorPoller
from acceptor.core.reporting import Reporter
from acceptor.core.waiting import Waiter

if sys.platform != "win32":
    from acceptor.core.polling import NumberPoller

# A classic loop is ended by its server's own flag, and is never paused.
_NO_ORDERS: Final = Orders()

_MOST_RECHECKS: Final = 1000

if hasattr(selectors, "PollSelector"):
    DefaultSelector: type[selectors.BaseSelector] = selectors.PollSelector
else:
    DefaultSelector = selectors.SelectSelector


@attrs.define(eq=False)
class HookWorkplace(Workplace):
    """What a server keeps between two calls: its loops that run now, and its children's ends.

    There may be several loops, in threads of their own: programs call `handle_request` beside
    `serve_forever`. Each step here is one of the list, or goes through a copy of it.
    """

    _backoff: Backoff = attrs.field(factory=lambda: Backoff(Reporter()), init=False)
    _loops: list[AcceptLoop[Any, Any, HookIntake]] = attrs.field(factory=list, init=False)
    _watched: dict[int, Callable[[], object]] = attrs.field(factory=dict, init=False)
    # Bounded, because a loop of ours may never come; the children are there all the same.
    _rechecks: deque[Callable[[], object]] = attrs.field(
        factory=lambda: deque(maxlen=_MOST_RECHECKS), init=False
    )

    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back from the loop, now or the next one that runs."""
        self._watched[fd] = on_readable
        for loop in self._loops.copy():
            loop.waiter.watch(fd, on_readable)

    def unwatch(self, fd: int) -> None:
        """End a watch."""
        del self._watched[fd]
        for loop in self._loops.copy():
            loop.waiter.unwatch(fd)

    def recheck(self, callback: Callable[[], object]) -> None:
        """Call back soon from the loop, or when the next one begins."""
        loop = self.loop
        if loop is not None:
            loop.waiter.recheck(callback)
        else:
            self._rechecks.append(callback)

    def leave(self) -> None:
        """Do nothing: a classic child keeps what its parent has."""

    @property
    def loop(self) -> AcceptLoop[Any, Any, HookIntake] | None:
        """The loop of ours that has begun last, of those that run."""
        last = self._loops[-1:]  # in one step: another thread may end it
        return last[0] if last else None

    def __del__(self) -> None:
        for fd in self._watched:  # the server was forgotten, and its children with it
            os.close(fd)

    def wake(self) -> None:
        """End the loop's wait; safe from any thread and from signal handlers."""
        for loop in self._loops.copy():
            loop.waiter.wake()

    @contextlib.contextmanager
    def loop_for(
        self,
        server: Hooks,
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
        for fd, on_readable in self._watched.copy().items():
            waiter.watch(fd, on_readable)
        self._loops.append(loop)
        self._pass_on(self._rechecks)
        try:
            yield loop
        finally:
            self._loops.remove(loop)
            self._pass_on(waiter.rechecks)
            loop.close()

    def _pass_on(self, rechecks: MutableSequence[Callable[[], object]]) -> None:
        while rechecks:
            self.recheck(rechecks.pop())


class LoopEnd(threading.Event):
    """Set when a loop has ended, and aware of whether one has begun, and in which thread.

    Whoever has a loop of his own, a copy of `serve_forever`, clears and sets it as ours does.
    """

    awaited_in: int | None = None
    """Identity of the thread whose loop is to end; None if none runs."""

    def clear(self) -> None:
        """Note that a loop begins, in the calling thread."""
        self.awaited_in = threading.get_ident()
        super().clear()

    def set(self) -> None:
        """Note that it has ended."""
        self.awaited_in = None
        super().set()


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
