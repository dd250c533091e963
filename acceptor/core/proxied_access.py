"""Access behind a proxy: by the real client, or by the proxy that speaks for it."""

from typing import ClassVar, Generic, TypeVar

from acceptor.core.access import Policy, PolicyLike, as_policy
from acceptor.core.asking import PassesOn, enter, explain
from acceptor.core.interfaces import AccessPolicy, Leave
from acceptor.core.peers import Peer
from acceptor.core.proxied import ProxiedPeer
from acceptor.core.values import frozen

HopT = TypeVar("HopT")


# The policy that is asked is `inner` and not `policy`: it judges other peers than the transport's.
@frozen
class OfClient(PassesOn, Policy[ProxiedPeer[Peer]]):
    """Asks a policy about the real client; make it with `of_client`."""

    peer_types: ClassVar[tuple[type, ...]] = (ProxiedPeer,)

    inner: AccessPolicy[Peer]

    def allows(self, peer: ProxiedPeer[Peer], /) -> bool:
        """Ask about the client."""
        return self.inner.allows(peer.client)

    def enter(self, peer: ProxiedPeer[Peer], /) -> Leave | None:
        """Enter with the client."""
        return enter(self.inner, peer.client)

    def explain(self, peer: ProxiedPeer[Peer], /) -> str:
        """Say what is said of the client."""
        return _about("the client", explain(self.inner, peer.client))

    def __repr__(self) -> str:
        return f"of_client({self.inner!r})"


@frozen
class OfHop(PassesOn, Policy[ProxiedPeer[HopT]], Generic[HopT]):
    """Asks a policy about the proxy; make it with `of_hop`."""

    peer_types: ClassVar[tuple[type, ...]] = (ProxiedPeer,)

    inner: AccessPolicy[HopT]

    def allows(self, peer: ProxiedPeer[HopT], /) -> bool:
        """Ask about the hop."""
        return self.inner.allows(peer.hop)

    def enter(self, peer: ProxiedPeer[HopT], /) -> Leave | None:
        """Enter with the hop."""
        return enter(self.inner, peer.hop)

    def explain(self, peer: ProxiedPeer[HopT], /) -> str:
        """Say what is said of the hop."""
        return _about("the hop", explain(self.inner, peer.hop))

    def __repr__(self) -> str:
        return f"of_hop({self.inner!r})"


def _about(who: str, text: str) -> str:
    verdict, _, reason = text.partition(": ")
    return f"{verdict}: of {who}, {reason}"


def of_client(policy: PolicyLike[Peer]) -> Policy[ProxiedPeer[Peer]]:
    """Ask about the real client of a proxied connection, which may have any kind of address.

    It is the proxy where that speaks for itself. `allow_networks`, `limit_rate` and all that
    counts by peers need no such wrapper: they judge a proxied peer by its client.

    Raises:
        ConfigurationError: It is no policy.
    """
    return OfClient(as_policy(policy))


def of_hop(policy: PolicyLike[HopT]) -> Policy[ProxiedPeer[HopT]]:
    """Ask about the proxy of a proxied connection; otherwise as `of_client`."""
    return OfHop(as_policy(policy))
