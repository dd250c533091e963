"""The keyword options of the builder's openings, as checkers see them."""

from collections.abc import Iterable
from typing import TypedDict

from acceptor.transports.inet import SocketOption


class TcpOptions(TypedDict, total=False):
    """Keyword options of `tcp`; `TcpTransport` says what they mean and their defaults."""

    backlog: int | None
    reuse_address: bool | None
    reuse_port: bool
    no_delay: bool
    keep_alive: bool
    receive_buffer_size: int | None
    send_buffer_size: int | None
    socket_options: Iterable[SocketOption]


class UdpOptions(TypedDict, total=False):
    """Keyword options of `udp`; `UdpTransport` says what they mean and their defaults."""

    max_datagram_size: int
    reuse_address: bool | None
    reuse_port: bool
    receive_buffer_size: int | None
    send_buffer_size: int | None
    socket_options: Iterable[SocketOption]


class UnixStreamOptions(TypedDict, total=False):
    """Keyword options of `unix_stream`; `UnixStreamTransport` says what they mean."""

    backlog: int | None
    mode: int | None
    owner: str | int | None
    group: str | int | None
    socket_options: Iterable[SocketOption]


class UnixDatagramOptions(TypedDict, total=False):
    """Keyword options of `unix_datagram`; `UnixDatagramTransport` says what they mean."""

    max_datagram_size: int
    mode: int | None
    owner: str | int | None
    group: str | int | None
    receive_buffer_size: int | None
    socket_options: Iterable[SocketOption]
