"""The one place where a server sleeps: until a client comes, a child ends or someone wakes it."""

import contextlib
import os
import selectors
import socket
from collections.abc import Callable
from typing import Final

import attrs

_LOOK_UP: Final = b"\0"
_END: Final = b"\1"


def _quiet_pair() -> tuple[socket.socket, socket.socket]:
    # A socket pair and not a pipe: Windows can only select on sockets.
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    return reader, writer


@attrs.define(eq=False)
class Waiter:
    """Waits without polling; `wake` ends a wait from any thread, signal handler or child.

    All but `wake` and `ask_to_end` belong to the one thread that drives the accept loop.
    """

    on_end_asked: Callable[[], object]
    _selector: selectors.BaseSelector = attrs.field(
        factory=selectors.DefaultSelector, init=False, repr=False
    )
    _ends: tuple[socket.socket, socket.socket] = attrs.field(
        factory=_quiet_pair, init=False, repr=False
    )
    _port: int = attrs.field(default=-1, init=False)  # descriptor registered for clients
    _pid: int = attrs.field(factory=os.getpid, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._selector.register(self._ends[0], selectors.EVENT_READ, self._read_wake_ups)

    def wait(self, timeout: float | None, port: int) -> bool:
        """Sleep until something happens; say whether a client waits at the port.

        `port` is the listener's descriptor, or -1 while no client may be taken.
        """
        if port != self._port:
            self._turn_to(port)
        client = False
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                client = True
            else:
                key.data()
        return client

    def _turn_to(self, port: int) -> None:
        if self._port >= 0:
            # The port may be closed already, and its number with it.
            with contextlib.suppress(KeyError, ValueError, OSError):
                self._selector.unregister(self._port)
        self._port = port
        if port >= 0:
            self._selector.register(port, selectors.EVENT_READ, None)

    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back during a wait, whenever the descriptor is readable."""
        self._selector.register(fd, selectors.EVENT_READ, on_readable)

    def unwatch(self, fd: int) -> None:
        """End a watch; before the descriptor is closed."""
        self._selector.unregister(fd)

    def wake(self) -> None:
        """End the current or the next wait."""
        self._send(_LOOK_UP)

    def ask_to_end(self) -> None:
        """Have `on_end_asked` called where the loop runs, even if that is the parent process."""
        if os.getpid() != self._pid:
            self._send(_END)
        else:
            self.on_end_asked()
            self._send(_LOOK_UP)

    def _send(self, message: bytes) -> None:
        # Full means that a wake-up is under way already; closed, that nobody waits any more.
        with contextlib.suppress(OSError):
            self._ends[1].send(message)

    def _read_wake_ups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if _END in self._ends[0].recv(4096):
                self.on_end_asked()

    def leave(self) -> None:
        """In a forked child: close what only the parent's loop needs; `ask_to_end` still works."""
        with contextlib.suppress(OSError):  # a kqueue is not inherited, so closing it fails
            self._selector.close()
        self._ends[0].close()

    def close(self) -> None:
        """Let go of all descriptors; a later `wake` does nothing."""
        self._selector.close()
        for end in self._ends:
            end.close()
