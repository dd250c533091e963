"""UDP."""

import functools
import ipaddress
import socket
import struct
import sys
from typing import ClassVar, Final

import attrs

from acceptor.core.datagram import Datagram
from acceptor.core.endpoint import UdpEndpoint
from acceptor.core.interfaces import Listener, Transport
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer, inet_peer
from acceptor.core.values import frozen
from acceptor.transports.datagrams import MAX_DATAGRAM_SIZE, Ancillary, DatagramListener
from acceptor.transports.inet import (
    InetOptions,
    SocketOption,
    check_flag,
    check_limit,
    check_reuse_port,
    check_size,
    naming,
    open_socket,
    options,
)

# Python names it only from 3.12 on. Source: linux/in.h, ip(7).
_IP_PKTINFO: Final[int | None] = getattr(
    socket, "IP_PKTINFO", 8 if sys.platform == "linux" else None
)
_IPV6_RECVPKTINFO: Final[int | None] = getattr(socket, "IPV6_RECVPKTINFO", None)
_IPV6_PKTINFO: Final[int | None] = getattr(socket, "IPV6_PKTINFO", None)
_IN_PKTINFO: Final = struct.Struct("=I4s4s")  # interface, local address, header's destination
_IN6_PKTINFO: Final = struct.Struct("=16sI")  # destination, interface

_SPARE: Final = 256  # bytes for what socket options of the user's may add to each datagram


@frozen(kw_only=True)
class UdpTransport(Transport[Datagram, InetPeer]):
    """Receives UDP datagrams.

    Bound to all addresses (an empty host, `0.0.0.0` or `::`), an answer leaves from the address
    that was asked, where the platform tells it (Linux, macOS).
    """

    request_type: ClassVar[type] = Datagram
    peer_types: ClassVar[tuple[type, ...]] = (IPv4Peer, IPv6Peer)

    endpoint: UdpEndpoint
    max_datagram_size: int = attrs.field(default=MAX_DATAGRAM_SIZE, validator=check_limit)
    """Bytes; what is longer arrives cut, and says so."""
    reuse_address: bool | None = attrs.field(
        default=None, validator=attrs.validators.optional(check_flag)
    )
    """None is what is safe: off, because on lets a second server take the port away."""
    reuse_port: bool = attrs.field(default=False, validator=check_reuse_port)
    """Lets several sockets share the port; the system spreads the senders over them."""
    receive_buffer_size: int | None = attrs.field(default=None, validator=check_size)
    """Bytes of datagrams that may wait; None leaves it to the system."""
    send_buffer_size: int | None = attrs.field(default=None, validator=check_size)
    """Bytes; None leaves it to the system."""
    socket_options: tuple[SocketOption, ...] = attrs.field(default=(), converter=options)
    """Further options, set before the socket is bound."""

    def listen(self) -> Listener[Datagram, InetPeer]:
        """Bind; the caller closes the listener.

        Raises:
            ListenError: The address is in use, denied or unknown here.
        """
        with naming(self.endpoint):
            choices = InetOptions(
                reuse_address=self.reuse_address,
                reuse_port=self.reuse_port,
                receive_buffer_size=self.receive_buffer_size,
                send_buffer_size=self.send_buffer_size,
                socket_options=self.socket_options,
            )
            sock = open_socket(self.endpoint.host, self.endpoint.port, socket.SOCK_DGRAM, choices)
            try:
                return udp_listener(sock, self.max_datagram_size)
            except BaseException:
                sock.close()
                raise


# All of it in C, for each datagram; the same as `inet_peer` for this family.
_ipv4_peer: Final = functools.partial(tuple.__new__, IPv4Peer)


def udp_listener(
    sock: socket.socket, max_datagram_size: int, *, is_shared: bool = False
) -> DatagramListener[InetPeer]:
    """Make a listener of a bound UDP socket, which it then owns."""
    address = inet_peer(sock.getsockname())
    wildcard = ipaddress.ip_address(address.host.partition("%")[0]).is_unspecified
    return DatagramListener(
        sock,
        address,
        max_datagram_size,
        _ipv4_peer if sock.family == socket.AF_INET else inet_peer,
        _ask_for_local_address(sock) if wildcard else 0,
        _local_host,
        _from_ipv4 if sock.family == socket.AF_INET else _from_ipv6,
        is_shared=is_shared,
    )


def _ask_for_local_address(sock: socket.socket) -> int:
    """Have each datagram carry the address it was sent to; return the room that takes."""
    if sys.platform != "win32":
        if sock.family == socket.AF_INET and _IP_PKTINFO is not None:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            return socket.CMSG_SPACE(_IN_PKTINFO.size) + _SPARE
        if sock.family == socket.AF_INET6 and _IPV6_RECVPKTINFO is not None:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
            return socket.CMSG_SPACE(_IN6_PKTINFO.size) + _SPARE
    return 0


def _local_host(ancillary: Ancillary) -> str | None:
    for level, kind, data in ancillary:
        # A piece that did not fit is cut, and tells nothing.
        if (level, kind, len(data)) == (socket.IPPROTO_IP, _IP_PKTINFO, _IN_PKTINFO.size):
            # The second field is one of ours even if the datagram went to a broadcast address;
            # macOS leaves it empty and has only the third.
            _, ours, asked = _IN_PKTINFO.unpack(data)
            return socket.inet_ntop(socket.AF_INET, ours if any(ours) else asked)
        if (level, kind, len(data)) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO, _IN6_PKTINFO.size):
            return _sendable(*_IN6_PKTINFO.unpack(data))
    return None


def _sendable(packed: bytes, interface: int) -> str | None:
    found = ipaddress.IPv6Address(packed)
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = found.ipv4_mapped or found
    if address.is_multicast:  # nothing can be sent from there
        return None
    return f"{address}%{interface}" if found.is_link_local else str(address)


def _from_ipv4(local_host: str) -> Ancillary:
    if _IP_PKTINFO is None:
        return []
    source = socket.inet_aton(local_host)
    return [(socket.IPPROTO_IP, _IP_PKTINFO, _IN_PKTINFO.pack(0, source, bytes(4)))]


def _from_ipv6(local_host: str) -> Ancillary:
    if _IPV6_PKTINFO is None:
        return []
    host, _, interface = local_host.partition("%")
    source = socket.inet_pton(socket.AF_INET6, host if ":" in host else f"::ffff:{host}")
    packed = _IN6_PKTINFO.pack(source, int(interface or 0))
    return [(socket.IPPROTO_IPV6, _IPV6_PKTINFO, packed)]
