"""Token buckets by key: so many that any number of keys fits into bounded memory."""

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

import attrs

from acceptor.core.values import define

# How finely full buckets are told from others when room is needed: by this part of the time that
# an empty one takes to fill.
_SLOTS: Final = 64


@define(eq=False)
class Buckets:
    """A bucket for each key, full at first. Not for several threads at once.

    All that is kept of a bucket is when it will be full. One that is full is as good as one never
    seen, and forgotten. Those that will be full soon are found by time, in slots, and so each
    step takes the same time however many there are.
    """

    _per_second: float
    _burst: int
    _most_tracked: int
    # When each will be full; the least recently seen first. No plain dict: to find the first of
    # one that has lost many at its front takes longer the more they were.
    _full_at: OrderedDict[Hashable, float] = attrs.field(
        factory=OrderedDict[Hashable, float], init=False, repr=False
    )
    _by_slot: dict[int, set[Hashable]] = attrs.field(
        factory=dict[int, set[Hashable]], init=False, repr=False
    )
    _first_slot: int = attrs.field(default=0, init=False)  # none that was kept is in one before

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._full_at)

    def tokens(self, key: Hashable, now: float) -> float:
        """Return what is in a bucket."""
        return self._burst - self._missing(key, now)

    def _missing(self, key: Hashable, now: float) -> float:
        # Rounded, because times are: a bucket that has just enough in it would else deny.
        return round(max(0.0, self._full_at.get(key, now) - now) * self._per_second, 6)

    def take(self, key: Hashable, now: float) -> bool:
        """Take a token; False, and none is taken, if there is less than one."""
        self._forget_full(now)
        missing = self._missing(key, now) + 1
        if missing > self._burst:
            self._full_at.move_to_end(key)
            return False
        full_at = now + missing / self._per_second
        self._forget(key)
        if len(self._full_at) >= self._most_tracked:
            self._forget(next(iter(self._full_at)))
        self._full_at[key] = full_at
        self._by_slot.setdefault(self._slot(full_at), set()).add(key)
        return True

    def _slot(self, time: float) -> int:
        return math.floor(time * self._per_second / self._burst * _SLOTS)

    def _forget_full(self, now: float) -> None:
        slot = self._slot(now)
        # No bucket takes longer to fill than an empty one, so there is nothing behind so many.
        for past in range(self._first_slot, min(slot, self._first_slot + _SLOTS + 2)):
            for key in self._by_slot.pop(past, ()):
                del self._full_at[key]
        self._first_slot = max(slot, self._first_slot)

    def _forget(self, key: Hashable) -> None:
        full_at = self._full_at.pop(key, None)
        if full_at is not None:
            self._by_slot[self._slot(full_at)].discard(key)
