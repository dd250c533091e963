"""The one place where a server sleeps: until a client comes, a child ends or someone wakes it."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from typing import Final

import attrs

from acceptor.core.polling import READABLE, Poller, best_poller
from acceptor.core.values import define

_LOOK_UP: Final = b"\0"
_END: Final = b"\xff"  # no signal has this number, and `signal.set_wakeup_fd` sends numbers

_NOBODY: Final = -1  # no descriptor

_A_DAY: Final = 86_400.0  # seconds; epoll takes no more than 24 days, and every caller waits again
_RECHECK: Final = 0.1  # seconds


def _quiet_pair() -> tuple[socket.socket, socket.socket]:
    # A socket pair and not a pipe: Windows can only select on sockets.
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    return reader, writer


def _wake_by_signals(fd: int) -> int | None:
    try:
        return signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    except ValueError:  # the main thread of another interpreter
        return None


@define(eq=False)
class Waiter:
    """Waits without polling; `wake` ends a wait from any thread, signal handler or child.

    All but `wake` and `ask_to_end` belong to the one thread that drives the accept loop.
    """

    on_end_asked: Callable[[], object]
    port: int = attrs.field(default=-1, init=False)
    """The descriptor that it waits at for clients; -1 if at none."""
    poller: Poller = attrs.field(factory=best_poller, repr=False)
    """What it waits with."""
    # Where wake-ups come out and go in; empty if nobody can wake it.
    _ends: tuple[socket.socket, ...] = attrs.field(factory=_quiet_pair, repr=False, alias="ends")
    _callbacks: dict[int, Callable[[], object]] = attrs.field(factory=dict, init=False, repr=False)
    rechecks: list[Callable[[], object]] = attrs.field(factory=list, init=False, repr=False)
    """What is called back once, after the current or the next wait."""
    poll: Callable[[float | None], list[tuple[int, int]]] = attrs.field(init=False, repr=False)
    """The wait itself; one who waits for descriptors of its own takes its place."""
    _pid: int = attrs.field(factory=os.getpid, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.poll = self.poller.poll
        if self._ends:
            self.watch(self._ends[0].fileno(), self._read_wake_ups)

    @property
    def is_inherited(self) -> bool:
        """Whether this is a forked child's copy of what its parent waits with."""
        return os.getpid() != self._pid

    def wait(self, timeout: float | None) -> bool:
        """Sleep until something happens; say whether a client waits at the port."""
        client = False
        if self.rechecks:
            timeout = _RECHECK if timeout is None else min(timeout, _RECHECK)
        elif timeout is not None:
            timeout = min(timeout, _A_DAY)
        for fd, _ in self.poll(timeout):
            if fd == self.port:
                client = True
            elif callback := self._callbacks.get(fd):  # not unwatched by the one before it
                callback()
        if self.rechecks:
            rechecks, self.rechecks = self.rechecks, []
            for recheck in rechecks:
                recheck()
        return client

    def recheck(self, callback: Callable[[], object]) -> None:
        """Call back once, after the current or the next wait, which is then a short one."""
        self.rechecks.append(callback)

    def turn_to(self, port: int) -> None:
        """Wait for clients at this descriptor, or at none (-1); before the last one is closed."""
        if port == self.port:
            return
        if self.port >= 0:
            with contextlib.suppress(OSError, ValueError):  # closed, and thereby removed
                self.poller.unregister(self.port)
        self.port = port
        if port >= 0:
            self.poller.register(port, READABLE)

    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back during a wait, whenever the descriptor is readable."""
        if fd == self.port:  # closed by another thread meanwhile, and its number given away
            self.turn_to(-1)
        self.poller.register(fd, READABLE)
        self._callbacks[fd] = on_readable

    def is_watched(self, fd: int) -> bool:
        """Say whether there is a watch for this descriptor."""
        return fd in self._callbacks

    def unwatch(self, fd: int) -> None:
        """End a watch, if there is one; before the descriptor is closed."""
        if self._callbacks.pop(fd, None) is not None:
            self.poller.unregister(fd)

    def wake_end(self) -> socket.socket:
        """Return a socket, the caller's to close, on which any byte is a wake-up."""
        return self._ends[1].dup()

    @contextlib.contextmanager
    def woken_by_signals(self) -> Generator[None, None, None]:
        """Have every signal end the wait meanwhile, unless the program has seen to that itself.

        The system may give a signal to another thread, or just before the wait begins: then its
        handler in Python would only run at the next wake-up. For the main thread; elsewhere, where
        no handler runs, it does nothing.
        """
        before = None
        if threading.current_thread() is threading.main_thread() and self._ends:
            before = _wake_by_signals(self._ends[1].fileno())
            if before is not None and before != _NOBODY:
                _wake_by_signals(before)
        try:
            yield
        finally:
            if before == _NOBODY:
                _wake_by_signals(_NOBODY)

    def wake(self) -> None:
        """End the current or the next wait."""
        self._send(_LOOK_UP)

    def ask_to_end(self) -> None:
        """Have `on_end_asked` called where the loop runs, even if that is the parent process."""
        if self.is_inherited:
            self._send(_END)
        else:
            self.on_end_asked()
            self._send(_LOOK_UP)

    def _send(self, message: bytes) -> None:
        # Full means that a wake-up is under way already; closed, that nobody waits any more.
        with contextlib.suppress(OSError):
            for way_in in self._ends[1:]:
                way_in.send(message)

    def _read_wake_ups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if _END in self._ends[0].recv(4096):
                self.on_end_asked()

    def close(self) -> None:
        """Let go of all descriptors; a later `wake` does nothing."""
        self.poller.close()
        for end in self._ends:
            end.close()
