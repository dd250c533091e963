"""Whose turn it is among the worker threads, so that the others sleep instead of fighting.

CPython runs one thread at a time, and each call to the system lets another one in. With several
threads awake most such calls end in two changes of threads, from core to core. So a worker holds
the baton while it runs, in calls that do not wait as well, and lets go of it where it is about to
wait. Measured on two cores with connections that are made, asked one line and dropped: 60 us of CPU
for each instead of 140.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from threading import get_ident
from time import monotonic, sleep
from typing import Final

import attrs

from acceptor.core.reporting import LOGGER
from acceptor.core.values import define

# For how long somebody whose client never lets it wait may go on while others wait. A change of
# threads takes 20 us, so a tenth of this would be lost with that.
SLICE: Final = 0.0005  # seconds

# For how long somebody may who begins with one client after the other. Each of those is gone when
# its turn is over; so longer turns cost nobody much, and save a sixth of what a client costs.
TURN: Final = 0.004  # seconds

# Where so many wait, what was begun is ended before more is begun: more threads at it would get in
# each other's way, and 16 clients, coming again and again, had 37 at work at a time.
CROWD: Final = 8

# Whoever was done so lately is about to take what comes next.
LATELY: Final = 0.002  # seconds

# How often it is looked whether the holder gets on, while others wait. One that waits elsewhere,
# for a database or a timer, holds them up for no longer than two of these; so looks are more seldom
# only where all get on. Looking each millisecond costs a tenth of the rate of short connections.
TICK: Final = 0.001  # seconds
CALM_TICK: Final = 0.004  # seconds
CALMING: Final = 1.1  # by how much each look in vain puts the next one off
QUIET: Final = 50  # looks in vain, and nobody looks any more until there is a reason again

# Where there are fewer steps than this, because handlers wait elsewhere or compute for long, taking
# turns costs more than it saves, and keeps cores idle that code in C could use.
QUICK: Final = 12_000  # a second
SAMPLE: Final = 0.01  # seconds in which somebody waited; single looks say little

# For how long nobody takes turns then; twice as long each time, if the next attempt goes no better.
SHORTEST_SPELL: Final = 0.25  # seconds
LONGEST_SPELL: Final = 8.0  # seconds
SOON: Final = 1.0  # seconds

_has_gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)


@define(eq=False)
class Baton:
    """A lock that nobody can keep: it is taken away from who does not get on, see `_watch`.

    `_held` says who holds the lock: who takes that entry out, in one step, is the one to release
    it. `waiting` and `_members` are changed in single steps as well. `_guard` guards whether
    somebody watches. The rest are guesses: how many steps, since when, whether turns are taken.
    """

    waiting: set[int] = attrs.field(factory=set[int], init=False)
    """Which threads wait for their turn; to be looked at, as it takes no call."""
    is_open: bool = attrs.field(default=False, init=False)
    """Whether nobody takes turns for a while."""
    _members: set[int] = attrs.field(factory=set[int], init=False)
    _held: dict[int, bool] = attrs.field(factory=dict[int, bool], init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _steps: int = attrs.field(default=0, init=False)  # turns, and what was done in them
    _began: float = attrs.field(default=0.0, init=False)  # when this turn did
    _since: float = attrs.field(default=0.0, init=False)  # when what is served in it did
    _done: float = attrs.field(default=0.0, init=False)  # when somebody was done last
    _is_watched: bool = attrs.field(default=False, init=False)
    _open_until: float = attrs.field(default=-SOON, init=False)
    _minds_forks: bool = attrs.field(default=False, init=False)
    _spell: float = attrs.field(default=SHORTEST_SPELL, init=False)

    def join(self) -> None:
        """Have this thread take turns from now on: the first after its first wait.

        It does not wait here, where its work is not begun: what an exception from outside broke off
        then would be left to nobody. Does nothing where there is no interpreter's lock
        (free-threaded Python).
        """
        if not self._minds_forks and hasattr(os, "register_at_fork"):
            # Not before it has members: what a child touches is copied for it.
            self._minds_forks = True
            os.register_at_fork(after_in_child=self.forget)
        if _has_gil():
            self._members.add(get_ident())

    def leave(self) -> None:
        """Have this thread take turns no more."""
        self.give_up()
        self._members.discard(get_ident())

    def give_up(self) -> bool:
        """Let another run; return whether this thread takes turns, and so is to `take` it again."""
        me = get_ident()
        if self._held.pop(me, False):
            self._release()
            return True
        return me in self._members

    def take(self, patience: float = -1) -> bool:
        """Wait for this thread's turn, after it has given it up; do nothing if it has it again.

        Not for longer than `patience` seconds, or for as long as it takes if that is negative;
        return False if that was too short.
        """
        if self.is_open:
            if monotonic() < self._open_until:
                return True
            self.is_open = False
            if self.waiting and not self._is_watched:  # they were to let each other go
                self._have_it_watched()
        me = get_ident()
        if me in self._held:  # a call inside of `aside` has taken it
            return True
        if not self._lock.acquire(False):
            try:
                self.waiting.add(me)
                if not self._is_watched:
                    self._have_it_watched()
                if not self._lock.acquire(timeout=patience):
                    return False
            finally:  # an exception from outside comes as soon as the wait is over
                self.waiting.discard(me)
        self._steps += 1
        self._since = self._began = monotonic()
        self._held[me] = True
        if self.is_open:  # since the look above; first the entry, then this, see `_open`
            self.give_up()
        return True

    def line_up(self, patience: float = -1) -> bool:
        """Do the same in a thread that may have no need of it, and has work in hand.

        An exception from outside ends this wait, and nothing else.
        """
        me = get_ident()
        if me not in self._held and me in self._members:
            try:
                return self.take(patience)
            except BaseException:
                LOGGER.exception("a worker was broken off while it waited for its turn")
        return True

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Let others run meanwhile: for what waits, or takes long without the interpreter."""
        takes_turns = self.give_up()
        try:
            yield
        finally:
            if takes_turns:
                self.take()

    def pass_on(self) -> None:
        """Note a step; let others run if any wait, and this thread has run for a while."""
        if get_ident() in self._held:  # or others would pass for a holder that does not get on
            self._steps += 1
        if self.waiting and monotonic() - self._since > SLICE and self.give_up():
            # Who is woken takes a moment to come. To line up at once would be to get it at once.
            sleep(SLICE)
            self.take()

    @property
    def is_crowded(self) -> bool:
        """Whether so many wait that what was begun is to be ended before more is."""
        return len(self.waiting) > CROWD

    @property
    def is_flowing(self) -> bool:
        """Whether somebody was done with something just now, and so takes what comes next."""
        return monotonic() - self._done < LATELY

    def stands_back(self) -> bool:
        """Note that something is done; say whether others are to end theirs before more is begun.

        If this turn was long, others come first in any case.
        """
        self._steps += 1
        self._done = now = monotonic()
        if self.is_crowded:
            return True
        if now - self._began > TURN and self.give_up():
            sleep(SLICE)
            self.take()
        else:
            self._since = now
        return False

    def _release(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:  # somebody was taken for gone who was not, see `_take_away`
            pass

    def _have_it_watched(self) -> None:
        with self._guard:
            if self._is_watched:
                return
            self._is_watched = True
        try:
            threading.Thread(target=self._watch, name="acceptor-baton", daemon=True).start()
        except RuntimeError:  # the machine gives no thread, or the program is about to end
            self._is_watched = False
            self._open()

    def _watch(self) -> None:
        try:
            self._see_to_turns()
        finally:  # an exception from outside must not leave those alone who wait
            with self._guard:
                self._is_watched = False
            if self.waiting and not self.is_open:  # since the last look
                self._have_it_watched()

    def _see_to_turns(self) -> None:
        """See that turns are short as long as somebody waits for one."""
        quiet, stuck, count, seconds, tick = 0, 0, 0, 0.0, TICK
        steps, since, was_awaited = self._steps, monotonic(), False
        while quiet < QUIET and not self.is_open:
            sleep(tick)
            tick = min(tick * CALMING, CALM_TICK)
            done, now, is_awaited = self._steps - steps, monotonic(), bool(self.waiting)
            if is_awaited and was_awaited:
                stuck = 0 if done else stuck + 1
                if stuck:
                    tick = TICK
                    self._take_away(certain=stuck > 2)
                count, seconds = count + done, seconds + now - since
                if seconds >= SAMPLE:
                    if count < QUICK * seconds:
                        self._open()
                    count, seconds = 0, 0.0
            quiet = 0 if is_awaited else quiet + 1
            steps, since, was_awaited = steps + done, now, is_awaited

    def _take_away(self, *, certain: bool) -> None:
        """Let the next one run beside the holder."""
        try:
            self._held.popitem()
        except KeyError:
            # Given up this moment; or an exception from outside has broken its holder off, before
            # it could say that it was the holder.
            if not certain:
                return
        self._release()

    def _open(self) -> None:
        """Have nobody take turns for a while."""
        now = monotonic()
        again = now < self._open_until + SOON
        self._spell = min(self._spell * 2, LONGEST_SPELL) if again else SHORTEST_SPELL
        self._open_until = now + self._spell
        # First this, then the look at who holds it; `take` does it the other way round. Nobody may
        # watch any more, so whoever has it and has not said so, or never will, is taken for gone.
        self.is_open = True
        self._take_away(certain=True)  # each one that waits lets the next one go

    def forget(self) -> None:
        """Begin anew, in a forked child: none of the other threads is there."""
        for them in (self.waiting, self._members, self._held):
            them.clear()
        self._lock, self._guard = threading.Lock(), threading.Lock()
        self._is_watched = self.is_open = False


BATON: Final = Baton()
"""For all servers of the process, since they share one interpreter."""
