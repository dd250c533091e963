"""Who may come in: ready-made access policies, and how they combine."""

import functools
import inspect
import ipaddress
from collections.abc import Callable, Iterable
from typing import ClassVar, Generic, TypeAlias, TypeVar

import attrs

from acceptor.core.errors import ConfigurationError
from acceptor.core.interfaces import AccessPolicy
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer

P = TypeVar("P")
PeerT_contra = TypeVar("PeerT_contra", contravariant=True)

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
PolicyLike: TypeAlias = AccessPolicy[P] | Callable[[P], bool]

_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class Policy(AccessPolicy[PeerT_contra]):
    """An access policy that combines: `a & b`, `a | b`, `~a`; either side may be a callable."""

    __slots__ = ()

    def __and__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AllOf((self, as_policy(other)))

    def __rand__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AllOf((as_policy(other), self))

    def __or__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AnyOf((self, as_policy(other)))

    def __ror__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AnyOf((as_policy(other), self))

    def __invert__(self) -> "Policy[PeerT_contra]":
        return Not(self)


@attrs.frozen(repr=False)
class AllowAll(Policy[object]):
    """Everyone may come in; what a server does that was given no policy."""

    def allows(self, peer: object, /) -> bool:
        """Say yes."""
        return True

    def __repr__(self) -> str:
        return "everybody"


@attrs.frozen(repr=False)
class AllOf(Policy[P], Generic[P]):
    """Allows whom every one of its policies allows; judged in order, ended by the first no."""

    policies: tuple[AccessPolicy[P], ...]

    def allows(self, peer: P, /) -> bool:
        """Ask one after the other."""
        return all(policy.allows(peer) for policy in self.policies)

    def __repr__(self) -> str:
        return f"({' & '.join(map(repr, self.policies))})"


@attrs.frozen(repr=False)
class AnyOf(Policy[P], Generic[P]):
    """Allows whom any of its policies allows; judged in order, ended by the first yes."""

    policies: tuple[AccessPolicy[P], ...]

    def allows(self, peer: P, /) -> bool:
        """Ask one after the other."""
        return any(policy.allows(peer) for policy in self.policies)

    def __repr__(self) -> str:
        return f"({' | '.join(map(repr, self.policies))})"


@attrs.frozen(repr=False)
class Not(Policy[P], Generic[P]):
    """Allows whom its policy denies. A policy that raises denies all the same."""

    policy: AccessPolicy[P]

    def allows(self, peer: P, /) -> bool:
        """Ask and turn the answer round."""
        return not self.policy.allows(peer)

    def __repr__(self) -> str:
        if isinstance(self.policy, Networks):
            return f"deny_networks({self.policy.listed()})"
        return f"~{self.policy!r}"


@attrs.frozen
class AllowIf(Policy[P], Generic[P]):
    """Allows whom a function of the peer returns true for."""

    _function: Callable[[P], bool]

    def allows(self, peer: P, /) -> bool:
        """Ask the function."""
        return bool(self._function(peer))


def is_coroutine_function(function: object) -> bool:
    """Say whether calling it would return something that wants to be awaited."""
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(type(function), "__call__", None)  # noqa: B004 - how, not whether
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def as_policy(policy: PolicyLike[P]) -> AccessPolicy[P]:
    """Return the policy itself, or one that asks the given function.

    Raises:
        ConfigurationError: It is neither.
    """
    fits = isinstance(policy, AccessPolicy)
    if is_coroutine_function(policy.allows if isinstance(policy, AccessPolicy) else policy):
        # What it returns would be true, and let everybody in.
        raise ConfigurationError(
            f"access policy {policy!r} is a coroutine function, which nothing would await; "
            "write it as a plain function"
        )
    if isinstance(policy, AccessPolicy) and not isinstance(policy, type):
        return policy
    if callable(policy) and not fits:
        return AllowIf(policy)
    raise ConfigurationError(
        f"an access policy needs allows(peer), or must be a function of the peer, got {policy!r}"
    )


def _parse_network(text: str | Network) -> Network:
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


def _parse_networks(networks: Iterable[str | Network]) -> tuple[Network, ...]:
    parsed = tuple(_parse_network(network) for network in networks)
    if not parsed:
        raise ConfigurationError("at least one network is needed, got none")
    return parsed


@attrs.frozen(repr=False)
class Networks(Policy[InetPeer]):
    """Allows peers whose address lies in one of the networks; make it with `allow_networks`."""

    peer_types: ClassVar[tuple[type, ...]] = (IPv4Peer, IPv6Peer)

    networks: tuple[Network, ...]

    def allows(self, peer: InetPeer, /) -> bool:
        """Look the peer's address up; the scope of a link-local address plays no part."""
        address: Address = ipaddress.ip_address(peer.host.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)

    def listed(self) -> str:
        """Return the networks as they were given, for a text."""
        return ", ".join(repr(str(network)) for network in self.networks)

    def __repr__(self) -> str:
        return f"allow_networks({self.listed()})"


def allow_networks(*networks: str | Network) -> Policy[InetPeer]:
    """Allow only addresses in these networks: `allow_networks("10.0.0.0/8", "fd00::/8")`.

    A single address is a network too. IPv4-mapped networks and peers count as the IPv4 they are.

    Raises:
        ConfigurationError: A network is malformed, or has bits set behind its prefix.
    """
    return Networks(_parse_networks(networks))


def deny_networks(*networks: str | Network) -> Policy[InetPeer]:
    """Allow only addresses in none of these networks; otherwise as `allow_networks`."""
    return Not(Networks(_parse_networks(networks)))
