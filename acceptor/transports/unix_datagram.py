"""Unix datagram sockets."""

import contextlib
import functools
import socket
from typing import ClassVar

import attrs

from acceptor.core.datagram import Datagram
from acceptor.core.endpoint import UnixgramEndpoint
from acceptor.core.interfaces import Listener, Transport
from acceptor.core.peers import UnixPeer, unix_path
from acceptor.core.values import frozen
from acceptor.transports.datagrams import MAX_DATAGRAM_SIZE, DatagramListener
from acceptor.transports.inet import SocketOption, check_limit, check_size, naming, options
from acceptor.transports.unix_path import (
    AF_UNIX,
    OwnedFile,
    UnixName,
    check_mode,
    check_path,
    group_id,
    opening,
    user_id,
)


@frozen(kw_only=True)
class UnixDatagramTransport(Transport[Datagram, UnixPeer]):
    """Receives datagrams on a Unix socket; owns its file as `UnixStreamTransport` does."""

    request_type: ClassVar[type] = Datagram
    peer_types: ClassVar[tuple[type, ...]] = (UnixPeer,)

    endpoint: UnixgramEndpoint
    max_datagram_size: int = attrs.field(default=MAX_DATAGRAM_SIZE, validator=check_limit)
    """Bytes; what is longer arrives cut, and says so. Unix sockets may carry more than UDP."""
    mode: int | None = attrs.field(default=None, validator=check_mode)
    """Permissions of the file, such as 0o660; None leaves them to the umask."""
    owner: str | int | None = None
    """User who shall own the file, by name or number; None leaves it to the system."""
    group: str | int | None = None
    """Group that shall own the file, by name or number; None leaves it to the system."""
    receive_buffer_size: int | None = attrs.field(default=None, validator=check_size)
    """Bytes; None leaves it to the system."""
    socket_options: tuple[SocketOption, ...] = attrs.field(default=(), converter=options)
    """Further options, set before the socket is bound."""

    def __attrs_post_init__(self) -> None:
        check_path(self.endpoint.path)
        self._name()

    def _name(self) -> UnixName:
        return UnixName(self.endpoint.path, self.mode, user_id(self.owner), group_id(self.group))

    def listen(self) -> Listener[Datagram, UnixPeer]:
        """Bind; the caller closes the listener.

        Raises:
            ListenError: A live server has the path, it is no socket, or it cannot be written.
        """
        with naming(self.endpoint), opening(self.endpoint.path), contextlib.ExitStack() as undo:
            sock = undo.enter_context(socket.socket(AF_UNIX, socket.SOCK_DGRAM))
            if self.receive_buffer_size is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer_size)
            for level, name, value in self.socket_options:
                sock.setsockopt(level, name, value)
            owned = self._name().bind(sock)
            address = UnixPeer(self.endpoint.path)
            listener = unix_datagram_listener(sock, address, self.max_datagram_size, owned)
            undo.pop_all()
            return listener


def unix_datagram_listener(
    sock: socket.socket,
    address: UnixPeer,
    max_datagram_size: int,
    owned: OwnedFile | None,
    *,
    is_shared: bool = False,
) -> DatagramListener[UnixPeer]:
    """Make a listener of a bound Unix datagram socket, which it then owns."""
    return DatagramListener(
        sock,
        address,
        max_datagram_size,
        _peer,
        forget=owned.remove if owned else lambda: None,
        is_shared=is_shared,
    )


@functools.lru_cache  # the same senders come again, and a look takes a tenth of making one
def _peer(sockaddr: str | bytes | None) -> UnixPeer:
    return UnixPeer(unix_path(sockaddr))
