"""A server for the length of a block: listening before it begins, and gone when it has ended."""

import contextlib
import socket
import threading
from abc import abstractmethod
from collections.abc import Generator
from typing import Any, Final, Generic, Protocol, Self, TypeAlias, TypeVar

import attrs

from acceptor.core.deadlines import Clock
from acceptor.core.events import (
    Accepted,
    Closed,
    HandlerFailed,
    Observer,
    Outcome,
    RefusalReason,
    Refused,
)
from acceptor.core.server import Server
from acceptor.testing.clock import FakeClock
from acceptor.testing.connecting import connect
from acceptor.testing.patience import PATIENCE, wait_until
from acceptor.testing.recorder import EventRecorder

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")
RequestT_co = TypeVar("RequestT_co", covariant=True)
PeerT_co = TypeVar("PeerT_co", covariant=True)

GRACE: Final = 1.0
"""Seconds that requests have to end by themselves when the block has ended."""


class Buildable(Protocol[RequestT_co, PeerT_co]):
    """What the builder's last stage has, `Ready`."""

    @abstractmethod
    def observe(self, observer: Observer, /) -> Self:
        """Have a function called with each event."""

    @abstractmethod
    def clock(self, new_clock: Clock, /) -> Self:
        """Measure time by another clock."""

    @abstractmethod
    def build(self) -> Server[RequestT_co, PeerT_co]:
        """Make a server."""


Servable: TypeAlias = Buildable[RequestT, PeerT] | Server[RequestT, PeerT]


@attrs.define(eq=False)
class Serving(Generic[RequestT, PeerT]):
    """A server that runs, for a test to talk to."""

    server: Server[RequestT, PeerT]
    events: EventRecorder
    """All that it has told since it began to listen."""
    _clients: contextlib.ExitStack = attrs.field(
        factory=contextlib.ExitStack, init=False, repr=False
    )
    _client: socket.socket | None = attrs.field(default=None, init=False)

    @property
    def address(self) -> PeerT:
        """Where it listens, with the port that the system chose."""
        return self.server.address

    @property
    def client(self) -> socket.socket:
        """The client that `serve(..., client=True)` has connected."""
        if self._client is None:
            raise AttributeError("no client: ask for it with serve(..., client=True)")
        return self._client

    def connect(self, timeout: float | None = PATIENCE) -> socket.socket:
        """Connect one more client; it is closed at the end of the block, unless it is before.

        For datagrams it is a socket that sends to the server. `timeout` is the client's own.
        """
        client = self._clients.enter_context(connect(self.server.listener))
        self._clients.callback(_say_goodbye, client)
        client.settimeout(timeout)
        return client

    def connect_first(self) -> None:
        """Connect the one that `client` is."""
        self._client = self.connect()

    def leave(self) -> None:
        """Close all clients."""
        self._clients.close()


def _say_goodbye(client: socket.socket) -> None:
    """Shut a client before it is closed: a forked child may hold a copy of it open."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def serve(
    what: Servable[RequestT, PeerT],
    *,
    client: bool = False,
    clock: Clock | None = None,
    may_fail: bool = False,
    grace: float = GRACE,
) -> Generator[Serving[RequestT, PeerT], None, None]:
    """Serve in the background for the length of a `with` block.

    Takes what `.handler(...)` of the builder returns, or a server that does not serve yet. It
    listens before the block begins; with `client` there is one connected already, `.client`. At
    its end all clients made here are closed, requests have `grace` seconds to end by themselves,
    and then nothing is left: no port, thread or child. `clock` is given to the server; a
    `FakeClock` also wakes it whenever it is advanced.

    Raises:
        AssertionError: A handler or a policy raised, unless it `may_fail`, or a worker was lost.
        Exception: What broke the server's own loop.
    """
    events = EventRecorder()
    server = _prepared(what, events, clock)
    threads = set(threading.enumerate())
    server.start()
    serving = Serving(server, events)
    try:
        with _woken_by(clock, server):
            if client:
                serving.connect_first()
            yield serving
    except BaseException as error:
        serving.leave()
        server.stop()
        for note in _failures(events):
            error.add_note(f"besides, {note}")
        raise
    serving.leave()
    events.wait_until(_is_idle, grace)
    server.drain(0.0)
    _await_threads(threads)
    if not may_fail:
        _judge(events)


def _prepared(
    what: Servable[RequestT, PeerT], events: EventRecorder, clock: Clock | None
) -> Server[RequestT, PeerT]:
    if isinstance(what, Server):
        if clock is not None:
            raise TypeError("a server has its clock already; give it to the builder instead")
        # Nobody but us adds an observer to a server that is built.
        what._report.observers += (events,)
        return what
    stage = what if clock is None else what.clock(clock)
    return stage.observe(events).build()


@contextlib.contextmanager
def _woken_by(clock: Clock | None, server: Server[Any, Any]) -> Generator[None, None, None]:
    if not isinstance(clock, FakeClock):
        yield
        return

    with server.wake_end() as end:

        def wake() -> None:
            with contextlib.suppress(BlockingIOError):  # full, so awake already
                end.send(b"\0")

        unsubscribe = clock.subscribe(wake)
        try:
            yield
        finally:
            unsubscribe()


def _is_idle(events: EventRecorder) -> bool:
    return len(events.of(Accepted)) <= len(events.of(Closed))


def _await_threads(before: set[threading.Thread]) -> None:
    """Wait until the server's own threads are gone; they have been told to go.

    Not for long: those of another server have the same names.
    """

    def is_left(thread: threading.Thread) -> bool:
        return thread not in before and thread.name.startswith("acceptor")

    with contextlib.suppress(AssertionError):
        wait_until(lambda: not any(map(is_left, threading.enumerate())), timeout=GRACE)


def _failures(events: EventRecorder) -> list[str]:
    """Return in words what must not happen in a test that does not expect it."""
    found = [f"the handler failed for {e.peer}: {e.error!r}" for e in events.of(HandlerFailed)]
    found += [
        f"the access policy failed for {event.peer}: {event.error!r}"
        for event in events.of(Refused, lambda event: event.reason is RefusalReason.POLICY_FAILED)
    ]
    told = {event.id for event in events.of(HandlerFailed)}
    for event in events.of(Closed):
        if event.outcome is Outcome.LOST:
            found.append(f"the worker that served {event.peer} was lost")
        elif event.outcome is Outcome.FAILED and event.id not in told:
            found.append(f"the handler failed for {event.peer} in a child; its log says how")
    return found


def _judge(events: EventRecorder) -> None:
    failures = _failures(events)
    if failures:
        causes = [event.error for event in events.of(HandlerFailed)]
        causes += [event.error for event in events.of(Refused) if event.error is not None]
        raise AssertionError("; ".join(failures)) from (causes[0] if causes else None)
