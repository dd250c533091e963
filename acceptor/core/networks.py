"""Sets of networks: read from text, and searched without looking at each of them."""

import ipaddress
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from acceptor.core.errors import ConfigurationError
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer
from acceptor.core.proxied import ProxiedPeer
from acceptor.core.values import frozen

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
InetClient: TypeAlias = InetPeer | ProxiedPeer[object]
"""Who has an address that networks can be asked about; a proxied client's is its own."""

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
_MAPPED_PREFIX: Final = int(_MAPPED.network_address) >> 32

# Numbers of networks without the bits behind their prefix, by how many bits those are.
_Numbers: TypeAlias = tuple[tuple[int, frozenset[int]], ...]


def parse_network(text: str | Network) -> Network:
    """Return the network; an IPv4-mapped one becomes the IPv4 network that it is.

    Raises:
        ConfigurationError: It is malformed, or has bits set behind its prefix.
    """
    if not isinstance(text, str | Network):  # ipaddress would take numbers and bytes, too
        raise ConfigurationError(f"a network must be text such as 192.0.2.0/24, got {text!r}")
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigurationError(f"not a network: {error}; write it as 192.0.2.0/24") from error
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def parse_networks(networks: Iterable[str | Network]) -> tuple[Network, ...]:
    """Return them all.

    Raises:
        ConfigurationError: One is malformed, or there is none.
    """
    parsed = tuple(parse_network(network) for network in networks)
    if not parsed:
        raise ConfigurationError("at least one network is needed, got none")
    return parsed


@frozen
class NetworkSet:
    """Networks by the length of their prefix: one look for each length, however many there are."""

    _ipv4: _Numbers
    _ipv6: _Numbers

    @classmethod
    def of(cls, networks: Iterable[Network]) -> "NetworkSet":
        """Sort them."""
        found: Mapping[int, Mapping[int, set[int]]] = {
            version: defaultdict(set) for version in (4, 6)
        }
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            found[network.version][shift].add(int(network.network_address) >> shift)
        ipv4, ipv6 = (
            tuple((shift, frozenset(numbers)) for shift, numbers in sorted(of_version.items()))
            for of_version in found.values()
        )
        return cls(ipv4, ipv6)

    def has_client(self, client: InetClient) -> bool:
        """Say whether the client's address lies in one of them; that of a Unix socket never does.

        Raises:
            OSError: It has no address, and no proxy speaks for it.
        """
        if isinstance(client, ProxiedPeer) and not isinstance(client.client, IPv4Peer | IPv6Peer):
            return False
        return self.has(client.host)

    def has(self, host: str) -> bool:
        """Say whether the address lies in one of them; its scope plays no part.

        Raises:
            OSError: It is no address.
        """
        # Without `ipaddress`, whose parsing alone takes longer than all of this.
        if ":" in host:
            packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
            number = int.from_bytes(packed)
            if number >> 32 == _MAPPED_PREFIX:
                number, by_shift = number & 0xFFFF_FFFF, self._ipv4
            else:
                by_shift = self._ipv6
        else:
            number, by_shift = int.from_bytes(socket.inet_pton(socket.AF_INET, host)), self._ipv4
        for shift, numbers in by_shift:  # noqa: SIM110 - twice as fast as `any`
            if number >> shift in numbers:
                return True
        return False
