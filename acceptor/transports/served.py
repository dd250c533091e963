"""The socket that handlers of streams are given: an ordinary one, under the server's deadlines."""

import math
import socket
import struct
import sys
import time
from collections.abc import Iterable
from typing import Any, Final, Self

from typing_extensions import Buffer

from acceptor.core.deadlines import Timeouts
from acceptor.core.errors import DeadlineError
from acceptor.core.interfaces import Traffic

# The methods in C, and as they stand: `super()` takes as long as one of them.
_SocketType: Final = socket.SocketType
_recv: Final = _SocketType.recv
_recv_into: Final = _SocketType.recv_into
_send: Final = _SocketType.send
_sendall: Final = _SocketType.sendall
_settimeout: Final = _SocketType.settimeout
_gettimeout: Final = _SocketType.gettimeout
_monotonic: Final = time.monotonic

# A first write nearly always finds room, and so needs no limit; where there is such a flag.
_DONTWAIT: Final[int] = getattr(socket, "MSG_DONTWAIT", 0)

_TIMED_OUT: Final = ("timed out",)  # what the C code raises when the socket's own time is over


class ServedSocket(socket.socket):
    """A connection that obeys a server's `Timeouts`, and counts what goes in and out.

    It stays a blocking socket, descriptor included, so a subprocess can be given it: the limits
    are the system's own (SO_RCVTIMEO and SO_SNDTIMEO in socket(7)), set when they change and not
    for each call. One that `settimeout` was called on goes by that instead of `first_data`,
    `idle` and `write`; `connection` holds all the same.
    """

    # Of the timeouts, infinity is no limit. `_..._calm` is until when what was last set holds.
    __slots__ = (
        "_first_data",
        "_idle",
        "_read_calm",
        "_read_limit",
        "_stalled_at",
        "_traffic",
        "_until",
        "_write",
        "_write_calm",
        "_write_limit",
    )

    _traffic: Traffic

    def begin(self, timeouts: Timeouts, traffic: Traffic) -> None:
        """Start the clock; the bytes are counted in `traffic` from now on."""
        self._traffic = traffic
        self._first_data = math.inf if timeouts.first_data is None else timeouts.first_data
        self._idle = math.inf if timeouts.idle is None else timeouts.idle
        self._write = math.inf if timeouts.write is None else timeouts.write
        longest = timeouts.connection
        self._until = math.inf if longest is None else _monotonic() + longest
        self._read_limit = self._write_limit = math.inf
        self._read_calm = self._write_calm = 0.0
        self._stalled_at = -1

    @property
    def has_stalled(self) -> bool:
        """Whether the client exceeded a limit, and nothing has come or gone since."""
        return self._stalled_at == self._traffic[0] + self._traffic[1]

    # Reading.

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive, as every socket does."""
        if _monotonic() >= self._read_calm:
            self._before_read()
        try:
            data = _recv(self, bufsize, flags)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, "read", flags) from None
        self._traffic[0] += len(data)
        return data

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer, as every socket does."""
        if _monotonic() >= self._read_calm:
            self._before_read()
        try:
            count = _recv_into(self, buffer, nbytes, flags)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, "read", flags) from None
        self._traffic[0] += count
        return count

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """Receive, as every socket does."""
        self._before_read()
        try:
            data, sender = super().recvfrom(bufsize, flags)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, "read", flags) from None
        self._traffic[0] += len(data)
        return data, sender

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Receive into a buffer, as every socket does."""
        self._before_read()
        try:
            count, sender = super().recvfrom_into(buffer, nbytes, flags)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, "read", flags) from None
        self._traffic[0] += count
        return count, sender

    if sys.platform != "win32":

        def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
            """Receive with ancillary data, as every socket does."""
            self._before_read()
            try:
                message = super().recvmsg(bufsize, ancbufsize, flags)
            except (BlockingIOError, TimeoutError) as error:
                raise self._overdue(error, "read", flags) from None
            self._traffic[0] += len(message[0])
            return message

        def recvmsg_into(
            self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
        ) -> Any:
            """Receive into buffers with ancillary data, as every socket does."""
            self._before_read()
            try:
                message = super().recvmsg_into(buffers, ancbufsize, flags)
            except (BlockingIOError, TimeoutError) as error:
                raise self._overdue(error, "read", flags) from None
            self._traffic[0] += message[0]
            return message

    def _before_read(self) -> None:
        limit = self._idle if self._traffic[0] else self._first_data
        self._read_calm = self._enter(limit, reading=True)
        if not self._traffic[0]:
            self._read_calm = 0.0  # another limit may hold for the next one

    # Writing.

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send what fits, as every socket does."""
        if _monotonic() >= self._write_calm:
            self._before_write()
        try:
            count = _send(self, data, flags)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, "write", flags) from None
        self._traffic[1] += count
        return count

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        """Send all of it, as every socket does; each part of it has `write` seconds."""
        size = len(data) if type(data) is bytes else memoryview(data).nbytes
        count = 0
        if _DONTWAIT and _gettimeout(self) is None and _monotonic() < self._until:
            try:
                count = _send(self, data, flags | _DONTWAIT)
            except BlockingIOError:
                pass
            self._traffic[1] += count
            if count == size:
                return
        elif _gettimeout(self) is not None:  # the caller's time is for all of it
            self._before_write()
            try:
                _sendall(self, data, flags)
            except (BlockingIOError, TimeoutError) as error:
                raise self._overdue(error, "write", flags) from None
            self._traffic[1] += size
            return
        with memoryview(data) as view, view.cast("B") as rest:
            while count < size:
                count += self.send(rest[count:], flags)

    if sys.platform != "win32":

        def sendmsg(
            self,
            buffers: Iterable[Buffer],
            ancdata: Iterable[tuple[int, int, Buffer]] = (),
            flags: int = 0,
            address: Any = None,
            /,
        ) -> int:
            """Send with ancillary data, as every socket does."""
            self._before_write()
            try:
                count = super().sendmsg(buffers, ancdata, flags, address)
            except (BlockingIOError, TimeoutError) as error:
                raise self._overdue(error, "write", flags) from None
            self._traffic[1] += count
            return count

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, as every socket does; each part of it has `write` seconds."""
        self._before_write()
        own = _gettimeout(self)
        if own is None and self._write_limit < math.inf:
            # It waits by itself where the system's limit is over; this is the time it heeds.
            _settimeout(self, self._write_limit)
        before = self._traffic[1]
        try:
            sent = super().sendfile(file, offset, count)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, "write", 0) from None
        finally:
            _settimeout(self, own)
        self._traffic[1] = before + sent  # it may have gone through `send`, or not
        return sent

    def _before_write(self) -> None:
        self._write_calm = self._enter(self._write, reading=False)

    # Deadlines.

    def _enter(self, limit: float, *, reading: bool) -> float:
        """Have the next call obey its limit; return until when that is right as it is."""
        left = self._until - _monotonic()
        if left <= 0:
            self._stalled_at = self._traffic[0] + self._traffic[1]
            raise DeadlineError("the connection has lasted longer than it may")
        own = _gettimeout(self)
        if own is not None:
            if own > left:
                _settimeout(self, left)
            return self._until - own
        wanted = min(limit, left)
        if wanted != (self._read_limit if reading else self._write_limit):
            option = socket.SO_RCVTIMEO if reading else socket.SO_SNDTIMEO
            self.setsockopt(socket.SOL_SOCKET, option, _timeval(wanted))
            if reading:
                self._read_limit = wanted
            else:
                self._write_limit = wanted
        return self._until - limit if limit < math.inf else self._until

    def _overdue(self, error: OSError, act: str, flags: int) -> OSError:
        """Return what to raise: the error itself, if no limit of ours has caused it."""
        own = _gettimeout(self)
        if own == 0 or flags & _DONTWAIT or not self._is_ours(error, own):
            return error
        self._stalled_at = self._traffic[0] + self._traffic[1]
        if _monotonic() >= self._until:
            return DeadlineError("the connection has lasted longer than it may")
        if own is not None:
            return error
        limit = self._read_limit if act == "read" else self._write_limit
        what = "sent nothing" if act == "read" else "took nothing"
        return DeadlineError(f"the client {what} for {limit:g} s")

    def _is_ours(self, error: OSError, own: float | None) -> bool:
        if own is None:  # Windows says "timed out" where others say "would block"
            return isinstance(error, BlockingIOError) or sys.platform == "win32"
        return error.args == _TIMED_OUT

    def settimeout(self, value: float | None, /) -> None:
        """Set a time of one's own for each read and write; None is the server's again."""
        _settimeout(self, value)
        self._read_calm = self._write_calm = 0.0

    def setblocking(self, flag: bool, /) -> None:
        """Set whether to wait at all, as every socket does."""
        self.settimeout(None if flag else 0.0)

    def dup(self) -> Self:
        """Return another object for the same connection, under the same deadlines."""
        other = super().dup()
        for name in ServedSocket.__slots__:
            setattr(other, name, getattr(self, name))
        return other


def _timeval(seconds: float) -> bytes | int:
    """Return it as the system wants it: where zero is no limit, and so must not come out."""
    if sys.platform == "win32":
        return 0 if seconds == math.inf else max(1, int(seconds * 1000))
    if seconds == math.inf:
        return struct.pack("@ll", 0, 0)
    microseconds = max(1, int(seconds * 1e6))
    return struct.pack("@ll", microseconds // 10**6, microseconds % 10**6)
