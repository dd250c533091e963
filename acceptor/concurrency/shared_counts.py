"""Counts that a child process keeps and its parent reads."""

import mmap
from typing import Final

import attrs

from acceptor.core.interfaces import Traffic
from acceptor.core.values import define

_NUMBER: Final = 8  # bytes


@define(eq=False)
class SharedCounts:
    """Pairs of counts in memory that forked children share with their parent.

    A page is taken from the system when no pair of those before is free; none is given back.
    """

    _free: list[Traffic] = attrs.field(factory=list, init=False, repr=False)

    def take(self) -> Traffic:
        """Return a pair of zeros; to be given back."""
        try:
            pair = self._free.pop()
        except IndexError:
            numbers = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
            pairs = range(0, mmap.PAGESIZE // _NUMBER, 2)
            self._free.extend(numbers[at : at + 2] for at in pairs)
            pair = self._free.pop()
        pair[0] = pair[1] = 0
        return pair

    def give_back(self, pair: Traffic) -> Traffic:
        """Return a copy of the pair, which is used again for another child."""
        copy = [pair[0], pair[1]]
        self._free.append(pair)
        return copy
