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
FEW: Final = 4  # pieces in one tick and the next; then the work is slow, if less than a tick each
QUICK: Final = 0.0005  # seconds; longer than it takes to hand the wait on

# Of a piece during which others ran, too, only so long is surely slow by itself: a thread that
# wants the interpreter back waits 5 ms for each that does not leave it. Without the difference,
# quick work counted as slow because it was handed on, and was handed on because it counted so.
SLOW: Final = 0.02  # seconds


@attrs.define(eq=False)
class _Member:
    """One thread, as the crew sees it."""

    bell: threading.Lock = attrs.field(factory=threading.Lock)
    called: bool = False  # the bell was rung, and not heard yet
    is_last: bool = False  # it has gone home as the last one of a closed crew
    # As long as it leads; written by its own thread.
    rests: bool = False  # it waits for work
    turn: int = 0  # pieces of work that it has begun with
    whose: Hashable = None  # the last of them

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

    `_lock` guards who leads, who watches, who is idle, who sleeps, what was put off, how many
    there are, and whether it is closed; who acts on one of these looks again under the lock. What
    needs none: `_todo` and `_slow`, whose methods are single steps with and without the GIL;
    `_wary` and `_is_short`, guesses; and what a leader says of itself (`rests`, `turn`, `whose`).

    Only the leader waits for work, so nothing that is found can lie in `_todo` while another thread
    waits: a leader that rests is not overtaken, it says that it rests before it looks whether it
    still leads, and it keeps what it has found before it says that it rests no more. `_naps` is
    the other way round: the watcher sets it, then looks whether the leader rests.
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
    _naps: bool = attrs.field(default=False, init=False)  # the watcher waits to be called
    _wary: int = attrs.field(default=0, init=False)
    # Whose last piece took long; and such pieces that wait because only the leader is free.
    _slow: set[Hashable] = attrs.field(factory=set[Hashable], init=False, repr=False)
    _put_off: dict[Hashable, Any] = attrs.field(factory=dict[Hashable, Any], init=False, repr=False)
    _closed: bool = attrs.field(default=False, init=False)
    _is_short: bool = attrs.field(default=False, init=False)  # the machine has refused a thread

    def start(self) -> None:
        """Start the first threads: all of a fixed crew, one to lead and one to watch of another.

        Raises:
            ResourceError: The machine gives no more threads.
        """
        wanted = self._most if self._keep_warm is None else min(2, self._most)
        while self._count_in(wanted):
            self._enlist()

    def _count_in(self, most: int) -> bool:
        """Make room for one more thread, which is to be enlisted then; False if there is none."""
        with self._lock:
            if self._closed or self._size >= most:
                return False
            self._size += 1
            return True

    def _count_out(self, me: _Member) -> None:
        """Note that a thread goes home; under the lock, in the step that decides it."""
        self._size -= 1
        me.is_last = self._closed and not self._size
        if self._size == 1 and self._put_off:  # nobody but the leader is left to do it
            self._todo.extend(self._put_off.values())
            self._put_off.clear()
            self._work.wake()

    def _enlist(self) -> None:
        me = _Member()
        thread = threading.Thread(target=self._serve, args=(me,), name="acceptor-crew", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            with self._lock:
                self._count_out(me)
            self._close_if_last(me)
            raise ResourceError(errno.EAGAIN, str(error)) from error

    def _close_if_last(self, me: _Member) -> None:
        if me.is_last:
            self._work.close()

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

    def _serve(self, me: _Member) -> None:
        try:
            while self._stand_by(me):
                self._lead(me)
        except BaseException:
            LOGGER.exception("a thread of the crew broke; another takes its place")
            self._replace(me)
        self._close_if_last(me)

    def _replace(self, me: _Member) -> None:
        with self._lock:
            if self._watcher is me:
                self._watcher = None
            if self._leader is me:
                self._leader, self._naps = None, False
                heir = self._watcher or (self._idle.pop() if self._idle else None)
                if heir is not None:  # at once: the machine may give no other thread
                    heir.call()
            self._count_out(me)
        if self._count_in(self._most):
            self._try_to_enlist()

    def _stand_by(self, me: _Member) -> bool:
        """Wait until it is this thread's turn to lead; False if it goes home."""
        while True:
            with self._lock:
                me.hear()
                if self._closed:
                    self._count_out(me)
                    return False
                if self._leader is None:
                    self._leader = me
                if self._leader is me:
                    if self._watcher is me:
                        self._watcher = None
                    return True
                piece = self._put_off.pop(next(iter(self._put_off))) if self._put_off else None
                if piece is not None and self._watcher is me:
                    self._watcher = None
                elif piece is None and self._watcher is None:
                    self._watcher = me
                watches = self._watcher is me
                if piece is None and not watches:
                    self._idle.append(me)
            if piece is not None:
                self._find_watcher()  # or the leader, if its work took long, would hold up all
                self._do_timed(piece, threading.get_ident())
            elif watches:
                self._watch(me)
            elif not self._await_call(me):
                return False

    def _await_call(self, me: _Member) -> bool:
        if not me.bell.acquire(timeout=-1 if self._keep_warm is None else self._keep_warm):
            with self._lock:
                if not me.called:
                    self._idle.remove(me)
                    self._count_out(me)
                    return False
        return True

    def _watch(self, me: _Member) -> None:
        """See that the leader gets on; take its place if not."""
        leader, quiet, slow = self._leader, 0, 0
        turn = 0 if leader is None else leader.turn
        while not me.bell.acquire(timeout=TICK):
            now = self._leader
            if now is None:
                return
            if now is not leader or now.turn != turn:
                is_slow = now is leader and now.turn - turn < FEW and not now.rests
                slow = slow + 1 if is_slow else 0
                if slow > 1:
                    self._wary = WARY
                leader, turn, quiet = now, now.turn, 0
            elif now.rests:
                quiet += 1
                if quiet >= QUIET and self._nap(me, now):
                    return
            elif self._overtake(me, now, turn):
                return

    def _nap(self, me: _Member, leader: _Member) -> bool:
        with self._lock:
            self._naps = naps = self._leader is leader and leader.rests
        if naps:  # the leader looks at this after it has stopped resting, so one of us sees it
            if not leader.rests and self._stop_nap():
                return False
            me.bell.acquire()
        return naps

    def _stop_nap(self) -> bool:
        with self._lock:
            naps, self._naps = self._naps, False
            return naps

    def _overtake(self, me: _Member, leader: _Member, turn: int) -> bool:
        with self._lock:
            if self._closed:
                return True
            if self._leader is not leader or leader.turn != turn:
                return False
            self._leader = me
            if leader.rests:  # after it was told, so either it sees that, or we see that it rests
                self._leader = leader
                return False
            self._watcher = None
            self._slow.add(leader.whose)
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
        if self._count_in(self._most):
            self._try_to_enlist()

    def _try_to_enlist(self) -> None:
        """Start a thread; if there is none, it is tried again: all others may be held for long."""
        try:
            self._enlist()
        except ResourceError as error:
            if not self._is_short:
                LOGGER.warning("no further thread for the crew now: %s", error)
            self._is_short = True
            self._work.miss_thread()
        else:
            self._is_short = False

    def reinforce(self) -> None:
        """Have somebody stand by, if nobody does and there is a thread for it by now."""
        self._find_watcher()

    def _lead(self, me: _Member) -> None:
        todo, work, ident = self._todo, self._work, threading.get_ident()
        while self._leader is me:
            if not todo:
                if self._closed:
                    with self._lock:
                        if self._leader is me:
                            self._leader = None
                    return
                me.rests = True
                if self._leader is me:  # not overtaken right before
                    todo.extend(work.wait())
                me.rests = False
                if self._naps and self._stop_nap():
                    self._call_watcher()
                continue
            try:
                piece = todo.popleft()
            except IndexError:  # another has just been overtaken, or has overtaken us
                continue
            me.whose = piece[0]
            me.turn += 1
            if self._slow and piece[0] in self._slow:
                if not work.is_in_work(piece):
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
        took = perf_counter() - began
        if took < QUICK:
            self._slow.discard(piece[0])
        elif took > SLOW:
            self._slow.add(piece[0])
        self._wary = max(0, self._wary - 1)

    def _do_slow(self, me: _Member, piece: Any, ident: int) -> None:
        """Do what will take long, but not with the last thread that is free for all the others."""
        if not self._hand_on(me) and piece[0] is not None and self._wait_with(piece):
            return
        self._do_timed(piece, ident)

    def _wait_with(self, piece: Any) -> bool:
        with self._lock:
            is_free = self._size < 2 or self._watcher is not None or bool(self._idle)
            if not is_free:  # then another comes by for it, or goes home, see `_count_out`
                self._put_off[piece[0]] = piece  # the newest says all that the others said
            return not is_free

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
