"""The socket that handlers of streams are given: an ordinary one, under the server's deadlines."""

import contextlib
import functools
import math
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any, Final, Self, TypeVar, cast

from typing_extensions import Buffer

from acceptor.core.baton import BATON
from acceptor.core.deadlines import Timeouts
from acceptor.core.errors import DeadlineError
from acceptor.core.interfaces import Traffic
from acceptor.core.lazily import LazyModule
from acceptor.core.ssl_types import SSLContext, SSLSocket

ResultT = TypeVar("ResultT")

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
_PEEK: Final = int(socket.MSG_PEEK)
_awaited: Final = BATON.waiting  # looked at for each read

_READ: Final = 0
_WRITE: Final = 1
_OPTIONS: Final = (int(socket.SO_RCVTIMEO), int(socket.SO_SNDTIMEO))
_MAIN_THREAD: Final = threading.main_thread().ident

# A first write nearly always finds room, and so needs no limit; where there is such a flag.
_DONTWAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0))  # as a flag of `enum` it takes 1 us more

_TOO_LONG: Final = "the connection has lasted longer than it may"

_TIMED_OUT: Final = ("timed out",)  # what the C code raises when the socket's own time is over

# `ssl` takes as long to import as all of this package, and not every Python has it. Nothing tells
# in advance that a handler will want STARTTLS, so this may be loaded while serving.
_tls_socket: Any = LazyModule("acceptor.transports.tls_socket")


NO_LIMITS: Final = (math.inf, math.inf)

# What a C int holds, in milliseconds. Longer times are refused by `settimeout`, by the system or by
# `struct`; so they are no limit, for sockets: nobody will see the difference.
LONGEST: Final = 2_000_000.0  # seconds


def set_read_limit(sock: socket.socket, seconds: float) -> None:
    """Have the system end each read of a socket that waits after so long; infinity is no limit."""
    _setsockopt(sock, _SOL_SOCKET, _OPTIONS[_READ], _timeval(seconds))


def read_limit_of(sock: socket.socket) -> bytes:
    """Return what the system says of that, in its own form and rounded as it does."""
    return sock.getsockopt(_SOL_SOCKET, _OPTIONS[_READ], 16)


