"""Threads of which one at a time waits for all work and does it, while another stands by.

To hand each piece of work to a thread that waits for it costs more than most pieces take: two
changes of threads. So the thread that has found work does it, and goes on to wait; only when that
takes long does another take the wait over. Measured with 64 connections that send lines back and
forth, in plain Python: a queue and a pool 62,000 lines a second, this 112,000.
"""

import errno
import threading
from collections import deque
from collections.abc import Hashable, Iterable
from time import perf_counter
from typing import Any, Final

import attrs

from acceptor.core.errors import ResourceError
from acceptor.core.interfaces import Relay, RelayWork
from acceptor.core.reporting import LOGGER

# How long the leader may be at one piece of work before it is overtaken, and how often that is
# looked at while there is work: often enough that one that sleeps for 50 ms holds up the others for
# no more than a tenth of that, and seldom enough to be no cost.
TICK: Final = 0.002  # seconds

# So many looks in vain and whoever stands by sleeps until there is work again.
QUIET: Final = 50

# After a piece that took long, so many are done with the wait already handed on, and so many more
# for each that takes long, too: work that comes slow often comes slow again.
WARY: Final = 64
QUICK: Final = 0.0005  # seconds; longer than it takes to hand the wait on


@attrs.define(eq=False)
class _Member:
    """One thread, as the crew sees it."""

    bell: threading.Lock = attrs.field(factory=threading.Lock)
    called: bool = False  # the bell was rung, and not heard yet
    whose: Hashable = None  # work it does, if it leads

    def __attrs_post_init__(self) -> None:
        self.bell.acquire()

    def call(self) -> None:
        """Have it look at the roles again; under the crew's lock."""
        if not self.called:
            self.called = True
            self.bell.release()

    def hear(self) -> None:
        """Note that it looks; under the crew's lock."""
        if self.called:
            self.called = False
            self.bell.acquire(blocking=False)  # unless it was heard in the wait


