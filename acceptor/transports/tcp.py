"""TCP."""

import contextlib
import socket
from typing import Any, ClassVar

import attrs

from acceptor.core.endpoint import TcpEndpoint
from acceptor.core.interfaces import Listener, Transport
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer, inet_peer
from acceptor.core.values import frozen
from acceptor.transports.inet import (
    InetOptions,
    SocketOption,
    check_flag,
    check_reuse_port,
    check_size,
    naming,
    open_socket,
    options,
)
from acceptor.transports.stream import StreamListener

# Linux clips this to net.core.somaxconn, others to kern.ipc.somaxconn. Not larger, because some
# systems keep it in 16 bits; Trio has the same number for the same reason.
LARGEST_BACKLOG = 0xFFFF


def check_backlog(instance: object, attribute: "attrs.Attribute[Any]", backlog: object) -> None:
    """Refuse what is no length of a queue; an attrs validator."""
    check_size(instance, attribute, backlog)


@frozen(kw_only=True)
class TcpTransport(Transport[socket.socket, InetPeer]):
    """Listens for TCP connections."""

    request_type: ClassVar[type] = socket.socket
    peer_types: ClassVar[tuple[type, ...]] = (IPv4Peer, IPv6Peer)

    endpoint: TcpEndpoint
    backlog: int | None = attrs.field(default=None, validator=check_backlog)
    """Connections that may wait to be accepted; None is the system's maximum."""
    reuse_address: bool | None = attrs.field(
        default=None, validator=attrs.validators.optional(check_flag)
    )
    """None is what is safe here: on, except on Windows, where it would allow port theft."""
    reuse_port: bool = attrs.field(default=False, validator=check_reuse_port)
    """Lets several sockets share the port, each with a backlog of its own."""
    no_delay: bool = attrs.field(default=True, validator=check_flag)
    """Sends small writes at once (TCP_NODELAY)."""
    keep_alive: bool = attrs.field(default=True, validator=check_flag)
    """Has the system probe connections at rest, so that vanished clients are noticed."""
    receive_buffer_size: int | None = attrs.field(default=None, validator=check_size)
    """Bytes; None leaves it to the system, which tunes it by itself."""
    send_buffer_size: int | None = attrs.field(default=None, validator=check_size)
    """Bytes; None leaves it to the system, which tunes it by itself."""
    socket_options: tuple[SocketOption, ...] = attrs.field(default=(), converter=options)
    """Further options, set before the socket is bound; accepted connections inherit most."""

    def listen(self) -> Listener[socket.socket, InetPeer]:
        """Bind and listen; the caller closes the listener.

        Raises:
            ListenError: The address is in use, denied or unknown here.
        """
        with naming(self.endpoint), contextlib.ExitStack() as undo:
            sock = undo.enter_context(self._open())
            sock.listen(LARGEST_BACKLOG if self.backlog is None else self.backlog)
            address = inet_peer(sock.getsockname())
            listener = StreamListener(sock, address, tcp_peer, is_ours=True)
            undo.pop_all()
            return listener

    def _open(self) -> socket.socket:
        # On the listener, because every accepted connection inherits them without a system call.
        inherited: list[SocketOption] = [
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, int(self.no_delay)),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(self.keep_alive)),
        ]
        choices = InetOptions(
            reuse_address=self.reuse_address,
            reuse_port=self.reuse_port,
            receive_buffer_size=self.receive_buffer_size,
            send_buffer_size=self.send_buffer_size,
            socket_options=(*inherited, *self.socket_options),
        )
        return open_socket(self.endpoint.host, self.endpoint.port, socket.SOCK_STREAM, choices)


def tcp_peer(client: socket.socket, sockaddr: Any) -> InetPeer:
    """Return who connected."""
    # As `inet_peer`, without another call for nearly all.
    return tuple.__new__(IPv4Peer, sockaddr) if len(sockaddr) == 2 else inet_peer(sockaddr)
