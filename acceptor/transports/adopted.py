"""A socket that somebody else has bound: a service manager, a parent process, a test."""

import contextlib
import socket
from collections.abc import Generator
from typing import ClassVar

import attrs

from acceptor.core.datagram import Datagram
from acceptor.core.errors import ConfigurationError
from acceptor.core.interfaces import Listener, Transport
from acceptor.core.peers import IPv4Peer, IPv6Peer, Peer, UnixPeer, inet_peer, unix_path
from acceptor.core.values import frozen
from acceptor.transports.credentials import unix_peer
from acceptor.transports.datagrams import MAX_DATAGRAM_SIZE
from acceptor.transports.inet import check_limit, naming
from acceptor.transports.stream import StreamListener
from acceptor.transports.tcp import LARGEST_BACKLOG, tcp_peer
from acceptor.transports.udp import udp_listener
from acceptor.transports.unix_datagram import unix_datagram_listener
from acceptor.transports.unix_path import AF_UNIX


def socket_kind(given: socket.socket | int) -> socket.SocketKind:
    """Return SOCK_STREAM or SOCK_DGRAM, once it is sure that the socket can be served.

    Raises:
        ConfigurationError: It is closed, no socket, not bound, or of a kind we cannot serve.
    """
    with _borrowed(given) as sock:
        if sock.family not in (socket.AF_INET, socket.AF_INET6, AF_UNIX):
            raise ConfigurationError(f"cannot serve a socket of family {sock.family!r}")
        # On Linux the type of a descriptor may come with flags; the kind is what remains.
        kind = sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
        if kind not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            raise ConfigurationError(f"cannot serve a socket of type {sock.type!r}")
        name = sock.getsockname()
        if not (name if sock.family == AF_UNIX else name[1]):
            raise ConfigurationError(f"the socket is not bound; bind it first: {sock!r}")
        if kind == socket.SOCK_STREAM and _is_connected(sock):
            raise ConfigurationError(f"the socket is connected, so it takes no clients: {sock!r}")
        return socket.SocketKind(kind)


def check_family(given: socket.socket | int, family: socket.AddressFamily) -> None:
    """Refuse a socket of another family.

    Raises:
        ConfigurationError: It is one, or closed.
    """
    found = _family(given)
    if found != family:
        wanted = getattr(family, "name", repr(family))
        raise ConfigurationError(f"expected an {wanted} socket, got an {found.name} one")


def _family(given: socket.socket | int) -> socket.AddressFamily:
    with _borrowed(given) as sock:
        return socket.AddressFamily(sock.family)


def _peer_types(given: socket.socket | int) -> tuple[type, ...]:
    return (UnixPeer,) if _family(given) == AF_UNIX else (IPv4Peer, IPv6Peer)


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _borrowed(given: socket.socket | int) -> Generator[socket.socket, None, None]:
    if isinstance(given, socket.socket):
        if given.fileno() < 0:
            raise ConfigurationError(f"the socket is closed: {given!r}")
        yield given
        return
    if isinstance(given, bool) or not isinstance(given, int):
        raise ConfigurationError(f"expected a socket or its descriptor, got {given!r}")
    try:
        sock = socket.socket(fileno=given)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"descriptor {given} is no open socket: {error}") from error
    try:
        yield sock
    finally:
        sock.detach()


@contextlib.contextmanager
def _taken(given: socket.socket | int) -> Generator[socket.socket, None, None]:
    sock = given if isinstance(given, socket.socket) else socket.socket(fileno=given)
    try:
        yield sock
    except BaseException:
        if sock is not given:
            sock.detach()
        raise


@frozen(kw_only=True)
class AdoptedStreamTransport(Transport[socket.socket, Peer]):
    """Serves a stream socket that somebody else has bound.

    `listen` takes the socket over: the server closes it, but never removes its file. Whoever
    shares the descriptor finds it non-blocking from then on.
    """

    request_type: ClassVar[type] = socket.socket

    source: socket.socket | int

    @property
    def peer_types(self) -> tuple[type, ...]:
        """What its clients are, for policies to fit."""
        return _peer_types(self.source)

    def __str__(self) -> str:
        return f"the given socket {self.source!r}"

    def listen(self) -> Listener[socket.socket, Peer]:
        """Make a listener of the socket; let it listen if it does not yet."""
        with naming(self), _taken(self.source) as sock:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sock.listen(LARGEST_BACKLOG)
            name = sock.getsockname()
            if sock.family == AF_UNIX:
                return StreamListener[Peer](sock, UnixPeer(unix_path(name)), unix_peer)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return StreamListener[Peer](sock, inet_peer(name), tcp_peer)


@frozen(kw_only=True)
class AdoptedDatagramTransport(Transport[Datagram, Peer]):
    """Serves a datagram socket that somebody else has bound, as `AdoptedStreamTransport`."""

    request_type: ClassVar[type] = Datagram

    source: socket.socket | int
    max_datagram_size: int = attrs.field(default=MAX_DATAGRAM_SIZE, validator=check_limit)
    """Bytes; what is longer arrives cut, and says so."""

    @property
    def peer_types(self) -> tuple[type, ...]:
        """What its clients are, for policies to fit."""
        return _peer_types(self.source)

    def __str__(self) -> str:
        return f"the given socket {self.source!r}"

    def listen(self) -> Listener[Datagram, Peer]:
        """Make a listener of the socket."""
        with naming(self), _taken(self.source) as sock:
            if sock.family == AF_UNIX:
                address = UnixPeer(unix_path(sock.getsockname()))
                most = self.max_datagram_size
                return unix_datagram_listener(sock, address, most, None, is_shared=True)
            return udp_listener(sock, self.max_datagram_size, is_shared=True)
