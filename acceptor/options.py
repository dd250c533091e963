"""The keyword options of the builder's openings, as checkers see them."""

from collections.abc import Iterable
from typing import TypedDict

from acceptor.core.limits import Overflow, Refusal
from acceptor.transports.inet import SocketOption


class LimitOptions(TypedDict, total=False):
    """Keyword options of `limits`; `Limits` says what they mean and their defaults."""

    max_connections: int | None
    per_peer: int | None
    overflow: Overflow
    ipv6_prefix: int
    descriptors_per_connection: int
    raise_descriptor_limit: bool
    strict: bool


class TimeoutOptions(TypedDict, total=False):
    """Keyword options of `timeouts`; `Timeouts` says what they mean and their defaults."""

    handshake: float | None
    first_data: float | None
    idle: float | None
    write: float | None
    connection: float | None
    drain: float | None


class FramedOptions(TypedDict, total=False):
    """Keyword options of `framed`; `Framed` says what they mean and their defaults."""

    refusal: Refusal
    max_output: int


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
