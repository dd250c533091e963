"""An accept loop on a bench: everything around it is fake, the clock included."""

from collections.abc import Callable
from typing import Any

import attrs

from acceptor.core.accept_loop import AcceptLoop, Backoff, Orders
from acceptor.core.admission import Admission
from acceptor.core.deadlines import Timeouts
from acceptor.core.intake import JobIntake, ServingLoop
from acceptor.core.interfaces import AccessPolicy
from acceptor.core.job import Service
from acceptor.core.path import Rule
from acceptor.core.polling import READABLE, Poller
from acceptor.core.reporting import Reporter
from acceptor.core.waiting import Waiter
from tests.fakes import FakeDispatcher, ScriptedListener
from tests.support import Recorder


@attrs.define
class Clock:
    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@attrs.define(eq=False)
class ClockPoller(Poller):
    """At the port somebody always waits; time passes on the fake clock only."""

    _clock: Clock
    _port: int
    _end: Callable[[], object]
    _watched: set[int] = attrs.field(factory=set)
    waits: list[tuple[float | None, bool]] = attrs.field(factory=list)  # timeout, for a client

    def register(self, fd: int, eventmask: int, /) -> None:
        self._watched.add(fd)

    def modify(self, fd: int, eventmask: int, /) -> None:
        raise NotImplementedError

    def unregister(self, fd: int, /) -> None:
        self._watched.discard(fd)

    def poll(self, timeout: float | None, /) -> list[tuple[int, int]]:
        self.waits.append((timeout, self._port in self._watched))
        if self._port in self._watched:
            return [(self._port, READABLE)]
        if timeout is None:
            self._end()  # it would be for ever
        self._clock.now += timeout or 0.0
        return []

    def close(self) -> None:
        pass


@attrs.define(eq=False)
class Bench:
    """A loop with everything around it."""

    listener: ScriptedListener
    dispatcher: FakeDispatcher
    policy: AccessPolicy[object]
    clock: Clock
    recorder: Recorder = attrs.field(factory=Recorder)
    orders: Orders = attrs.field(factory=Orders)
    poller: ClockPoller = attrs.field(init=False)
    waiter: Waiter = attrs.field(init=False)
    admission: Admission = attrs.field(init=False)
    loop: ServingLoop[str, Any] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.poller = ClockPoller(self.clock, self.listener.fileno(), self.end)
        self.waiter = Waiter(self.end, self.poller)
        self.admission = Admission(self.dispatcher.limit, self.waiter.wake)
        now = self.clock.monotonic
        report = Reporter((self.recorder,))
        service: Service[str, Any] = Service(
            lambda request, peer: None, report, self.admission, Timeouts(connection=None), now
        )
        intake: JobIntake[str, Any] = JobIntake(
            self.admission, self.dispatcher, (Rule(self.policy),), service
        )
        backoff = Backoff(report, now)
        self.loop = AcceptLoop(self.listener, self.waiter, intake, report, self.orders, backoff)

    def end(self) -> None:
        self.orders.ending = True

    def pauses(self) -> list[float]:
        """Return how long it waited without taking clients."""
        return [round(timeout or 0, 3) for timeout, client in self.poller.waits if not client]
