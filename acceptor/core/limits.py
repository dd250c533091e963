"""How many may come in, and what becomes of the others."""

import socket
from collections.abc import Hashable
from typing import Any, Final, TypeAlias

import attrs

from acceptor.core.errors import ConfigurationError
from acceptor.core.peers import IPv6Peer, UnixPeer
from acceptor.core.values import frozen

_IPV6_BITS: Final = 128


def _check_count(instance: object, attribute: "attrs.Attribute[Any]", count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigurationError(
            f"{attribute.name} must be a whole number, 1 or more, got {count!r}"
        )


def _check_cap(instance: object, attribute: "attrs.Attribute[Any]", cap: object) -> None:
    if cap is not None and (isinstance(cap, bool) or not isinstance(cap, int) or cap < 1):
        raise ConfigurationError(
            f"{attribute.name} must be a whole number, 1 or more, or None for no limit, got {cap!r}"
        )


def _check_prefix(instance: object, attribute: object, prefix: object) -> None:
    if isinstance(prefix, bool) or not isinstance(prefix, int) or not 1 <= prefix <= _IPV6_BITS:
        raise ConfigurationError(
            f"ipv6_prefix must be a number of bits, 1 to {_IPV6_BITS}, got {prefix!r}"
        )


def _check_bytes(instance: object, attribute: object, payload: bytes) -> None:
    if not isinstance(payload, bytes):
        raise ConfigurationError(f"the reply must be bytes, got {payload!r}")


@frozen
class Wait:
    """Take no more clients when full: they wait in the backlog, which is made for it."""


@frozen
class Close:
    """Take the client and close at once; a datagram is dropped."""


@frozen
class Reply:
    """Take the client, send these bytes without ever waiting, and close."""

    payload: bytes = attrs.field(validator=_check_bytes)


@frozen
class Reset:
    """Take the client and reset the connection (TCP); others are closed, a datagram dropped."""


Refusal: TypeAlias = Close | Reply | Reset
"""How a client that was taken is turned away."""

Overflow: TypeAlias = Wait | Close | Reply | Reset
"""What is done with clients when no slot is free."""


def _check_overflow(instance: object, attribute: object, overflow: object) -> None:
    if not isinstance(overflow, Overflow):
        raise ConfigurationError(
            f"overflow must be Wait(), Close(), Reply(bytes) or Reset(), got {overflow!r}"
        )


@frozen(kw_only=True)
class Limits:
    """How many requests may be in work, in all and of one peer, whatever the strategy."""

    max_connections: int | None = attrs.field(default=None, validator=_check_cap)
    """Requests in work at a time; None leaves it to the strategy, whose own bound always holds."""
    per_peer: int | None = attrs.field(default=None, validator=_check_cap)
    """Requests in work of one IPv4 address, IPv6 prefix, or Unix user (path, if unknown).

    Who comes is only known once it was taken; so with `Wait` one too many is closed.
    """
    overflow: Overflow = attrs.field(factory=Wait, validator=_check_overflow)
    ipv6_prefix: int = attrs.field(default=64, validator=_check_prefix)
    """Bits by which IPv6 peers are told apart; a subscriber has a /64. Source: RFC 6177."""
    descriptors_per_connection: int = attrs.field(default=1, validator=_check_count)
    """What each request needs of `RLIMIT_NOFILE`: its own, and those that the handler opens."""
    raise_descriptor_limit: bool = False
    """Whether the process's soft limit may be raised when it is too low for all connections."""
    strict: bool = False
    """Whether too low a limit of descriptors is an error and not a warning."""

    @property
    def turns_away(self) -> bool:
        """Whether clients are taken even when no slot is free."""
        return not isinstance(self.overflow, Wait)

    @property
    def count_descriptors(self) -> bool:
        """Whether somebody wants to know if there are enough: a strategy's default is no wish."""
        return self.max_connections is not None or self.strict or self.raise_descriptor_limit

    @property
    def refusal(self) -> Refusal:
        """How one that must be turned away is."""
        return Close() if isinstance(self.overflow, Wait) else self.overflow

    def key_of(self, peer: object) -> Hashable:
        """Return what `per_peer` counts this peer by."""
        hop = getattr(peer, "hop", None)
        if hop is not None:  # proxied: it was counted before anybody knew the client
            return self.key_of(hop)
        if isinstance(peer, IPv6Peer):
            # Without `ipaddress`, which takes ten times as long; a flood comes through here.
            address, _, scope = peer.host.partition("%")
            number = int.from_bytes(socket.inet_pton(socket.AF_INET6, address))
            return number >> (_IPV6_BITS - self.ipv6_prefix), scope
        if isinstance(peer, UnixPeer):
            return peer.path if peer.uid is None else peer.uid
        host = getattr(peer, "host", peer)
        return host if isinstance(host, Hashable) else repr(host)
