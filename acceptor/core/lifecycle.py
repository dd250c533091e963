"""The life of a server: one enum, one table of moves, one place that checks them."""

import enum
import threading
from collections.abc import Mapping
from typing import Final

import attrs

from acceptor.core.errors import LifecycleError
from acceptor.core.values import define


class Phase(enum.Enum):
    """Where a server is in its life."""

    NEW = "new"
    LISTENING = "listening"
    SERVING = "serving"
    PAUSED = "paused"
    DRAINING = "draining"
    CLOSED = "closed"


NEXT: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.NEW: frozenset({Phase.LISTENING, Phase.DRAINING}),
    Phase.LISTENING: frozenset({Phase.SERVING, Phase.DRAINING}),
    Phase.SERVING: frozenset({Phase.PAUSED, Phase.LISTENING, Phase.DRAINING}),
    Phase.PAUSED: frozenset({Phase.SERVING, Phase.LISTENING, Phase.DRAINING}),
    Phase.DRAINING: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}

_WAY_OUT: Final[Mapping[Phase, str]] = {
    Phase.NEW: "call listen(), serve_forever() or start() first",
    Phase.LISTENING: "call serve_forever() or start() first",
    Phase.SERVING: "call shutdown() to end the loop, or drain() to close the server",
    Phase.PAUSED: "call resume() to go on, or drain() to close the server",
    Phase.DRAINING: "wait() returns when it is closed; build() makes another server",
    Phase.CLOSED: "build() makes another server",
}


def refusal(act: str, phase: Phase) -> LifecycleError:
    """Return the error that says what the server is and what to call instead."""
    return LifecycleError(f"cannot {act}: the server is {phase.value}; {_WAY_OUT[phase]}")


@define(eq=False)
class Lifecycle:
    """The current phase of one server; every change goes through `advance`."""

    phase: Phase = attrs.field(default=Phase.NEW, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def advance(self, to: Phase, act: str, *, only_from: Phase | None = None) -> Phase:
        """Move to another phase and return the one before.

        Raises:
            LifecycleError: The table has no such move, or the phase is not `only_from`.
        """
        with self._lock:
            before = self.phase
            if to not in NEXT[before] or only_from not in (None, before):
                raise refusal(act, before)
            self.phase = to
            return before

    def try_advance(self, to: Phase) -> bool:
        """Move to another phase if the table has that move; say whether it was made."""
        with self._lock:
            if to not in NEXT[self.phase]:
                return False
            self.phase = to
            return True
