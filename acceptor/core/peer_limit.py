"""Access by how many clients somebody has already."""

import functools
import threading
from collections import Counter
from collections.abc import Hashable

import attrs

from acceptor.core.access import Policy
from acceptor.core.asking import ALLOWED, DENIED
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Leave, RememberingPolicy
from acceptor.core.peer_keys import PeerKeys, name_of
from acceptor.core.policy_options import check_count, written


@attrs.frozen(eq=False, repr=False)
class PeerLimit(Policy[object], RememberingPolicy[object]):
    """Allows each peer so many clients at a time; make it with `limit_per_peer`."""

    most: int = attrs.field(validator=check_count)
    ipv6_prefix: int = attrs.field(default=64, kw_only=True)
    _keys: PeerKeys = attrs.field(init=False)
    _counts: Counter[Hashable] = attrs.field(factory=Counter[Hashable], init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_keys", PeerKeys(ipv6_prefix=self.ipv6_prefix))

    def allows(self, peer: object, /) -> bool:
        """Say whether the peer may have one more now; counts nothing."""
        return self._count_of(peer) < self.most

    def enter(self, peer: object, /) -> Leave | None:
        """Count the peer's client until it has gone."""
        key = self._keys.of(peer)
        with self._lock:
            if self._counts[key] >= self.most:
                return None
            self._counts[key] += 1
        return functools.partial(self._leave, key)

    def _leave(self, key: Hashable, outcome: Outcome, /) -> None:
        with self._lock:
            self._counts[key] -= 1
            if not self._counts[key]:  # or it would remember every peer there ever was
                del self._counts[key]

    def _count_of(self, peer: object) -> int:
        key = self._keys.of(peer)
        with self._lock:
            return self._counts[key]

    def explain(self, peer: object, /) -> str:
        """Say how many clients the peer has."""
        count = self._count_of(peer)
        verdict = ALLOWED if count < self.most else DENIED
        return f"{verdict}{self!r} counts {count} of {name_of(peer)}"

    def __repr__(self) -> str:
        return written("limit_per_peer", self.most, ipv6_prefix=(self.ipv6_prefix, 64))


def limit_per_peer(most: int, *, ipv6_prefix: int = 64) -> Policy[object]:
    """Allow each peer so many clients at a time: IPv4 address, IPv6 prefix, or Unix user.

    As `Limits.per_peer`, but where it stands in the chain: behind a PROXY header it counts by the
    real client. The count belongs to this object, and is shared by all servers that use it; it
    has an entry for each peer that has a client now, under one lock.

    Raises:
        ConfigurationError: A number cannot work; it says which.
    """
    return PeerLimit(most, ipv6_prefix=ipv6_prefix)
