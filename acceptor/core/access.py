"""Who may come in: ready-made access policies, and how they combine."""

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, cast, overload

import attrs

from acceptor.core.asking import (
    ALLOWED,
    DENIED,
    LeaveAll,
    PassesOn,
    ask,
    enter,
    explain,
    first_other_than,
    parts,
    remembers,
)
from acceptor.core.callables import misfit, why_it_does_nothing
from acceptor.core.errors import ConfigurationError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import AccessPolicy, Leave
from acceptor.core.networks import InetClient, Network, NetworkSet, parse_networks
from acceptor.core.peers import IPv4Peer, IPv6Peer
from acceptor.core.proxied import ProxiedPeer
from acceptor.core.values import frozen

P = TypeVar("P")
Q = TypeVar("Q")
InetT = TypeVar("InetT", bound=InetClient)
PeerT_contra = TypeVar("PeerT_contra", contravariant=True)

PolicyLike: TypeAlias = AccessPolicy[P] | Callable[[P], bool]

__all__ = [
    "AllOf",
    "AllowAll",
    "AllowIf",
    "AnyOf",
    "Networks",
    "Not",
    "Policy",
    "PolicyLike",
    "allow_networks",
    "as_policy",
    "deny_networks",
    "enter",
    "explain",
    "parts",
    "remembers",
]


class Policy(AccessPolicy[PeerT_contra]):
    """An access policy that combines: `a & b`, `a | b`, `~a`; either side may be a callable."""

    __slots__ = ()

    def explain(self, peer: PeerT_contra, /) -> str:
        """Say in words what it says of the peer now, and why: `allowed: …` or `denied: …`.

        Asks `allows`; to be overridden where that has an effect.
        """
        return ask(self, peer)

    # Checkers settle P by the left side alone: where that judges more than the right side does,
    # they must be told that the narrower type is the one of both.

    @overload
    def __and__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]": ...
    @overload
    def __and__(self: "Policy[object]", other: PolicyLike[Q]) -> "Policy[Q]": ...
    @overload
    def __and__(self: "Policy[InetClient]", other: PolicyLike[InetT]) -> "Policy[InetT]": ...

    def __and__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AllOf((self, as_policy(other)))

    @overload
    def __rand__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]": ...
    @overload
    def __rand__(self: "Policy[object]", other: PolicyLike[Q]) -> "Policy[Q]": ...
    @overload
    def __rand__(self: "Policy[InetClient]", other: PolicyLike[InetT]) -> "Policy[InetT]": ...

    def __rand__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AllOf((as_policy(other), self))

    @overload
    def __or__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]": ...
    @overload
    def __or__(self: "Policy[object]", other: PolicyLike[Q]) -> "Policy[Q]": ...
    @overload
    def __or__(self: "Policy[InetClient]", other: PolicyLike[InetT]) -> "Policy[InetT]": ...

    def __or__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AnyOf((self, as_policy(other)))

    @overload
    def __ror__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]": ...
    @overload
    def __ror__(self: "Policy[object]", other: PolicyLike[Q]) -> "Policy[Q]": ...
    @overload
    def __ror__(self: "Policy[InetClient]", other: PolicyLike[InetT]) -> "Policy[InetT]": ...

    def __ror__(self: "Policy[P]", other: PolicyLike[P]) -> "Policy[P]":
        return AnyOf((as_policy(other), self))

    def __invert__(self) -> "Policy[PeerT_contra]":
        return Not(self)


@frozen
class AllowAll(Policy[object]):
    """Everyone may come in; what a server does that was given no policy."""

    def allows(self, peer: object, /) -> bool:
        """Say yes."""
        return True

    def explain(self, peer: object, /) -> str:
        """Say so."""
        return f"{ALLOWED}everybody may come in"

    def __repr__(self) -> str:
        return "everybody"


@frozen
class AllOf(PassesOn, Policy[P], Generic[P]):
    """Allows whom every one of its policies allows; judged in order, ended by the first no."""

    policies: tuple[AccessPolicy[P], ...]

    def allows(self, peer: P, /) -> bool:
        """Ask one after the other."""
        return all(policy.allows(peer) for policy in self.policies)

    def enter(self, peer: P, /) -> Leave | None:
        """Enter one after the other; those before the one that denies hear DENIED at once."""
        entered = LeaveAll()
        try:
            for policy in self.policies:
                leave = enter(policy, peer)
                if leave is None:
                    break
                entered.add(leave)
            else:
                return entered.as_one()
        except BaseException:
            entered(Outcome.DENIED)
            raise
        entered(Outcome.DENIED)
        return None

    def explain(self, peer: P, /) -> str:
        """Say which one denies, or why each allows."""
        return first_other_than(ALLOWED, self.policies, peer)

    def __repr__(self) -> str:
        return f"({' & '.join(map(repr, self.policies))})"


