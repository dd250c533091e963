"""What a server is made of: the one value that holds all parts."""

import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from acceptor.core.access import AllOf, AllowAll
from acceptor.core.deadlines import Clock, Timeouts
from acceptor.core.events import Observer
from acceptor.core.interfaces import AccessPolicy, Concurrency, Transport
from acceptor.core.limits import Limits

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")


@attrs.frozen(kw_only=True)
class Recipe(Generic[RequestT, PeerT]):
    """The parts of a server; it opens nothing, and can be used for many."""

    transport: Transport[RequestT, PeerT]
    concurrency: Concurrency
    policies: tuple[AccessPolicy[PeerT], ...] = ()
    handler: Callable[[RequestT, PeerT, Any], object]
    observers: tuple[Observer, ...] = ()
    limits: Limits = attrs.field(factory=Limits)
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    clock: Clock = time.monotonic

    @property
    def policy(self) -> AccessPolicy[PeerT]:
        """All policies as one: each must allow."""
        if not self.policies:
            return AllowAll()
        return self.policies[0] if len(self.policies) == 1 else AllOf(self.policies)
