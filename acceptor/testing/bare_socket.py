"""What memory sockets of both kinds have in common: all of a socket but its descriptor."""

import errno
import os
import socket
import time
from typing import Any, Final, NoReturn

from typing_extensions import Buffer

from acceptor.core.deadlines import Clock
from acceptor.core.peers import IPv6Peer, Peer, UnixPeer

_UNIX: Final = getattr(socket, "AF_UNIX", socket.AF_INET)


def _sockaddr(peer: Peer) -> Any:
    """Return the name as the socket module has it."""
    if isinstance(peer, UnixPeer):
        return peer.path
    if isinstance(peer, IPv6Peer):
        return (peer.host.partition("%")[0], peer.port, 0, peer.scope_id)
    return tuple(peer)


class BareSocket(socket.socket):
    """A socket without a descriptor: it has names, a timeout and options, and is closed once.

    `fileno` is -1: no selector can wait for it, no other process can have it.
    """

    def __init__(
        self,
        names: tuple[Peer, Peer | None],
        kind: socket.SocketKind,
        clock: Clock = time.monotonic,
        timeout: float | None = None,
    ) -> None:
        """Have these names, one's own and the other's; measure timeouts by the clock."""
        # The socket class's own `__init__` would open a descriptor; this is the rest of it.
        self._io_refs = 0
        self._closed = False
        self._names = names
        self._kind = kind
        self._clock = clock
        self._seconds = timeout
        self._options: dict[tuple[int, int], int | bytes] = {}

    def __repr__(self) -> str:
        own, other = self._names
        state = " [closed]" if self._closed else ""
        return f"<{type(self).__name__}{state} {own!r} to {other!r}>"

    @property
    def family(self) -> socket.AddressFamily:
        """The family that its own name is of."""
        if isinstance(self._names[0], UnixPeer):
            return socket.AddressFamily(_UNIX)
        return socket.AF_INET6 if isinstance(self._names[0], IPv6Peer) else socket.AF_INET

    @property
    def type(self) -> socket.SocketKind:
        """Whether it is for streams or for datagrams."""
        return self._kind

    @property
    def proto(self) -> int:
        """Always 0."""
        return 0

    def getsockname(self) -> Any:
        """Return one's own name."""
        self._check_open()
        return _sockaddr(self._names[0])

    def getpeername(self) -> Any:
        """Return the other side's name."""
        self._check_open()
        if self._names[1] is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return _sockaddr(self._names[1])

    @property
    def timeout(self) -> float | None:
        """What `gettimeout` returns."""
        return self._seconds

    def gettimeout(self) -> float | None:
        """Return the seconds that a read or write may take; None is no limit."""
        return self._seconds

    def settimeout(self, value: float | None, /) -> None:
        """Change the seconds that a read or write may take; 0 is to wait for nothing."""
        if value is not None and value < 0:
            raise ValueError("Timeout value out of range")
        self._check_open()
        self._seconds = None if value is None else float(value)

    def getblocking(self) -> bool:
        """Say whether reads and writes wait at all."""
        return self._seconds != 0.0

    def setblocking(self, flag: bool, /) -> None:
        """Have reads and writes wait without a limit, or not at all."""
        self.settimeout(None if flag else 0.0)

    def setsockopt(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int = 0, /
    ) -> None:
        """Keep an option, for `getsockopt`."""
        self._check_open()
        whole = value if isinstance(value, int) else bytes(value or bytes(optlen))
        self._options[level, optname] = whole

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> Any:
        """Return an option as it was set; else 0, or so many zero bytes."""
        self._check_open()
        return self._options.get((level, optname), bytes(buflen) if buflen else 0)

    def get_inheritable(self) -> bool:
        """Return False: no other process can have it."""
        return False

    def _check_open(self) -> None:
        if self._closed and self._io_refs <= 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def detach(self) -> int:
        """Close it: there is no descriptor to hand out."""
        self.close()
        return -1

    def accept(self) -> NoReturn:
        """Raise: there is no port."""
        raise _cannot("accept")

    def bind(self, address: object, /) -> NoReturn:
        """Raise: it has its place already."""
        raise _cannot("bind")

    def connect(self, address: object, /) -> NoReturn:
        """Raise: it is connected by the transport's `connect`."""
        raise _cannot("connect")

    def connect_ex(self, address: object, /) -> NoReturn:
        """Raise: it is connected by the transport's `connect`."""
        raise _cannot("connect_ex")

    def dup(self) -> NoReturn:
        """Raise: there is no descriptor."""
        raise _cannot("dup")

    def listen(self, backlog: int = 0, /) -> NoReturn:
        """Raise: there is no port."""
        raise _cannot("listen")


def _cannot(act: str) -> OSError:
    return OSError(errno.EOPNOTSUPP, f"a memory socket cannot {act}")
