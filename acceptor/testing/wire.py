"""What two memory sockets have between them: two directions of bytes, and who has ended what."""

import errno
import os
import threading

import attrs


@attrs.define(eq=False)
class Flow:
    """One direction. Whoever looks at it or changes it holds the wire's condition."""

    capacity: int
    data: bytearray = attrs.field(factory=bytearray)
    finished: bool = False  # the writer sends no more
    unread: bool = False  # the reader reads no more

    @property
    def is_readable(self) -> bool:
        """Whether a read would not wait."""
        return bool(self.data) or self.finished or self.unread

    @property
    def is_writable(self) -> bool:
        """Whether a write would not wait."""
        return len(self.data) < self.capacity or self.finished or self.unread

    def take(self, size: int, *, peek: bool = False) -> bytes:
        """Return up to so many bytes, and remove them unless it was only a look."""
        if self.unread:
            return b""
        taken = bytes(self.data[:size])
        if not peek:
            del self.data[:size]
        return taken

    def put(self, payload: memoryview) -> int:
        """Add what fits; return how much that was.

        Raises:
            BrokenPipeError: One of the two sides has ended it.
        """
        if self.finished or self.unread:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        fitting = payload[: self.capacity - len(self.data)]
        self.data += fitting
        return len(fitting)


@attrs.define(eq=False)
class Wire:
    """A connection: the two flows, and one condition for both."""

    capacity: int
    changed: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    broken: Exception | None = attrs.field(default=None, init=False)
    """What every further read and write raises, on either side."""
    flows: tuple[Flow, Flow] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.flows = Flow(self.capacity), Flow(self.capacity)

    def break_with(self, error: Exception) -> None:
        """End it both ways at once; what is under way is lost. May be repeated: the first counts.

        As for a TCP reset, which overtakes what was sent before it. RFC 9293, section 3.10.7.
        """
        with self.changed:
            if self.broken is None:
                self.broken = error
            self.changed.notify_all()
