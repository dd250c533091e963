"""What a fault is."""

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias

import attrs

from chaos.lab import DATAGRAMS, STREAMS, Lab

Strike: TypeAlias = Callable[[Lab], float | None]
"""Does the harm. Returns when it ends, on `time.monotonic`; None if it has ended by now."""

TRANSPORTS: Final = (
    "tcp",
    "unix_stream",
    "tcp_framed",
    "unix_stream_framed",
    "udp",
    "unix_datagram",
)
STRATEGIES: Final = ("sync", "threaded", "pooled", "forked")

EVERYWHERE: Final = STREAMS | DATAGRAMS

NO_CONNECTION: Final = "datagrams: there is no connection"
NO_MESSAGE: Final = "not framed: no connection is at rest between messages"


@attrs.frozen
class Fault:
    """One thing that goes wrong, where it can happen, and what a server owes to others then."""

    name: str
    required: str
    """What is required beyond what is required of every fault."""
    strike: Strike
    transports: Collection[str] = attrs.field(default=EVERYWHERE, kw_only=True)
    strategies: Collection[str] = attrs.field(default=STRATEGIES, kw_only=True)
    elsewhere: str = attrs.field(default="", kw_only=True)
    """Why it cannot happen on other transports, or under other strategies."""
    must_tell: str = attrs.field(default="", kw_only=True)
    """Outcome that must be told; it may be beside that of the ordinary clients."""
    may_tell: Collection[str] = attrs.field(default=(), kw_only=True)
    """Outcomes that may be told."""
    pauses: bool = attrs.field(default=False, kw_only=True)
    """Whether the server must say that it pauses."""
    parts: Collection[str] = attrs.field(default=(), kw_only=True)
    """What of the server must be of the kind that can be troubled."""
    timeouts: Mapping[str, float] = attrs.field(factory=dict, kw_only=True)
    limits: Mapping[str, int] = attrs.field(factory=dict, kw_only=True)

    def happens(self, transport: str, strategy: str) -> bool:
        """Whether it can happen there."""
        return transport in self.transports and strategy in self.strategies
