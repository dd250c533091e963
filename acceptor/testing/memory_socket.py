"""Sockets without a descriptor: what the two ends of a memory connection are."""

import contextlib
import errno
import operator
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from typing_extensions import Buffer

from acceptor.core.deadlines import Clock, Deadline, Timeouts
from acceptor.core.interfaces import Traffic
from acceptor.core.peers import Peer
from acceptor.testing.bare_socket import BareSocket
from acceptor.testing.clock import wait_by_clock
from acceptor.testing.obligations import Obligations
from acceptor.testing.wire import Wire

_DONTWAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)  # Windows has none
_WAITALL: Final[int] = getattr(socket, "MSG_WAITALL", 0)
LINGER_BYTES: Final = 16 * 2**20  # discarded before a client that does not end is left
_RESETS: Final = struct.pack("ii", 1, 0)  # SO_LINGER: to close is to reset; socket(7)


class MemorySocket(BareSocket):
    """One end of a memory connection: a blocking `socket.socket` without a descriptor.

    Reads and writes in all forms, makes files, half-closes, resets. Options are kept and have no
    effect, but for `SO_LINGER`.
    """

    def __init__(
        self,
        wire: Wire,
        side: int,
        names: tuple[Peer, Peer],
        clock: Clock = time.monotonic,
        timeout: float | None = None,
    ) -> None:
        """Be one side, 0 or 1, of a wire; the names are one's own and the other's."""
        super().__init__(names, socket.SOCK_STREAM, clock, timeout)
        self._wire = wire
        self._in, self._out = wire.flows[side], wire.flows[1 - side]
        self._obligations: Obligations | None = None
        self._gone = False

    def obey(self, timeouts: Timeouts, traffic: Traffic, connection: Deadline) -> None:
        """Keep to these deadlines from now on, and count the bytes."""
        self._obligations = Obligations(timeouts, traffic, self._clock, connection)

    @property
    def has_stalled(self) -> bool:
        """Whether the client has exceeded a deadline."""
        return self._obligations is not None and self._obligations.has_stalled

    @property
    def is_dead(self) -> bool:
        """Whether both directions have ended, and not merely one."""
        if self._wire.broken is not None or self._out.unread:
            return True
        return self._out.finished and (self._in.unread or self._in.finished)

    # ---- reading

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Return what is there, at most so many bytes; b"" once the other side has ended."""
        if operator.index(bufsize) < 0:
            raise ValueError("negative buffersize in recv")
        if flags & _WAITALL:
            return self._recv_all(bufsize, flags & ~_WAITALL)
        with self._wire.changed:
            self._wait(lambda: not bufsize or self._in.is_readable, flags, reads=True)
            taken = self._in.take(bufsize, peek=bool(flags & socket.MSG_PEEK))
            if self._obligations and not flags & socket.MSG_PEEK:
                self._obligations.traffic[0] += len(taken)
            self._wire.changed.notify_all()
            return taken

    def _recv_all(self, bufsize: int, flags: int) -> bytes:
        taken = b""
        while len(taken) < bufsize and (more := self.recv(bufsize - len(taken), flags)):
            taken += more
        return taken

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Read into a buffer; return how much."""
        with memoryview(buffer) as view, view.cast("B") as room:
            if not 0 <= nbytes <= len(room):
                raise ValueError("buffer too small for requested bytes")
            taken = self.recv(nbytes or len(room), flags)
            room[: len(taken)] = taken
            return len(taken)

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """Read; what comes through a connection has no other sender."""
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Read into a buffer."""
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[Any], int, Any]:
        """Read; nothing comes beside the data."""
        return self.recv(bufsize, flags), [], 0, None

    def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[Any], int, Any]:
        """Read into several buffers, one after the other."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        taken = memoryview(self.recv(sum(map(len, views)), flags))
        rest = taken
        for view in views:
            part, rest = rest[: len(view)], rest[len(view) :]
            view[: len(part)] = part
        return len(taken), [], 0, None

    # ---- writing

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send what there is room for; return how much."""
        with memoryview(data) as view, view.cast("B") as payload, self._wire.changed:
            self._wait(lambda: not payload or self._out.is_writable, flags, reads=False)
            sent = self._out.put(payload)
            if self._obligations:
                self._obligations.traffic[1] += sent
            self._wire.changed.notify_all()
            return sent

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        """Send all of it."""
        with memoryview(data) as view, view.cast("B") as payload:
            done = self.send(payload, flags)
            while done < len(payload):
                done += self.send(payload[done:], flags)

    def sendmsg(
        self, buffers: Iterable[Buffer], ancdata: Any = (), flags: int = 0, address: Any = None, /
    ) -> int:
        """Send what there is room for of several buffers; return how much."""
        if list(ancdata or ()):
            raise OSError(errno.EOPNOTSUPP, "a memory socket carries nothing but bytes")
        return self.send(b"".join(bytes(buffer) for buffer in buffers), flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file's content; return how many bytes that were."""
        if offset:
            file.seek(offset)
        content = file.read(-1 if count is None else count)
        self.sendall(content)
        return len(content)

    # ---- waiting

    def _wait(self, ready: Callable[[], bool], flags: int, *, reads: bool) -> None:
        """Wait under the wire's condition until there is something to do.

        Raises:
            OSError: There will never be, or not in time.
        """
        wire = self._wire

        def over() -> bool:
            return ready() or wire.broken is not None

        duty, own = self._obligations, self._seconds
        deadline = Deadline.after(own, self._clock)
        if duty is not None:
            deadline = duty.deadline(own, reads=reads)
        if not over():
            if flags & _DONTWAIT or own == 0.0:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            if not wait_by_clock(wire.changed, over, deadline, self._clock):
                raise TimeoutError("timed out") if duty is None else duty.late(own, reads=reads)
        if self._gone:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if wire.broken is not None:
            raise wire.broken

    # ---- ending

    def shutdown(self, how: int, /) -> None:
        """End one direction, or both.

        Raises:
            OSError: The connection is closed, or was reset.
        """
        with self._wire.changed:
            if self._gone or self._wire.broken is not None:
                raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
            if how in (socket.SHUT_RD, socket.SHUT_RDWR):
                self._in.unread = True
            if how in (socket.SHUT_WR, socket.SHUT_RDWR):
                self._out.finished = True
            self._wire.changed.notify_all()

    def reset(self) -> None:
        """Close and have the other side find the connection reset, whatever was under way."""
        self._wire.break_with(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))
        self.close()

    def break_with(self, error: Exception) -> None:
        """Close and have the other side raise this, whatever it does."""
        self._wire.break_with(error)
        self.close()

    def _real_close(self, *_: object) -> None:
        """End both directions; called by `close` when the last file is closed, too.

        What nobody has read makes it a reset, as it does on a real socket. RFC 2525, section 2.17.
        """
        with self._wire.changed:
            if self._gone:
                return
            lost = bool(self._in.data)
            self._gone = self._in.unread = self._out.finished = True
        resets = self._options.get((socket.SOL_SOCKET, socket.SO_LINGER)) == _RESETS
        if lost or resets:
            self.reset()
        with self._wire.changed:
            self._wire.changed.notify_all()

    def finish(self, seconds: float) -> None:
        """End it politely: half-close, discard what comes for so many seconds at most, close."""
        left = LINGER_BYTES
        deadline = Deadline.after(seconds)
        with self._wire.changed:
            self._out.finished = True
            self._wire.changed.notify_all()
            while not (self._gone or self._in.unread or self._wire.broken or left <= 0):
                left -= len(self._in.data)
                self._in.data.clear()
                self._wire.changed.notify_all()
                if self._in.finished or deadline.passed:
                    break
                self._wire.changed.wait(deadline.remaining())
        self._closed = True
        self._real_close()

    def cut(self) -> None:
        """Shut it both ways, for whoever reads or writes in another thread; never fails."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def send_what_fits(self, payload: bytes) -> None:
        """Send without waiting; what there is no room for is lost, as is all if nobody reads."""
        with self._wire.changed, contextlib.suppress(BrokenPipeError):
            self._out.put(memoryview(payload))
            self._wire.changed.notify_all()
