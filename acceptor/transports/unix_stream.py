"""Unix stream sockets."""

import contextlib
import socket
from typing import ClassVar

import attrs

from acceptor.core.endpoint import UnixEndpoint
from acceptor.core.interfaces import Listener, Transport
from acceptor.core.peers import UnixPeer
from acceptor.core.values import frozen
from acceptor.transports.credentials import unix_peer
from acceptor.transports.inet import SocketOption, check_size, naming, options
from acceptor.transports.stream import StreamListener
from acceptor.transports.tcp import LARGEST_BACKLOG
from acceptor.transports.unix_path import (
    AF_UNIX,
    UnixName,
    check_mode,
    check_path,
    group_id,
    opening,
    user_id,
)


@frozen(kw_only=True)
class UnixStreamTransport(Transport[socket.socket, UnixPeer]):
    """Listens for connections on a Unix socket.

    Owns the file it creates: a live server's path is refused, a dead one's is replaced, and the
    end of the server removes the file if it is still the same.
    """

    request_type: ClassVar[type] = socket.socket
    peer_types: ClassVar[tuple[type, ...]] = (UnixPeer,)

    endpoint: UnixEndpoint
    backlog: int | None = attrs.field(default=None, validator=check_size)
    """Connections that may wait to be accepted; None is the system's maximum."""
    mode: int | None = attrs.field(default=None, validator=check_mode)
    """Permissions of the file, such as 0o660; None leaves them to the umask."""
    owner: str | int | None = None
    """User who shall own the file, by name or number; None leaves it to the system."""
    group: str | int | None = None
    """Group that shall own the file, by name or number; None leaves it to the system."""
    socket_options: tuple[SocketOption, ...] = attrs.field(default=(), converter=options)
    """Further options, set before the socket is bound."""

    def __attrs_post_init__(self) -> None:
        check_path(self.endpoint.path)
        self._name()

    def _name(self) -> UnixName:
        return UnixName(self.endpoint.path, self.mode, user_id(self.owner), group_id(self.group))

    def listen(self) -> Listener[socket.socket, UnixPeer]:
        """Bind and listen; the caller closes the listener.

        Raises:
            ListenError: A live server has the path, it is no socket, or it cannot be written.
        """
        with naming(self.endpoint), opening(self.endpoint.path), contextlib.ExitStack() as undo:
            sock = undo.enter_context(socket.socket(AF_UNIX, socket.SOCK_STREAM))
            for level, name, value in self.socket_options:
                sock.setsockopt(level, name, value)
            owned = self._name().bind(sock)
            forget = owned.remove if owned else lambda: None
            undo.callback(forget)
            sock.listen(LARGEST_BACKLOG if self.backlog is None else self.backlog)
            listener = StreamListener(sock, UnixPeer(self.endpoint.path), unix_peer, forget)
            undo.pop_all()
            return listener
