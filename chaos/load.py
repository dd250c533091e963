"""Clients that never tire: some behave, some do not."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from chaos.client_faults import CLIENT_FAULTS
from chaos.lab import Lab
from chaos.server_faults import handler_raises

# How often an ordinary client may be let down before one stops counting.
_ENOUGH: Final = 20

# Between two misdeeds, or a flood of datagrams would be all that there is. Seconds.
_REST: Final = 0.1


@attrs.define(eq=False)
class Load:
    """Threads that are clients, each in a lab of its own; owned by whoever calls `end`."""

    _new_lab: Callable[[], Lab]
    answers: int = attrs.field(default=0, init=False)
    deeds: int = attrs.field(default=0, init=False)
    complaints: list[str] = attrs.field(factory=list, init=False)
    """What ordinary clients did not like."""
    _over: threading.Event = attrs.field(factory=threading.Event, init=False)
    _threads: list[threading.Thread] = attrs.field(factory=list, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def begin(self, ordinary: int) -> None:
        """Start so many ordinary clients, and one of the other kind."""
        for life in [*[self._behave] * ordinary, self._misbehave]:
            thread = threading.Thread(target=self._live, args=(life,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _live(self, life: Callable[[Lab], None]) -> None:
        lab = self._new_lab()
        while not self._over.is_set() and len(self.complaints) < _ENOUGH:
            try:
                life(lab)
            except (OSError, ValueError) as error:
                with self._lock:
                    self.complaints.append(f"{type(error).__name__}: {error}")
            finally:
                lab.leave()

    def _behave(self, lab: Lab) -> None:
        lab.ask()
        with self._lock:
            self.answers += 1

    def _misbehave(self, lab: Lab) -> None:
        end = random.choice(_deeds(lab))(lab)
        with self._lock:
            self.deeds += 1
        self._over.wait(max(_REST, (end or 0.0) - time.monotonic()))

    def ask_to_end(self) -> None:
        """Have all of them stop soon."""
        self._over.set()

    def end(self) -> None:
        """Stop all of them, and wait until they have."""
        self.ask_to_end()
        for thread in self._threads:
            thread.join()


def _deeds(lab: Lab) -> Sequence[Callable[[Lab], float | None]]:
    """Return what can be done to this server."""
    deeds = [it.strike for it in CLIENT_FAULTS if it.happens(lab.transport, lab.strategy)]
    return [*deeds, handler_raises, *([_dies] if lab.strategy == "forked" else [])]


def _dies(lab: Lab) -> None:
    lab.tell(b"die\n")
