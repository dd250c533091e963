"""The socket that handlers of streams are given: an ordinary one, under the server's deadlines."""

import functools
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
_setsockopt: Final = _SocketType.setsockopt
_settimeout: Final = _SocketType.settimeout
_gettimeout: Final = _SocketType.gettimeout
_init: Final = _SocketType.__init__
_monotonic: Final = time.monotonic
_SOCK_STREAM: Final = int(socket.SOCK_STREAM)
_SOL_SOCKET: Final = int(socket.SOL_SOCKET)
_SO_RCVTIMEO: Final = int(socket.SO_RCVTIMEO)
_SO_SNDTIMEO: Final = int(socket.SO_SNDTIMEO)

# A first write nearly always finds room, and so needs no limit; where there is such a flag.
_DONTWAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0))  # as a flag of `enum` it takes 1 us more

_TOO_LONG: Final = "the connection has lasted longer than it may"

_TIMED_OUT: Final = ("timed out",)  # what the C code raises when the socket's own time is over


class ServedSocket(socket.socket):
    """A connection that obeys a server's `Timeouts`, and counts what goes in and out.

    It stays a blocking socket, descriptor included, so a subprocess can be given it: the limits
    are the system's own (SO_RCVTIMEO and SO_SNDTIMEO in socket(7)), set when they change and not
    for each call. One that `settimeout` was called on goes by that instead of `first_data`,
    `idle` and `write`; `connection` holds all the same.
    """

    # Defaults of the class, so that a request pays only for what it needs. Infinity is no limit.
    _read_limit: float = math.inf  # what the system was told last
    _write_limit: float = math.inf
    # What is here already is read without a limit; where there is no such flag, this is never so.
    _eager: int = _DONTWAIT  # zero once the system knows the right limit
    _stalled_at: int = -1  # how many bytes had come and gone when the client exceeded a limit

    _timeouts: Timeouts
    _traffic: Traffic
    _since: float
    _calm: float  # until when no wait can come near to the end of the connection

    @classmethod
    def of(cls, fd: int, family: int, proto: int) -> Self:
        """Make one of an accepted connection's descriptor, which it then owns.

        As `__init__` would, without its look at what the arguments may be otherwise: half the time.
        """
        made = cls.__new__(cls)
        _init(made, family, _SOCK_STREAM, proto, fd)
        made._io_refs = 0  # type: ignore[attr-defined]
        made._closed = False  # type: ignore[attr-defined]
        return made

    def begin(self, timeouts: Timeouts, traffic: Traffic) -> None:
        """Start the clock; the bytes are counted in `traffic` from now on."""
        self._timeouts = timeouts
        self._traffic = traffic
        self._since = now = _monotonic()
        self._calm = now + timeouts.calm if _DONTWAIT else now

    @property
    def has_stalled(self) -> bool:
        """Whether the client exceeded a limit, and nothing has come or gone since."""
        return self._stalled_at >= 0 and self._stalled_at == self._traffic[0] + self._traffic[1]

    # Reading.

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive, as every socket does."""
        if _monotonic() >= self._calm:
            self._before_read()
        try:
            data = _recv(self, bufsize, flags | self._eager)
        except (BlockingIOError, TimeoutError) as error:
            self._before_second_try(error, flags)
            try:
                data = _recv(self, bufsize, flags)
            except (BlockingIOError, TimeoutError) as late:
                raise self._overdue(late, "read", flags) from None
        self._traffic[0] += len(data)
        return data

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer, as every socket does."""
        if _monotonic() >= self._calm:
            self._before_read()
        try:
            count = _recv_into(self, buffer, nbytes, flags | self._eager)
        except (BlockingIOError, TimeoutError) as error:
            self._before_second_try(error, flags)
            try:
                count = _recv_into(self, buffer, nbytes, flags)
            except (BlockingIOError, TimeoutError) as late:
                raise self._overdue(late, "read", flags) from None
        self._traffic[0] += count
        return count

    def _before_second_try(self, error: OSError, flags: int) -> None:
        """Have the next attempt wait; raise if this one has waited already, or must not."""
        if not self._eager or flags & _DONTWAIT:
            raise self._overdue(error, "read", flags) from None
        self._before_read()

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
        if self._traffic[0]:
            self._enter(self._timeouts.idle, reading=True)
            self._eager = 0
        else:
            self._enter(self._timeouts.first_data, reading=True)  # and another one for the next

    # Writing.

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send what fits, as every socket does."""
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
        if _gettimeout(self) is not None:  # the caller's time is for all of it
            self._send_in_own_time(data, size, flags)
            return
        count = 0
        if _monotonic() < self._calm:
            try:  # what finds room at once needs no limit
                count = _send(self, data, flags | _DONTWAIT)
            except BlockingIOError:
                pass
            self._traffic[1] += count
            if count == size:
                return
        with memoryview(data) as view, view.cast("B") as rest:
            while count < size:
                count += self.send(rest[count:], flags)

    def _send_in_own_time(self, data: Buffer, size: int, flags: int) -> None:
        self._before_write()
        try:
            _sendall(self, data, flags)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, "write", flags) from None
        self._traffic[1] += size

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
        self._enter(self._timeouts.write, reading=False)

    # Deadlines.

    def _enter(self, limit: float | None, *, reading: bool) -> None:
        """Have the next call obey its limit, and the connection's."""
        left = self._left()
        if left <= 0:
            self._note_stall()
            raise DeadlineError(_TOO_LONG)
        own = _gettimeout(self)
        if own is not None:
            if own > left:
                _settimeout(self, left)
            return
        wanted = left if limit is None else min(limit, left)
        if reading and wanted != self._read_limit:
            _setsockopt(self, _SOL_SOCKET, _SO_RCVTIMEO, _timeval(wanted))
            self._read_limit = wanted
        elif not reading and wanted != self._write_limit:
            _setsockopt(self, _SOL_SOCKET, _SO_SNDTIMEO, _timeval(wanted))
            self._write_limit = wanted

    def _left(self) -> float:
        longest = self._timeouts.connection
        return math.inf if longest is None else self._since + longest - _monotonic()

    def _note_stall(self) -> None:
        self._stalled_at = self._traffic[0] + self._traffic[1]

    def _overdue(self, error: OSError, act: str, flags: int) -> OSError:
        """Return what to raise: the error itself, if no limit of ours has caused it."""
        own = _gettimeout(self)
        if own == 0 or flags & _DONTWAIT or not self._is_ours(error, own):
            return error
        self._note_stall()
        if self._left() <= 0:
            return DeadlineError(_TOO_LONG)
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
        self._eager = _DONTWAIT if value is None else 0

    def setblocking(self, flag: bool, /) -> None:
        """Set whether to wait at all, as every socket does."""
        self.settimeout(None if flag else 0.0)

    def dup(self) -> Self:
        """Return another object for the same connection, under the same deadlines."""
        other = super().dup()
        other.__dict__.update(self.__dict__)
        return other


@functools.lru_cache
def _timeval(seconds: float) -> bytes | int:
    """Return it as the system wants it: where zero is no limit, and so must not come out."""
    if sys.platform == "win32":
        return 0 if seconds == math.inf else max(1, int(seconds * 1000))
    if seconds == math.inf:
        return struct.pack("@ll", 0, 0)
    microseconds = max(1, int(seconds * 1e6))
    return struct.pack("@ll", microseconds // 10**6, microseconds % 10**6)
