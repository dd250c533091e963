"""What policies count clients by: an address, a prefix, a Unix user."""

import socket
from collections.abc import Hashable
from typing import Final

import attrs

from acceptor.core.errors import ConfigurationError
from acceptor.core.limits import Limits
from acceptor.core.peers import IPv4Peer, UnixPeer
from acceptor.core.proxied import ProxiedPeer
from acceptor.core.values import frozen

_IPV4_BITS: Final = 32


def _check_ipv4_prefix(instance: object, attribute: object, prefix: object) -> None:
    if isinstance(prefix, bool) or not isinstance(prefix, int) or not 1 <= prefix <= _IPV4_BITS:
        raise ConfigurationError(
            f"ipv4_prefix must be a number of bits, 1 to {_IPV4_BITS}, got {prefix!r}"
        )


@frozen(kw_only=True)
class PeerKeys:
    """Tells peers apart as `Limits.per_peer` does, proxied ones by their client, and by prefix."""

    ipv6_prefix: int = 64  # checked by `Limits`
    ipv4_prefix: int = attrs.field(default=_IPV4_BITS, validator=_check_ipv4_prefix)
    _limits: Limits = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_limits", Limits(ipv6_prefix=self.ipv6_prefix))

    def of(self, peer: object) -> Hashable:
        """Return what is the same for all peers that count as one."""
        if isinstance(peer, ProxiedPeer):
            return self.of(peer.client)
        if isinstance(peer, IPv4Peer) and self.ipv4_prefix < _IPV4_BITS:
            number = int.from_bytes(socket.inet_pton(socket.AF_INET, peer.host))
            return number >> (_IPV4_BITS - self.ipv4_prefix), IPv4Peer
        key = self._limits.key_of(peer)
        # A path is chosen by the client, and may look like somebody else's address.
        return (key, UnixPeer) if isinstance(peer, UnixPeer) else key


def name_of(peer: object) -> object:
    """Return what a peer is called in an explanation."""
    return getattr(peer, "host", peer)
