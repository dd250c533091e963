"""Any order of calls, from several threads: a legal state, a typed error, and never a hang."""

import contextlib
import functools
import socket
from collections.abc import Callable
from typing import Any, Final

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from acceptor import (
    Accepted,
    Closed,
    Draining,
    DrainReport,
    LifecycleError,
    Limits,
    Listening,
    Outcome,
    Phase,
    Server,
    Stopped,
)
from acceptor.core.lifecycle import NEXT
from tests.core.kit import at_once, leave
from tests.fakes import Call, hold, in_phase, tcp
from tests.support import Recorder, connect

# All of these return soon, whatever the server is at.
CALLS: Final[dict[str, Callable[[Server[Any, Any]], object]]] = {
    "listen": lambda server: server.listen(),
    "start": lambda server: server.start(),
    "pause": lambda server: server.pause(),
    "resume": lambda server: server.resume(),
    "shutdown": lambda server: server.shutdown(),
    "hurry": lambda server: server.hurry(),
    "wait": lambda server: server.wait(0),
    "drain": lambda server: server.drain(0),
    "lame duck": lambda server: server.drain(0, lame_duck=0.001),
    "stop": lambda server: server.stop(),
    "enter": lambda server: server.__enter__(),
    "leave": lambda server: server.__exit__(KeyError, KeyError(), None),
    "address": lambda server: server.address,
    "fileno": lambda server: server.fileno(),
    "stats": lambda server: server.stats,
    "plan": lambda server: str(server.plan()),
    "connections": lambda server: server.connections(),
    "close a connection": lambda server: server.close_connection(1),
    "limits": lambda server: setattr(server, "limits", Limits(max_connections=3)),
}
# These may end it; they come last in a list of choices, which is what is tried least.
LASTING: Final = [name for name in CALLS if name not in ("drain", "stop", "leave", "lame duck")]


def reachable(phase: Phase) -> set[Phase]:
    """Return the phases that may come after this one, in any number of moves."""
    found = {phase}
    while more := {then for now in found for then in NEXT[now]} - found:
        found |= more
    return found


class LifecycleMachine(RuleBasedStateMachine):
    """Does to one server whatever can be done to it."""

    strategy = "sync"

    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder()
        stage = getattr(tcp(), self.strategy)().observe(self.recorder)
        self.server: Server[Any, Any] = stage.handler(hold).build()
        self.phase = Phase.NEW
        self.background: list[Call] = []
        # None for each who was refused: what comes next must not depend on whether it was.
        self.clients: list[socket.socket | None] = []

    def check(self, result: object) -> None:
        """Raise what no call may raise."""
        if isinstance(result, Exception) and not isinstance(result, LifecycleError):
            raise result

    @rule(name=st.sampled_from(LASTING))
    def one_call(self, name: str) -> None:
        self.check(Call(lambda: CALLS[name](self.server)).result())

    @rule(names=st.lists(st.sampled_from(list(CALLS)), min_size=2, max_size=4))
    def calls_at_once(self, names: list[str]) -> None:
        for call in at_once(*(functools.partial(CALLS[name], self.server) for name in names)):
            self.check(call.result())

    @precondition(lambda self: len(self.background) < 4)
    @rule(name=st.sampled_from(["serve_forever", "wait", "handle_request"]))
    def call_that_stays(self, name: str) -> None:
        self.background.append(Call(getattr(self.server, name)))

    @precondition(lambda self: len(self.clients) < 8)
    @rule()
    def client_comes(self) -> None:
        try:
            self.clients.append(connect(self.server.address))
        except (LifecycleError, ConnectionError):
            self.clients.append(None)

    @precondition(lambda self: self.clients)
    @rule(says_something=st.booleans())
    def client_leaves(self, says_something: bool) -> None:
        client = self.clients.pop(0)
        if client is not None:
            with contextlib.suppress(ConnectionError):
                client.sendall(b"?" * says_something)
            leave(client)

    @rule(name=st.sampled_from(["drain", "stop", "leave", "lame duck"]))
    def end(self, name: str) -> None:
        report = Call(lambda: CALLS[name](self.server)).result()
        self.check(report)
        assert in_phase(self.server, Phase.CLOSED)

    @invariant()
    def phase_is_legal(self) -> None:
        phase = self.server.phase
        assert phase in reachable(self.phase)
        self.phase = phase

    @invariant()
    def counters_add_up(self) -> None:
        counts = attrs.asdict(self.server.stats)
        accepted, active = counts.pop("accepted"), counts.pop("active")
        del counts["refused"], counts["backlog"]
        assert accepted == active + sum(counts.values())

    def teardown(self) -> None:
        """End it, and look back."""
        report = Call(self.server.stop).result()
        for call in self.background:
            self.check(call.result())
        for client in self.clients:
            if client is not None:
                leave(client)
        self.check(report)
        assert isinstance(report, DrainReport)
        assert in_phase(self.server, Phase.CLOSED)
        self.events_are_whole(report)

    def events_are_whole(self, report: DrainReport) -> None:
        """Each accepted client has one end, and the report counts those of the drain."""
        accepted = [event.id for event in self.recorder.of(Accepted)]
        closed = self.recorder.wait_for(Closed, len(accepted)) if accepted else []
        assert sorted(event.id for event in closed) == accepted == sorted(set(accepted))
        for kind in (Listening, Draining, Stopped):
            assert len(self.recorder.of(kind)) <= 1
        assert self.recorder.of(Stopped) == [Stopped(report=report)]
        cut = [event for event in closed if event.outcome is Outcome.CUT]
        assert len(cut) == self.server.stats.cut >= report.cut


class ThreadedLifecycleMachine(LifecycleMachine):
    """The same with a thread for each client."""

    strategy = "threaded"


TestLifecycle = LifecycleMachine.TestCase
TestThreadedLifecycle = ThreadedLifecycleMachine.TestCase
TestLifecycle.settings = TestThreadedLifecycle.settings = settings(
    max_examples=30,
    stateful_step_count=15,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
