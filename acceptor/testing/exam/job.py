"""A job that writes down what a dispatcher does to it, wherever it is served."""

import contextlib
import socket
import threading
from typing import Final

import attrs

from acceptor.core.events import Outcome
from acceptor.core.interfaces import Job, Traffic

RECEIVED: Final = 3  # bytes that it says to have read
SENT: Final = 5

_GLANCE: Final = 0.01  # seconds


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


@attrs.define(eq=False)
class ExamJob(Job):
    """Is served in an instant, or, if it is held, until it is let go or cut.

    Being served leaves a byte in a socket pair, which also tells of a worker in another process.
    """

    _outcome: Outcome
    _held: bool
    _patience: float
    traffic: Traffic = attrs.field(factory=lambda: [0, 0])
    worker: int | None = None
    ends: list[Outcome] = attrs.field(factory=list[Outcome], init=False)
    """The outcomes that it was ended with."""
    is_elsewhere: bool = attrs.field(default=False, init=False)
    """Whether another process serves it."""
    gave_up: bool = attrs.field(default=False, init=False)
    """Whether it was held for so long that it ended by itself."""
    _marks: tuple[socket.socket, socket.socket] = attrs.field(factory=_pair, init=False)
    _gate: tuple[socket.socket, socket.socket] = attrs.field(factory=_pair, init=False)
    _count: int = attrs.field(default=0, init=False)

    def run(self, *, patient: bool) -> None:
        """Serve and end."""
        self.worker = threading.get_ident()
        self.end(self.serve(patient=patient))

    def serve(self, *, patient: bool) -> Outcome:
        """Leave a mark, wait if it is held, count bytes."""
        self._marks[1].send(b"!")
        self.traffic[0] += RECEIVED
        self.traffic[1] += SENT
        if self._held:
            self._gate[1].settimeout(self._patience)
            try:
                if not self._gate[1].recv(1):
                    return Outcome.CUT
            except TimeoutError:
                self.gave_up = True
        return self._outcome

    def end(self, outcome: Outcome) -> None:
        """Note it."""
        self.ends.append(outcome)

    def cut(self) -> None:
        """End the wait of one that is held."""
        with contextlib.suppress(OSError):
            self._gate[1].shutdown(socket.SHUT_RDWR)

    def release(self, worker: int) -> None:
        """Note which process serves it."""
        self.is_elsewhere = True
        self.worker = worker

    def count_into(self, traffic: Traffic, /) -> None:
        """Count there from now on."""
        self.traffic = traffic

    def let_go(self) -> None:
        """Have one that is held end by itself."""
        with contextlib.suppress(OSError):
            self._gate[0].send(b"!")

    @property
    def has_ended(self) -> bool:
        """Whether `end` was called."""
        return bool(self.ends)

    @property
    def served(self) -> int:
        """How often a worker has begun to serve it."""
        with contextlib.suppress(OSError):  # nothing new, or closed
            self._marks[0].setblocking(False)
            self._count += len(self._marks[0].recv(100))
        return self._count

    def is_served(self) -> bool:
        """Say whether a worker has begun to serve it."""
        return self.served > 0

    def wait_until_served(self) -> bool:
        """Wait until a worker has begun to serve it; say whether one has."""
        pause = threading.Event()
        for _ in range(int(self._patience / _GLANCE)):
            if self.is_served():
                return True
            pause.wait(_GLANCE)
        return False

    def close(self) -> None:
        """Count a last time, and let go of the sockets."""
        _ = self.served
        for end in (*self._marks, *self._gate):
            end.close()
