"""Slots and the jobs that hold them: who may run, who runs, and how the others ended."""

import contextlib
import threading
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Final, Protocol

import attrs

from acceptor.core.events import Outcome, RequestState, Stats
from acceptor.core.interfaces import Job, Traffic
from acceptor.core.limits import Limits

_FINISHED: Final = Outcome.FINISHED  # Python 3.11 looks an enum's member up in 60 ns


class Request(Job, Protocol):
    """A job as those see it who count and list them."""

    __slots__ = ()

    @property
    @abstractmethod
    def id(self) -> int:
        """Its number among those of its server, from 1."""

    @property
    @abstractmethod
    def peer(self) -> object:
        """Who it is for."""

    @property
    @abstractmethod
    def since(self) -> float:
        """When it was accepted, in seconds on the server's clock."""

    @property
    @abstractmethod
    def state(self) -> RequestState:
        """How far it has come, as far as this process knows."""

    @property
    @abstractmethod
    def traffic(self) -> Traffic:
        """How many bytes it has received and sent."""

    @property
    @abstractmethod
    def worker(self) -> int | None:
        """Who serves it: the identity of a thread, or a child's pid; None until that is known."""


@attrs.define(eq=False)
class Admission:
    """Counts requests in and out. A slot is held from `enter` to `leave`.

    One thread, the accept thread, enters; so room once seen cannot be taken by another. Any
    thread may settle and leave. To enter, to settle and to finish is one step of a dictionary
    each, which needs no lock: a pair of lock operations for each would take longer than all else
    here. What has finished is what has come, less what runs and what has ended otherwise.
    """

    _most: int  # what the strategy can run at a time
    _wake: Callable[[], object]
    _limits: Limits = attrs.field(factory=Limits)
    limit: int = attrs.field(init=False)
    """How many may run at a time, by the strategy and by the limits."""
    _is_open: bool = attrs.field(init=False)  # to clients beyond that, who are turned away
    look: Callable[[], object] = attrs.field(default=lambda: None, init=False, repr=False)
    """Has a request enter that is served without a job, if there is one.

    What goes by the difference of two counts, or happens while none is served, needs it not.
    """
    may_turn_away: bool = attrs.field(init=False)
    """Whether there can be clients for whom there is no room after they were taken."""
    # Each with its number, counted from 1: who looks between the two steps of `enter` sees by it
    # that the counter is about to follow.
    _running: dict[Request, int] = attrs.field(factory=dict[Request, int], init=False, repr=False)
    # How those end that still run, as whoever came first has settled it.
    _settled: dict[Request, Outcome] = attrs.field(
        factory=dict[Request, Outcome], init=False, repr=False
    )
    accepted: int = attrs.field(default=0, init=False)
    """How many have entered; changed by the accept thread, or in its place while it waits."""
    _refused: int = attrs.field(default=0, init=False)  # and so is this
    _ended_otherwise: Counter[Outcome] = attrs.field(
        factory=Counter[Outcome], init=False, repr=False
    )
    # By what peers are counted by, if they are; and by what each of these jobs is.
    _of_peer: Counter[Hashable] = attrs.field(factory=Counter[Hashable], init=False, repr=False)
    _keys: dict[Request, Hashable] = attrs.field(
        factory=dict[Request, Hashable], init=False, repr=False
    )
    _awaited: bool = attrs.field(default=False, init=False)
    # For what takes several steps: the counts by outcome and by peer, the handshake about a
    # wake-up, new limits, and to settle an end on behalf of others. Reentrant, because a signal's
    # handler may look while its own thread has it.
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._obey(self._limits)

    @property
    def limits(self) -> Limits:
        """What it goes by; change it with `change_limits`."""
        return self._limits

    def change_limits(self, limits: Limits) -> None:
        """Go by other limits from now on; who is in stays in."""
        with self._lock:
            # Before the look at who is in; `enter` does it the other way round. So a job that
            # enters now is counted here, or there, and only once.
            self._obey(limits)
            self._keys.clear()
            self._of_peer.clear()
            if limits.per_peer is not None:
                for job in self._running.copy():
                    self._count_peer(job, limits)
        self._wake()

    def _obey(self, limits: Limits) -> None:
        self._limits = limits
        self._is_open = limits.turns_away
        self.may_turn_away = limits.turns_away or limits.per_peer is not None
        cap = limits.max_connections
        self.limit = self._most if cap is None else min(cap, self._most)

    def is_full(self) -> bool:
        """Say whether every slot is held."""
        return len(self._running) >= self.limit

    def has_room(self) -> bool:
        """Say whether one more client may be taken: for a slot, or to be turned away."""
        return len(self._running) < self.limit or self._is_open

    def expect_room(self) -> bool:
        """Say whether one more may be taken; if not, the next `leave` wakes the accept thread."""
        return len(self._running) < self.limit or not self._await(self.limit) or self._is_open

    def expect_idle(self) -> bool:
        """Say whether nothing runs; if something does, the next `leave` wakes the waiter."""
        return not self._await(1)

    def _await(self, many: int) -> bool:
        with self._lock:
            # First the flag, then the look; `leave` does it the other way round. So either it is
            # seen there that somebody waits, or here that a slot is free.
            self._awaited = True
            self._awaited = len(self._running) >= many
            return self._awaited

    def has_room_for(self, peer: object) -> bool:
        """Say whether this peer may have one more request in work."""
        limits = self._limits
        if limits.per_peer is None:
            return True
        key = limits.key_of(peer)
        with self._lock:  # a slot that was seen to be free is free for its peer, too
            return self._of_peer[key] < limits.per_peer

    @property
    def next_id(self) -> int:
        """The number of the job that will enter next."""
        return self.accepted + 1

    def enter(self, job: Request) -> None:
        """Take a slot for a job."""
        number = self.accepted + 1
        self._running[job] = number
        self.accepted = number
        if self._limits.per_peer is not None:
            with self._lock:  # since the look, new limits may have counted it, or count none
                limits = self._limits
                if limits.per_peer is not None and job not in self._keys:
                    self._count_peer(job, limits)

    def _count_peer(self, job: Request, limits: Limits) -> None:
        self._keys[job] = key = limits.key_of(job.peer)
        self._of_peer[key] += 1
        if job not in self._running:
            self._forget_peer(job)

    def settle(self, job: Request, outcome: Outcome) -> Outcome:
        """Say how a job ends, unless that is settled already; return how it does."""
        return self._settled.setdefault(job, outcome)

    def leave(self, job: Request) -> None:
        """Give a job's slot back; a second call for the same job is an error of ours."""
        outcome = self._settled[job]
        if outcome is _FINISHED and not self._keys:
            del self._running[job]
            if (
                self._keys
            ):  # new limits may have counted it; `_count_peer` looks the other way round
                with self._lock:
                    self._forget_peer(job)
        else:
            with self._lock:
                del self._running[job]
                self._forget_peer(job)
                if outcome is not _FINISHED:
                    self._ended_otherwise[outcome] += 1
        self._settled.pop(job, None)  # whoever wanted to cut it just now may have tidied up
        if self._awaited:
            with self._lock:
                awaited, self._awaited = self._awaited, False
            if awaited:
                self._wake()

    def _forget_peer(self, job: Request) -> None:
        if job in self._keys:
            key = self._keys.pop(job)
            self._of_peer[key] -= 1
            if not self._of_peer[key]:  # or it would remember every peer there ever was
                del self._of_peer[key]

    def refuse(self) -> None:
        """Count a client that was turned away."""
        self._refused += 1

    def runs_in(self, thread: int) -> bool:
        """Whether the thread with this identity serves a request now."""
        return any(job.worker == thread for job in self.running())

    def running(self) -> list[Request]:
        """Return the jobs that hold a slot now, the oldest first."""
        self.look()
        return list(self._running.copy())

    def begun_by(self, worker: int) -> list[Request]:
        """Return the jobs that a thread, or a child, has begun with and not ended."""
        return [job for job in self._running.copy() if job.worker == worker]

    def oldest(self) -> Request | None:
        """Return the job that has held its slot longest; None if there is none."""
        if not self._running:
            return None
        with contextlib.suppress(StopIteration, RuntimeError):  # one ended while we looked
            return next(iter(self._running))
        return None

    def tally(self) -> tuple[int, int]:
        """Return how many have ended by themselves, and how many were cut, as it is settled."""
        with self._lock:
            accepted = self.accepted  # first: who enters after the copy has not ended
            settled = self._settled.copy()
            running = self._running.copy()
            cut = self._ended_otherwise[Outcome.CUT]
            ended = max(accepted, *running.values(), 0) - len(running)
        ends = [settled[job] for job in running if job in settled]
        return ended - cut + len(ends) - ends.count(Outcome.CUT), cut + ends.count(Outcome.CUT)

    def claim(self, outcome: Outcome) -> list[Request]:
        """Settle how all end that run and whose end is open; return those."""
        return [job for job in self.running() if self.settle_now(job, outcome)]

    def settle_now(self, job: Request, outcome: Outcome) -> bool:
        """Settle how a job ends; False if it is settled, or over."""
        with self._lock:  # so that nobody else settles it so, or counts it, before we have looked
            if job not in self._running or job in self._settled:
                return False
            settled = self._settled.setdefault(job, outcome)
            if job not in self._running:  # it left meanwhile
                self._settled.pop(job, None)
                return False
            return settled is outcome

    def stats(self) -> Stats:
        """Return all counters as they stand at one moment."""
        self.look()
        with self._lock:
            accepted = self.accepted
            running = self._running.copy()  # in one step
            otherwise = self._ended_otherwise.copy()
            refused = self._refused
        accepted = max(accepted, *running.values(), 0)
        counts = {kind.name.lower(): n for kind, n in otherwise.items()}
        return Stats(
            accepted=accepted,
            refused=refused,
            active=len(running),
            finished=accepted - len(running) - otherwise.total(),
            **counts,
        )
