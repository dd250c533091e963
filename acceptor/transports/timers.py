"""When held connections have kept their server waiting for too long."""

import heapq
import math
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from acceptor.core.deadlines import Clock, Timeouts
from acceptor.transports.held import HeldConnection
from acceptor.transports.stream import LINGER_SECONDS

# How long until one whose time would be over, were it not served just now, is looked at again.
_AGAIN: Final = 1.0  # seconds

# Entries that may outlive their connections before they are sorted out.
_SPARE: Final = 1024


def _or_never(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


@attrs.define(eq=False)
class Timers:
    """Ends connections whose time is over. Belongs to the thread that drives the accept loop.

    A connection at rest costs nothing here: its entry says when its time would be over if nothing
    came, and is only looked at then. By then, most have a later one. Entries have no connections in
    them, by number and descriptor `_held` does: one that has ended, and its session, is let go of.
    """

    _held: Mapping[int, HeldConnection]
    _timeouts: Timeouts
    _clock: Clock
    _expire: Callable[[HeldConnection], object]
    due: float = attrs.field(default=math.inf, init=False)
    """When `run` is to be called, on the clock."""
    _entries: list[tuple[float, int, int]] = attrs.field(factory=list, init=False, repr=False)
    _live: int = attrs.field(default=0, init=False)
    _first: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        timeouts = self._timeouts
        limits = (timeouts.first_data, timeouts.idle, timeouts.connection)
        self._first = min(map(_or_never, limits))  # idle may be the shorter one

    def watch_new(self, connection: HeldConnection) -> None:
        """See that one that was just opened is ended in time."""
        self._add(connection.active + self._first, connection)

    def watch(self, connection: HeldConnection, at_least: float = 0.0) -> None:
        """See that it is ended in time; again where it may now be sooner than it was."""
        at = self.deadline_of(connection)
        if at_least:
            at = max(at, self._clock() + at_least)
        self._add(at, connection)

    def _add(self, at: float, connection: HeldConnection) -> None:
        if at < connection.watched:  # one entry counts, the soonest
            connection.watched = at
            heapq.heappush(self._entries, (at, connection.id, connection.fd))
            if at < self.due:  # noqa: PLR1730 - a third of the time of `min`
                self.due = at
            if len(self._entries) > 2 * self._live + _SPARE:
                self._sort_out()

    def _sort_out(self) -> None:
        self._entries[:] = [it for it in self._entries if self._watched_by(*it) is not None]
        heapq.heapify(self._entries)
        self._live = len(self._entries)

    def _watched_by(self, at: float, id: int, fd: int) -> HeldConnection | None:
        """Return whose entry this is; None if it has ended, or has another one by now."""
        connection = self._held.get(fd)
        counts = connection is not None and connection.id == id and connection.watched == at
        return connection if counts else None

    def deadline_of(self, connection: HeldConnection, *, claimed: bool = False) -> float:
        """Return when its time is over, if nothing changes; `claimed` if nobody serves it."""
        timeouts = self._timeouts
        end = connection.since + _or_never(timeouts.connection)
        if connection.lingers:
            return connection.flushed + LINGER_SECONDS
        if connection.opening is not None:
            limit = connection.since + _or_never(timeouts.handshake)
        elif not claimed and connection.is_served:
            limit = self._clock() + _AGAIN
        elif connection.out is not None:
            limit = connection.flushed + _or_never(timeouts.write)
        elif connection.traffic[0]:
            limit = connection.active + _or_never(timeouts.idle)
        else:
            limit = connection.active + _or_never(timeouts.first_data)
        return min(limit, end)

    def run(self, now: float) -> None:
        """End those whose time is over; find out when to look again."""
        entries = self._entries
        while entries and entries[0][0] <= now:
            connection = self._watched_by(*heapq.heappop(entries))
            if connection is None:
                continue
            connection.watched = math.inf
            at = self.deadline_of(connection)
            if at > now:
                idle = self._timeouts.idle
                if idle and not connection.traffic[0]:  # that holds as soon as something comes
                    at = min(at, now + idle)
                self._add(at, connection)
            else:
                self._expire(connection)
        self.due = entries[0][0] if entries else math.inf