class ServedSocket(socket.socket):
    """A connection that obeys a server's `Timeouts`, and counts what goes in and out.

    It stays a blocking socket, descriptor included, so a subprocess can be given it: the limits
    are the system's own (SO_RCVTIMEO and SO_SNDTIMEO in socket(7)), set when they change and not
    for each call. One that `settimeout` was called on goes by that instead of `first_data`,
    `idle` and `write`; `connection` holds all the same.
    """

    # Defaults of the class, so that a request pays only for what it needs. Infinity is no limit.
    limits: tuple[float, float] = NO_LIMITS
    """The seconds that a read and a write may take, as the system was told last; NaN is unknown."""
    # What is here already is read without a limit; where there is no such flag, this is never so.
    # Zero once the system knows the limit of all reads to come, unless this thread takes turns; and
    # taken for zero then where nobody does for a while, as each call lets another thread in.
    _eager: int = _DONTWAIT
    _is_told: bool = False  # whether the system knows that limit
    stalled_at: int = -1
    """How many bytes had come and gone when the client exceeded a limit; -1 if it never has."""

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

    upgraded: Any = None
    """The `TlsSocket` that has taken its place; the module of that class is not known here."""
    has_ended: bool = False
    """Whether a read has met the end.

    Then the client sends no more, and all that it has sent was read; unless we have shut it.
    """
    was_shut: bool = False
    """Whether the handler has shut it for reading."""
    was_cut: bool = False
    """Whether it was to be shut; what takes its place is told by this."""

    def begin(self, timeouts: Timeouts, traffic: Traffic) -> None:
        """Start the clock; the bytes are counted in `traffic` from now on."""
        self._timeouts = timeouts
        self._traffic = traffic
        self._since = now = _monotonic()
        self._calm = now + timeouts.calm if _DONTWAIT else now

    def go_on(self, timeouts: Timeouts, traffic: Traffic) -> None:
        """Obey others, and count elsewhere, from now on; the clock goes on."""
        self._timeouts = timeouts
        self._traffic = traffic
        self._calm = self._since + timeouts.calm if _DONTWAIT else self._since
        self._eager = _DONTWAIT if _gettimeout(self) is None else 0
        self._is_told = False  # the system knows the old ones

    def start_tls(self, context: SSLContext) -> SSLSocket:
        """Do the server's part of a TLS handshake; return what is to be used from then on.

        `handshake` seconds are given.

        Raises:
            HandshakeError: The client did not get through; the connection is of no more use.
            ConfigurationError: It is no server's context, or makes sockets of a class of its own.
        """
        made = _tls_socket.secure(self, _tls_socket.tls_context(context), self._timeouts.handshake)
        return cast("SSLSocket", made)

    @property
    def timeouts(self) -> Timeouts:
        """What it obeys."""
        return self._timeouts

    @property
    def traffic(self) -> Traffic:
        """Where it counts."""
        return self._traffic

    @property
    def since(self) -> float:
        """When the connection began, by the monotonic clock."""
        return self._since

    @property
    def has_stalled(self) -> bool:
        """Whether the client exceeded a limit, and nothing has come or gone since."""
        return self.stalled_at >= 0 and self.stalled_at == self._traffic[0] + self._traffic[1]

    # Reading.

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive, as every socket does."""
        if flags or _monotonic() >= self._calm:
            data = self._limited(_READ, flags, _recv, bufsize, flags)
            self._count_read(len(data), flags)
            return data
        try:
            if self._eager and not (self._is_told and BATON.is_open):
                data = _recv(self, bufsize, _DONTWAIT)
                if _awaited:
                    BATON.pass_on()
            else:
                data = self._await(_recv, bufsize)
        except BlockingIOError as error:
            data = self._read_again(error, _recv, bufsize)
        if data:
            self._traffic[0] += len(data)
        else:
            self.has_ended = bufsize > 0
        return data

    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """Receive into a buffer, as every socket does."""
        if flags or _monotonic() >= self._calm:
            count = self._limited(_READ, flags, _recv_into, buffer, nbytes, flags)
            self._count_read(count, flags)
            return count
        try:
            if self._eager and not (self._is_told and BATON.is_open):
                count = _recv_into(self, buffer, nbytes, _DONTWAIT)
                if _awaited:
                    BATON.pass_on()
            else:
                count = self._await(_recv_into, buffer, nbytes)
        except BlockingIOError as error:
            count = self._read_again(error, _recv_into, buffer, nbytes)
        if count:
            self._traffic[0] += count
        else:
            self.has_ended = memoryview(buffer).nbytes > 0
        return count

    def _read_again(self, error: OSError, call: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """Wait for what the first attempt has not found; raise what it has, if it has waited."""
        if not self._eager:
            raise error
        if self._is_told:
            return self._await(call, *arguments)
        return self._limited(_READ, 0, call, *arguments)

    def _await(self, call: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """Read, under the limit that the system knows already, while others have their turn."""
        takes_turns = BATON.give_up()
        try:
            return call(self, *arguments)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, 0, _gettimeout(self), self.limits[_READ]) from None
        finally:
            if takes_turns:
                BATON.take()

    def _count_read(self, count: int, flags: int) -> None:
        if not flags & _PEEK:
            self._traffic[0] += count

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """Receive, as every socket does."""
        data, sender = self._limited(_READ, flags, _SocketType.recvfrom, bufsize, flags)
        self._count_read(len(data), flags)
        return data, sender

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Receive into a buffer, as every socket does."""
        call = _SocketType.recvfrom_into
        count, sender = self._limited(_READ, flags, call, buffer, nbytes, flags)
        self._count_read(count, flags)
        return count, sender

    if sys.platform != "win32":

        def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> Any:
            """Receive with ancillary data, as every socket does."""
            call = _SocketType.recvmsg
            message = self._limited(_READ, flags, call, bufsize, ancbufsize, flags)
            self._count_read(len(message[0]), flags)
            return message

        def recvmsg_into(
            self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
        ) -> Any:
            """Receive into buffers with ancillary data, as every socket does."""
            call = _SocketType.recvmsg_into
            message = self._limited(_READ, flags, call, buffers, ancbufsize, flags)
            self._count_read(message[0], flags)
            return message

    def shutdown(self, how: int, /) -> None:
        """Shut one half or both, as every socket does."""
        if how != socket.SHUT_WR:
            self.was_shut = True  # before the end is read for which that is the reason
        super().shutdown(how)

    # Writing.

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send what fits, as every socket does."""
        count = self._limited(_WRITE, flags, _send, data, flags)
        self._traffic[1] += count
        return count

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        """Send all of it, as every socket does; each part of it has `write` seconds."""
        self.write_all(data, flags)

    def write_all(self, data: Buffer, flags: int = 0, /) -> int:
        """Do the same; return how many bytes that was."""
        size = len(data) if type(data) is bytes else memoryview(data).nbytes
        if _gettimeout(self) is not None:  # the caller's time is for all of it
            self._limited(_WRITE, flags, _sendall, data, flags)
            self._traffic[1] += size
            return size
        count = 0
        if _monotonic() < self._calm:
            try:  # what finds room at once needs no limit
                count = _send(self, data, flags | _DONTWAIT)
            except BlockingIOError:
                pass
            self._traffic[1] += count
            if count == size:
                return size
        with memoryview(data) as view, view.cast("B") as rest:
            while count < size:
                count += self.send(rest[count:], flags)
        return size

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
            call = _SocketType.sendmsg
            count = self._limited(_WRITE, flags, call, buffers, ancdata, flags, address)
            self._traffic[1] += count
            return count

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, as every socket does; each part of it has `write` seconds."""
        own, before = _gettimeout(self), self._traffic[1]
        limit = self._wanted(_WRITE) if own is None else own
        if own is None and limit < math.inf:
            _settimeout(self, limit)  # it waits by itself, and heeds only this
        try:
            with BATON.aside():
                sent = super().sendfile(file, offset, count)
        except TimeoutError as error:
            raise self._overdue(error, 0, own, limit) from None
        finally:
            _settimeout(self, own)
        self._traffic[1] = before + sent  # it may have gone through `send`, or not
        return sent

    # Deadlines.

    def _limited(
        self, act: int, flags: int, call: Callable[..., ResultT], *arguments: Any
    ) -> ResultT:
        """Make a call to the system that may wait, under the limit that holds for it now."""
        own, wanted = _gettimeout(self), self._wanted(act)
        # In the main thread signals end a wait, and the system's limit would begin anew with each.
        may_wait = own is None and wanted < math.inf and not flags & _DONTWAIT
        borrows = may_wait and get_ident() == _MAIN_THREAD
        if borrows or (own is not None and own > wanted):
            _settimeout(self, wanted)
        elif own is None and wanted != self.limits[act]:
            _setsockopt(self, _SOL_SOCKET, _OPTIONS[act], _timeval(wanted))
            self.limits = (wanted, self.limits[1]) if act == _READ else (self.limits[0], wanted)
        takes_turns = not (flags & _DONTWAIT or own == 0.0) and BATON.give_up()
        try:
            result = call(self, *arguments)
        except (BlockingIOError, TimeoutError) as error:
            raise self._overdue(error, flags, own, wanted) from None
        finally:
            if takes_turns:
                BATON.take()
            if borrows:
                _settimeout(self, None)
        if act == _READ and own is None and self._traffic[0] and not borrows:
            self._is_told = True
            if not takes_turns:
                self._eager = 0  # a first attempt would save nobody anything
        return result

    def _wanted(self, act: int) -> float:
        """Return the seconds that the next call may wait; infinity is no limit."""
        timeouts = self._timeouts
        left = math.inf
        if timeouts.connection is not None:
            left = self._since + timeouts.connection - _monotonic()
            if left <= 0:
                self._note_stall()
                raise DeadlineError(_TOO_LONG)
        if _gettimeout(self) is not None:
            return left
        reads = timeouts.idle if self._traffic[0] else timeouts.first_data
        limit = timeouts.write if act == _WRITE else reads
        wanted = left if limit is None else min(limit, left)
        return wanted if wanted < LONGEST else math.inf

    def limit_next_read(self, seconds: float) -> bool:
        """Have the system end the next read after so long; False where that cannot be.

        Without `settimeout`, which has the system called three times instead of once.
        """
        if _gettimeout(self) is not None or get_ident() == _MAIN_THREAD:
            return False
        if self.limits[_READ] != seconds:
            set_read_limit(self, seconds)
            self.limits = (seconds, self.limits[1])
        return True

    def _note_stall(self) -> None:
        self.stalled_at = self._traffic[0] + self._traffic[1]

    def _overdue(self, error: OSError, flags: int, own: float | None, limit: float) -> OSError:
        """Return what to raise: the error itself, if no limit of ours has caused it."""
        waited = isinstance(error, BlockingIOError) or error.args == _TIMED_OUT
        # Windows has an error of its own for what others call "would block".
        if own == 0 or flags & _DONTWAIT or not (waited or sys.platform == "win32"):
            return error
        self._note_stall()
        longest = self._timeouts.connection
        if longest is not None and self._since + longest <= _monotonic():
            return DeadlineError(_TOO_LONG)
        if own is not None:
            return error
        return DeadlineError(f"the client kept the connection waiting for {limit:g} s")

    def settimeout(self, value: float | None, /) -> None:
        """Set a time of one's own for each read and write; None is the server's again."""
        _settimeout(self, value)
        self._eager = _DONTWAIT if value is None else 0
        self._is_told = False

    def setblocking(self, flag: bool, /) -> None:
        """Set whether to wait at all, as every socket does."""
        self.settimeout(None if flag else 0.0)

    def detach(self) -> int:
        """Let go of the descriptor, which obeys no limits any more; return it."""
        for act in (_READ, _WRITE):
            if self.limits[act] != math.inf:
                with contextlib.suppress(OSError):  # it is closed already
                    _setsockopt(self, _SOL_SOCKET, _OPTIONS[act], _timeval(math.inf))
        return super().detach()

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
