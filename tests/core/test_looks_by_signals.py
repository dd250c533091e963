"""A signal's handler that looks at the server, in the midst of what its own thread does there."""

import contextlib
import signal
from collections.abc import Callable, Generator

import attrs
import pytest

from acceptor import Limits, ServerBuilder, Stats
from acceptor.testing import ScriptedTransport
from tests.fakes import FakeIncoming, ScriptedListener, scripted
from tests.support import PATIENCE

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs such a signal")


@attrs.define(eq=False)
class Bell:
    """Sends a signal to the main thread, whose handler looks, once; here and now."""

    look: Callable[[], Stats]
    seen: list[Stats] = attrs.field(factory=list[Stats], init=False)
    is_armed: bool = attrs.field(default=False, init=False)

    def ring(self) -> None:
        if self.is_armed:
            self.is_armed = False
            signal.raise_signal(signal.SIGUSR1)

    @contextlib.contextmanager
    def heard(self) -> Generator[None, None, None]:
        """Handle the signal meanwhile; one who waits for himself is ended by an alarm."""
        before = signal.signal(signal.SIGUSR1, lambda *_: self.seen.append(self.look()))
        alarm = signal.signal(signal.SIGALRM, _fail)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        self.is_armed = True
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)
            signal.signal(signal.SIGUSR1, before)


def _fail(*_: object) -> None:
    raise AssertionError("the handler waits for its own thread")


def test_signal_handler_may_look_while_its_thread_counts_peers() -> None:
    class Host(str):
        __slots__ = ()

        def __hash__(self) -> int:  # asked for where the peer is looked up
            bell.ring()
            return super().__hash__()

    @attrs.frozen
    class Somebody:
        host: str

    _, stage = scripted(FakeIncoming(peer=Somebody(Host("somebody"))))
    stage = stage.sync().limits(Limits(per_peer=2))
    server = stage.handler(lambda *_: None).build()
    bell = Bell(lambda: server.stats)

    with server, bell.heard():
        assert server.handle_request()

    assert [stats.accepted for stats in bell.seen] == [0]


def test_signal_handler_may_look_while_its_thread_asks_who_waits() -> None:
    class Asked(ScriptedListener):
        def waiting(self) -> int | None:
            bell.ring()
            return super().waiting()

    transport = ScriptedTransport(Asked([FakeIncoming()]))
    server = ServerBuilder().transport(transport).handler(lambda *_: None).build()
    bell = Bell(lambda: server.stats)

    with server, bell.heard():
        backlog = server.stats.backlog

    assert [stats.backlog for stats in bell.seen] == [backlog]
