"""Access by how somebody's earlier clients have fared."""

import functools
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Hashable, MutableSequence
from typing import Final

import attrs

from acceptor.core.access import Policy
from acceptor.core.asking import ALLOWED, DENIED
from acceptor.core.deadlines import Clock
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Leave, RememberingPolicy
from acceptor.core.peer_keys import PeerKeys, name_of
from acceptor.core.policy_options import check_clock, check_count, check_positive, written
from acceptor.core.proxied import ProxiedPeer
from acceptor.core.values import frozen

_FAILURES: Final = (Outcome.DENIED, Outcome.HANDSHAKE_FAILED)


@frozen
class _Ban:
    until: float
    peer: object


@attrs.frozen(eq=False, repr=False)
class Bans(Policy[object], RememberingPolicy[object]):
    """Denies peers for a while that have failed too often; make it with `ban_after`."""

    failures: int = attrs.field(validator=check_count)
    within: float = attrs.field(kw_only=True, validator=check_positive)
    lasting: float = attrs.field(kw_only=True, validator=check_positive)
    ipv6_prefix: int = attrs.field(default=64, kw_only=True)
    most_tracked: int = attrs.field(default=65_536, kw_only=True, validator=check_count)
    _clock: Clock = attrs.field(
        default=time.monotonic, kw_only=True, alias="clock", validator=check_clock
    )
    _keys: PeerKeys = attrs.field(init=False)
    # When each has failed; who failed longest ago comes first. In arrays, a tenth of a deque.
    _failed: OrderedDict[Hashable, MutableSequence[float]] = attrs.field(
        factory=OrderedDict, init=False
    )
    # All bans last as long, so the first is the first to end.
    _bans: OrderedDict[Hashable, _Ban] = attrs.field(factory=OrderedDict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_keys", PeerKeys(ipv6_prefix=self.ipv6_prefix))

    def allows(self, peer: object, /) -> bool:
        """Say whether the peer is not banned now."""
        return not self._time_left(self._keys.of(peer))

    def enter(self, peer: object, /) -> Leave | None:
        """Let the peer in unless it is banned, and hear whether it fails."""
        key = self._keys.of(peer)
        if self._time_left(key):
            return None
        # What a proxy has said of it is as long as the proxy likes, and not kept.
        client = peer.client if isinstance(peer, ProxiedPeer) else peer
        return functools.partial(self._leave, key, client)

    def _leave(self, key: Hashable, peer: object, outcome: Outcome, /) -> None:
        if outcome in _FAILURES:
            with self._lock:
                self._note_failure(key, peer, self._clock())

    def _note_failure(self, key: Hashable, peer: object, now: float) -> None:
        self._forget(now)
        if key in self._bans:  # it came before it was banned
            return
        times = self._failed.pop(key, None) or array("d")
        times.append(now)
        del times[: -self.failures]
        if len(times) == self.failures and now - times[0] <= self.within:
            if len(self._bans) >= self.most_tracked:
                self._bans.popitem(last=False)
            self._bans[key] = _Ban(now + self.lasting, peer)
            return
        if len(self._failed) >= self.most_tracked:
            self._failed.popitem(last=False)
        self._failed[key] = times

    def _forget(self, now: float) -> None:
        while self._bans and next(iter(self._bans.values())).until <= now:
            self._bans.popitem(last=False)
        while self._failed and now - next(iter(self._failed.values()))[-1] > self.within:
            self._failed.popitem(last=False)

    def _time_left(self, key: Hashable) -> float:
        with self._lock:
            ban = self._bans.get(key)
            return 0.0 if ban is None else max(0.0, ban.until - self._clock())

    def banned(self) -> list[tuple[object, float]]:
        """Return who is banned, by the client that was the last straw, and for how many seconds."""
        with self._lock:
            self._forget(now := self._clock())
            return [(ban.peer, ban.until - now) for ban in self._bans.values()]

    def lift(self, peer: object) -> bool:
        """Let a peer in again and forget its failures; False if it was not banned."""
        key = self._keys.of(peer)
        with self._lock:
            self._forget(self._clock())
            self._failed.pop(key, None)
            return self._bans.pop(key, None) is not None

    def explain(self, peer: object, /) -> str:
        """Say for how long the peer is banned."""
        left = self._time_left(self._keys.of(peer))
        if left:
            return f"{DENIED}{self!r} bans {name_of(peer)} for {left:.3g} s more"
        return f"{ALLOWED}{self!r} does not ban {name_of(peer)}"

    def __repr__(self) -> str:
        return written(
            "ban_after",
            self.failures,
            within=(self.within, ...),
            lasting=(self.lasting, ...),
            ipv6_prefix=(self.ipv6_prefix, 64),
            most_tracked=(self.most_tracked, 65_536),
        )


def ban_after(  # noqa: PLR0913 - each has its name
    failures: int,
    *,
    within: float,
    lasting: float,
    ipv6_prefix: int = 64,
    most_tracked: int = 65_536,
    clock: Clock = time.monotonic,
) -> Bans:
    """Deny a peer for `lasting` seconds once so many of its clients failed in `within` seconds.

    A client fails that is denied by a policy behind this one, or does not get through a
    handshake. Peers are IPv4 addresses, IPv6 prefixes or Unix users; a proxied client is banned,
    and not its proxy. To be turned away by the ban is no further failure, and a ban that is over
    leaves none behind. The sender of a datagram can be forged, and so can its failures.

    Bans and failures belong to this object: all servers that use it share them, under one lock.
    Both are kept of at most `most_tracked` peers, with 8 bytes for each failure; beyond that
    they are forgotten of who failed longest ago, and the ban that ends first is lifted. So an
    attacker with that many prefixes can be rid of a ban, having failed for it as often in each.

    Raises:
        ConfigurationError: A number cannot work; it says which.
    """
    return Bans(
        failures,
        within=within,
        lasting=lasting,
        ipv6_prefix=ipv6_prefix,
        most_tracked=most_tracked,
        clock=clock,
    )
