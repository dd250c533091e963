"""Datagrams under a strategy whose threads can share one wait: taken and served by the same one."""

import contextlib
import select
import socket
import sys
from collections.abc import Callable, Collection
from typing import Any, Final

import attrs

from acceptor.core.interfaces import (
    Borrower,
    Dispatcher,
    HasRelay,
    Job,
    Relay,
    RelayWork,
)
from acceptor.core.polling import READABLE
from acceptor.core.values import define

_NOTHING: Final[tuple[tuple[None, Job], ...]] = ()


def relayed(strategy: object, dispatcher: Dispatcher, workers: int) -> Dispatcher:
    """Return a dispatcher whose threads take short requests by themselves, if there can be one."""
    if sys.platform == "linux" and isinstance(strategy, HasRelay):
        if not isinstance(dispatcher, Borrower):
            return RelayDispatcher.of(strategy, dispatcher, workers)
    return dispatcher


if sys.platform == "linux":

    @define(eq=False)
    class _Port(RelayWork):
        """A lent port, as the relay sees it: each piece of work is a request that was taken.

        Waited at by one thread at a time. `lend` and `give_back` come from another, and change one
        field each; whether anything may be taken is for `take` to say.
        """

        _take: Callable[[], Job | None] | None = attrs.field(default=None, init=False)
        _port: int = attrs.field(default=-1, init=False)
        _poller: select.epoll = attrs.field(factory=select.epoll, init=False, repr=False)
        _bell: tuple[socket.socket, socket.socket] = attrs.field(
            factory=socket.socketpair, init=False, repr=False
        )

        def __attrs_post_init__(self) -> None:
            for end in self._bell:
                end.setblocking(False)
            self._poller.register(self._bell[0].fileno(), READABLE)

        def lend(self, port: int, take: Callable[[], Job | None]) -> None:
            """Wait there, too, and take what has come."""
            self._take = take
            self._port = port
            self._poller.register(port, READABLE)

        def give_back(self) -> None:
            """Wait there no more."""
            port, self._port, self._take = self._port, -1, None
            if port >= 0:
                with contextlib.suppress(OSError, ValueError):
                    self._poller.unregister(port)

        def wait(self) -> tuple[tuple[None, Job], ...]:
            """Take one request; wait for one, or for `wake`, if there is none."""
            take = self._take
            if take is not None and (job := take()) is not None:
                return ((None, job),)
            for fd, _ in self._poller.poll():
                if fd != self._port:
                    with contextlib.suppress(BlockingIOError):
                        self._bell[0].recv(4096)
            return _NOTHING

        def wake(self) -> None:
            """End the current or the next wait."""
            with contextlib.suppress(OSError):  # it is full, so the wait ends; or it is over
                self._bell[1].send(b"\0")

        def do(self, piece: Any, me: int, /) -> None:
            """Serve one request."""
            piece[1].run(patient=True)

        def close(self) -> None:
            """Let go of what is waited with."""
            self._poller.close()
            for end in self._bell:
                end.close()

    @define(eq=False)
    class RelayDispatcher(Borrower, Dispatcher):
        """Lends the port to threads that share one wait; all else is the strategy's own business.

        While the port is lent, whichever thread waits takes one request and serves it, and another
        takes the wait over if that takes long. So a short request changes threads not once.
        """

        _strategy: HasRelay
        _inner: Dispatcher
        workers: int  # pyright: ignore[reportIncompatibleMethodOverride]
        _port: _Port = attrs.field(factory=_Port, init=False)
        _relay: Relay = attrs.field(init=False)

        def __attrs_post_init__(self) -> None:
            self._relay = self._strategy.relay(self._port)

        @classmethod
        def of(cls, strategy: HasRelay, inner: Dispatcher, workers: int) -> "RelayDispatcher":
            """Make one."""
            return cls(strategy, inner, workers)

        def lend(
            self, port: int, take: Callable[[], Job | None], hand_back: Callable[[], object], /
        ) -> None:
            """Have the relay wait at the port; it always can.

            Raises:
                ResourceError: The machine gives no threads.
            """
            self._relay.start()
            self._port.lend(port, take)
            self._port.wake()

        def give_back(self) -> None:
            """Have nobody wait there any more."""
            self._port.give_back()

        def submit(self, job: Job, /) -> None:
            """Have one of the strategy's own workers run it."""
            self._inner.submit(job)

        def cut(self, jobs: Collection[Job], timeout: float) -> None:
            """Make these jobs end now."""
            self._inner.cut(jobs, timeout)

        def close(self) -> None:
            """Let all threads go."""
            self._relay.close()
            self._inner.close()
