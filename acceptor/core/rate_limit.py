"""Access by how fast somebody's clients come."""

import math
import threading
import time
from typing import ClassVar

import attrs

from acceptor.core.access import Policy
from acceptor.core.asking import ALLOWED, DENIED
from acceptor.core.buckets import Buckets
from acceptor.core.deadlines import Clock
from acceptor.core.peer_keys import PeerKeys, name_of
from acceptor.core.policy_options import check_clock, check_count, check_positive, written


@attrs.frozen(eq=False, repr=False)
class RateLimit(Policy[object]):
    """Allows each peer so many clients a second; make it with `limit_rate`."""

    is_stateful: ClassVar[bool] = True
    """Whether it would forget all if it were asked in a child."""

    per_second: float = attrs.field(validator=check_positive)
    burst: int = attrs.field(kw_only=True, validator=check_count)
    ipv6_prefix: int = attrs.field(default=64, kw_only=True)
    ipv4_prefix: int = attrs.field(default=32, kw_only=True)
    most_tracked: int = attrs.field(default=65_536, kw_only=True, validator=check_count)
    _clock: Clock = attrs.field(
        default=time.monotonic, kw_only=True, alias="clock", validator=check_clock
    )
    _keys: PeerKeys = attrs.field(init=False)
    _buckets: Buckets = attrs.field(init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        keys = PeerKeys(ipv6_prefix=self.ipv6_prefix, ipv4_prefix=self.ipv4_prefix)
        buckets = Buckets(self.per_second, self.burst, self.most_tracked)
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(self, "_buckets", buckets)

    def allows(self, peer: object, /) -> bool:
        """Take a token; unlike `explain`, which only looks."""
        key = self._keys.of(peer)
        with self._lock:
            return self._buckets.take(key, self._clock())

    def explain(self, peer: object, /) -> str:
        """Say how many tokens there are; takes none."""
        key = self._keys.of(peer)
        with self._lock:
            tokens = self._buckets.tokens(key, self._clock())
        if tokens >= 1:
            count = f"{math.floor(tokens)} of {self.burst} tokens"
            return f"{ALLOWED}{self!r} has {count} for {name_of(peer)}"
        wait = (1 - tokens) / self.per_second
        return f"{DENIED}{self!r} has the next token for {name_of(peer)} in {wait:.3g} s"

    def __repr__(self) -> str:
        return written(
            "limit_rate",
            self.per_second,
            burst=(self.burst, ...),
            ipv6_prefix=(self.ipv6_prefix, 64),
            ipv4_prefix=(self.ipv4_prefix, 32),
            most_tracked=(self.most_tracked, 65_536),
        )


def limit_rate(  # noqa: PLR0913 - each has its name
    per_second: float,
    *,
    burst: int,
    ipv6_prefix: int = 64,
    ipv4_prefix: int = 32,
    most_tracked: int = 65_536,
    clock: Clock = time.monotonic,
) -> Policy[object]:
    """Allow each peer `per_second` clients a second, and `burst` at once after a rest.

    A token bucket for each IPv4 or IPv6 prefix, or Unix user (path, if unknown); a proxied client
    has its own. To be asked takes a token, also if a later policy denies. The buckets belong to
    this object: all servers that use it share them, and so do no two objects made alike. (A forked
    child that asks after a handshake takes tokens only from its own copy.)

    Memory is bounded by `most_tracked` buckets. Full ones are forgotten first, at no cost to
    anybody. If so many are in use, the one seen longest ago is: nobody loses by that, and whoever
    it was may take a whole burst again. Who keeps on asking, allowed or denied, is not forgotten,
    unless `most_tracked` others come in between. So only an attacker who has more prefixes than
    that, and comes from all of them before a bucket has filled (`burst / per_second` seconds),
    exceeds the rate of each, by one burst a round. A shorter prefix makes one of many.

    One lock is held while a token is taken, and for nothing else.

    Raises:
        ConfigurationError: A number cannot work; it says which.
    """
    return RateLimit(
        per_second,
        burst=burst,
        ipv6_prefix=ipv6_prefix,
        ipv4_prefix=ipv4_prefix,
        most_tracked=most_tracked,
        clock=clock,
    )