@attrs.define(eq=False)
class RelayCrew(Relay):
    """At most `most` threads; with `keep_warm` they start when needed, and go home when idle.

    `_lock` guards who leads, who watches, who is idle, and how many there are. `_todo` needs none:
    its methods are single steps, with and without the GIL. `_turn`, `_rests` and `_naps` are
    written by one thread and read by others, who take the lock and look again before they act.
    """

    _work: RelayWork
    _most: int
    _keep_warm: float | None = None
    _todo: deque[Any] = attrs.field(factory=deque, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _leader: _Member | None = attrs.field(default=None, init=False)
    _watcher: _Member | None = attrs.field(default=None, init=False)
    _idle: list[_Member] = attrs.field(factory=list[_Member], init=False, repr=False)
    _size: int = attrs.field(default=0, init=False)
    _turn: int = attrs.field(default=0, init=False)  # pieces of work that leaders have begun with
    _rests: bool = attrs.field(default=False, init=False)  # the leader waits for work
    _naps: bool = attrs.field(default=False, init=False)  # the watcher waits to be called
    _wary: int = attrs.field(default=0, init=False)
    # Whose last piece took long; and such pieces that wait because only the leader is free.
    _slow: set[Hashable] = attrs.field(factory=set[Hashable], init=False, repr=False)
    _put_off: deque[Any] = attrs.field(factory=deque, init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)

    def start(self) -> None:
        """Start the first threads: all of a fixed crew, one to lead and one to watch of another.

        Raises:
            ResourceError: The machine gives no more threads.
        """
        wanted = self._most if self._keep_warm is None else min(2, self._most)
        while self._size < wanted:
            self._enlist()

    def _enlist(self) -> None:
        with self._lock:
            self._size += 1
        thread = threading.Thread(target=self._serve, name="acceptor-crew", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            with self._lock:
                self._size -= 1
            raise ResourceError(errno.EAGAIN, str(error)) from error

    def add(self, pieces: Iterable[Any]) -> None:
        """Have these pieces of work done, too; from any thread."""
        self._todo.extend(pieces)
        self._work.wake()

    def close(self) -> None:
        """Send all threads home, each as soon as it is at rest; the last one closes the work."""
        with self._lock:
            self._closed = True
            called = [*self._idle, self._watcher]
            self._idle.clear()
            nobody = not self._size
            for member in called:
                if member is not None:
                    member.call()
        self._work.wake()
        if nobody:
            self._work.close()

    # Each thread's life.

    def _serve(self) -> None:
        me = _Member()
        try:
            while self._stand_by(me):
                self._lead(me)
        except BaseException:
            LOGGER.exception("a thread of the crew broke; another takes its place")
            self._replace(me)
        self._leave()

    def _replace(self, me: _Member) -> None:
        with self._lock:
            for name in ("_leader", "_watcher"):
                if getattr(self, name) is me:
                    setattr(self, name, None)
        if not self._closed:
            try:
                self._enlist()
            except ResourceError as error:
                LOGGER.error("the crew has one thread less: %s", error)

    def _leave(self) -> None:
        with self._lock:
            self._size -= 1
            last = self._closed and not self._size
        if last:
            self._work.close()

    def _stand_by(self, me: _Member) -> bool:
        """Wait until it is this thread's turn to lead; False if it may go home."""
        while True:
            self._do_what_was_put_off()
            with self._lock:
                me.hear()
                if self._closed:
                    return False
                if self._put_off:
                    continue
                if self._leader is None:
                    self._leader = me
                if self._leader is me:
                    if self._watcher is me:
                        self._watcher = None
                    return True
                if self._watcher is None:
                    self._watcher = me
                watches = self._watcher is me
                if not watches and me not in self._idle:
                    self._idle.append(me)
            if watches:
                self._watch(me)
            elif not self._await_call(me):
                return False

    def _do_what_was_put_off(self) -> None:
        while self._put_off:
            try:
                piece = self._put_off.popleft()
            except IndexError:
                return
            self._do_timed(piece, threading.get_ident())

    def _await_call(self, me: _Member) -> bool:
        if not me.bell.acquire(timeout=-1 if self._keep_warm is None else self._keep_warm):
            with self._lock:
                if me in self._idle and not me.called:
                    self._idle.remove(me)
                    return False
        return True

    def _watch(self, me: _Member) -> None:
        """See that the leader gets on; take its place if not."""
        seen, quiet = self._turn, 0
        while not me.bell.acquire(timeout=TICK):
            if self._turn != seen:
                seen, quiet = self._turn, 0
            elif self._rests:
                quiet += 1
                if quiet >= QUIET and self._nap(me):
                    return
            elif self._overtake(me, seen):
                return

    def _nap(self, me: _Member) -> bool:
        with self._lock:
            self._naps = self._rests and self._leader is not None
            naps = self._naps
        if naps:  # the leader looks at this after it has stopped resting, so one of us sees it
            if not self._rests and self._stop_nap():
                return False
            me.bell.acquire()
        return naps

    def _stop_nap(self) -> bool:
        with self._lock:
            naps, self._naps = self._naps, False
            return naps

    def _overtake(self, me: _Member, seen: int) -> bool:
        with self._lock:
            if self._turn != seen or self._rests or self._leader is None or self._closed:
                return self._closed
            self._slow.add(self._leader.whose)
            self._leader, self._watcher = me, None
            self._wary = WARY
        self._find_watcher()
        return True

    def _find_watcher(self) -> None:
        """Have an idle thread watch, or a new one."""
        with self._lock:
            if self._watcher is not None or self._closed:
                return
            if self._idle:
                self._watcher = self._idle.pop()
                self._watcher.call()
                return
            may_grow = self._size < self._most
        if may_grow:
            try:
                self._enlist()
            except ResourceError as error:
                LOGGER.warning("no further thread for the crew now: %s", error)

    def _lead(self, me: _Member) -> None:
        todo, work, ident = self._todo, self._work, threading.get_ident()
        while self._leader is me:
            if not todo:
                if self._closed:
                    with self._lock:
                        self._leader = None
                    return
                self._rests = True
                found = work.wait()
                self._rests = False
                todo.extend(found)
                if self._naps and self._stop_nap():
                    self._call_watcher()
                continue
            try:
                piece = todo.popleft()
            except IndexError:  # another has just been overtaken, or has overtaken us
                continue
            self._turn += 1
            me.whose = piece[0]
            if self._slow and piece[0] in self._slow:
                self._do_slow(me, piece, ident)
            elif self._wary:
                self._hand_on(me)
                self._do_timed(piece, ident)
            else:
                work.do(piece, ident)

    def _call_watcher(self) -> None:
        with self._lock:
            if self._watcher is not None:
                self._watcher.call()

    def _do_timed(self, piece: Any, ident: int) -> None:
        began = perf_counter()
        self._work.do(piece, ident)
        if perf_counter() - began < QUICK:
            self._slow.discard(piece[0])
            self._wary = max(0, self._wary - 1)
        else:
            self._slow.add(piece[0])
            self._wary = WARY

    def _do_slow(self, me: _Member, piece: Any, ident: int) -> None:
        """Do what will take long, but not with the last thread that is free for all the others."""
        if not self._hand_on(me) and self._wait_with(piece):
            return
        self._do_timed(piece, ident)

    def _wait_with(self, piece: Any) -> bool:
        with self._lock:
            others_are_busy = self._size > 1 + len(self._idle) + (self._watcher is not None)
            if others_are_busy:
                self._put_off.append(piece)
            return others_are_busy

    def _hand_on(self, me: _Member) -> bool:
        """Let another lead, if there is one; return whether another leads."""
        with self._lock:
            if self._leader is not me:
                return True
            successor, self._watcher = self._watcher, None
            if successor is None and self._idle:
                successor = self._idle.pop()
            if successor is not None:
                self._leader = successor
                self._naps = False
                successor.call()
        self._find_watcher()
        return successor is not None