@frozen
class AnyOf(PassesOn, Policy[P], Generic[P]):
    """Allows whom any of its policies allows; judged in order, ended by the first yes."""

    policies: tuple[AccessPolicy[P], ...]

    def allows(self, peer: P, /) -> bool:
        """Ask one after the other."""
        return any(policy.allows(peer) for policy in self.policies)

    def enter(self, peer: P, /) -> Leave | None:
        """Enter the first one that lets the peer in; the others hear nothing of it."""
        for policy in self.policies:
            leave = enter(policy, peer)
            if leave is not None:
                return leave
        return None

    def explain(self, peer: P, /) -> str:
        """Say which one allows, or why each denies."""
        return first_other_than(DENIED, self.policies, peer)

    def __repr__(self) -> str:
        return f"({' | '.join(map(repr, self.policies))})"


def _check_forgets(instance: object, attribute: object, policy: AccessPolicy[Any]) -> None:
    if remembers(policy):
        raise ConfigurationError(
            f"~ cannot turn {policy!r} round, which must hear of whom it has let in; "
            "combine it with & or |"
        )


@frozen
class Not(Policy[P], Generic[P]):
    """Allows whom its policy denies. A policy that raises denies all the same."""

    policy: AccessPolicy[P] = attrs.field(validator=_check_forgets)

    def allows(self, peer: P, /) -> bool:
        """Ask and turn the answer round."""
        return not self.policy.allows(peer)

    def explain(self, peer: P, /) -> str:
        """Say what it turns round."""
        text = explain(self.policy, peer)
        for verdict, turned in ((ALLOWED, DENIED), (DENIED, ALLOWED)):
            if text.startswith(verdict):
                return f"{turned}~ turns round that {text.removeprefix(verdict)}"
        return text

    def __repr__(self) -> str:
        return f"~{self.policy!r}"


@frozen
class AllowIf(Policy[P], Generic[P]):
    """Allows whom a function of the peer returns true for."""

    _function: Callable[[P], bool]

    def allows(self, peer: P, /) -> bool:
        """Ask the function."""
        return bool(self._function(peer))

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", None) or repr(self._function)
        return f"AllowIf({name})"


def as_policy(policy: PolicyLike[P]) -> AccessPolicy[P]:
    """Return the policy itself, or one that asks the given function.

    Raises:
        ConfigurationError: It is neither, or cannot be asked about a peer.
    """
    is_class = isinstance(policy, type) and hasattr(policy, "allows")
    asked: object = getattr(policy, "allows", policy)
    if is_class or not callable(asked):
        raise ConfigurationError(
            "an access policy needs allows(peer), or must be a function of the peer, "
            f"got {policy!r}"
        )
    if what := why_it_does_nothing(asked):
        # What it returns would be true, and let everybody in.
        raise ConfigurationError(
            f"access policy {policy!r} is {what}; write it as a plain function"
        )
    if wrong := misfit(asked, 1):
        raise ConfigurationError(f"access policy {policy!r} cannot be asked of a peer: {wrong}")
    # Not by `isinstance`, which since Python 3.12 overlooks an `allows` that `__getattr__` makes.
    if asked is policy:
        return AllowIf(cast("Callable[[P], bool]", policy))
    return cast("AccessPolicy[P]", policy)


@frozen
class Networks(Policy[InetClient]):
    """Allows, or denies, whose address lies in one of the networks; see `allow_networks`."""

    peer_types: ClassVar[tuple[type, ...]] = (IPv4Peer, IPv6Peer, ProxiedPeer)

    networks: tuple[Network, ...]
    denies: bool = False
    _set: NetworkSet = attrs.field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_set", NetworkSet.of(self.networks))

    def allows(self, peer: InetClient, /) -> bool:
        """Look the peer's address up; the scope of a link-local address plays no part."""
        return self._set.has_client(peer) is not self.denies

    def explain(self, peer: InetClient, /) -> str:
        """Say whether the networks have the address."""
        has = "has" if self._set.has_client(peer) else "does not have"
        return f"{ALLOWED if self.allows(peer) else DENIED}{self!r} {has} {peer.host}"

    def __invert__(self) -> "Policy[InetClient]":
        return attrs.evolve(self, denies=not self.denies)

    def __repr__(self) -> str:
        listed = ", ".join(repr(str(network)) for network in self.networks)
        return f"{'deny' if self.denies else 'allow'}_networks({listed})"


def allow_networks(*networks: str | Network) -> Policy[InetClient]:
    """Allow only addresses in these networks: `allow_networks("10.0.0.0/8", "fd00::/8")`.

    A single address is a network too. IPv4-mapped networks and peers count as the IPv4 they are.
    A proxied client is judged by its own address; one with a Unix address is in no network.

    Raises:
        ConfigurationError: A network is malformed, or has bits set behind its prefix.
    """
    return Networks(parse_networks(networks))


def deny_networks(*networks: str | Network) -> Policy[InetClient]:
    """Allow only addresses in none of these networks; otherwise as `allow_networks`."""
    return Networks(parse_networks(networks), denies=True)
