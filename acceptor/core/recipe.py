"""What a server is made of: the one value that holds all parts."""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from acceptor.core.asking import parts, remembers
from acceptor.core.deadlines import Clock, Timeouts
from acceptor.core.events import Observer
from acceptor.core.interfaces import Concurrency, Transport
from acceptor.core.limits import Limits
from acceptor.core.path import Reloadable, Rule, Step
from acceptor.core.values import frozen

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")


def _has_files(part: Reloadable) -> bool:
    return bool(getattr(part, "is_from_files", True))  # TLS may have been given a context


@frozen(kw_only=True)
class Recipe(Generic[RequestT, PeerT]):
    """The parts of a server; it opens nothing, and can be used for many."""

    transport: Transport[RequestT, PeerT]
    concurrency: Concurrency
    rules: tuple[Rule[PeerT], ...] = ()  # judged in the accept thread, in this order
    handler: Callable[[RequestT, PeerT, Any], object]
    observers: tuple[Observer, ...] = ()
    limits: Limits = attrs.field(factory=Limits)
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    clock: Clock = time.monotonic

    @property
    def steps(self) -> tuple[Step, ...]:
        """All that stands on a client's way, in this order."""
        return (*self.rules, *getattr(self.transport, "steps", ()))

    @property
    def files(self) -> tuple[Reloadable, ...]:
        """What was made of files, and can be made of them again."""
        found: list[Reloadable] = []
        for step in self.steps:
            made = parts(step.policy) if isinstance(step, Rule) else (step,)
            found += [part for part in made if isinstance(part, Reloadable) and _has_files(part)]
        return tuple(found)

    @property
    def remembers(self) -> bool:
        """Whether there are policies that want to hear what became of whom they let in."""
        return any(isinstance(step, Rule) and remembers(step.policy) for step in self.steps)
