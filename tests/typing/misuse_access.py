# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Misuse of policies that both checkers must refuse; see `misuse.py`."""

from acceptor import (
    AccessPolicy,
    InetPeer,
    IPv4Peer,
    Policy,
    ProxiedPeer,
    ServerBuilder,
    UnixPeer,
    allow_networks,
    allow_users,
)
from acceptor.core.access import enter, explain
from acceptor.core.bans import ban_after
from acceptor.core.dry_run import DryRun
from acceptor.core.networks_file import allow_networks_in
from acceptor.core.peer_limit import limit_per_peer
from acceptor.core.proxied_access import of_client, of_hop
from acceptor.core.rate_limit import limit_rate

tcp = ServerBuilder().tcp(("", 0))
unix = ServerBuilder().unix_stream("/run/it")


class Stage:
    def access(self, policy: AccessPolicy[ProxiedPeer[InetPeer]]) -> None: ...


proxied = Stage()
local = allow_networks("127.0.0.0/8")
users = allow_users("root")


def of_inet(peer: InetPeer) -> bool:
    return True


def of_unix(peer: UnixPeer) -> bool:
    return True


def of_proxied(peer: ProxiedPeer[InetPeer]) -> bool:
    return True


# What judges another kind of peer than there is.
unix.access(local)  # type: ignore[arg-type]
unix.access(allow_networks_in("/etc/allowed"))  # type: ignore[arg-type]
unix.access(DryRun(local))  # type: ignore[arg-type]
tcp.access(of_hop(local))  # type: ignore[arg-type]
tcp.access(of_client(limit_rate(1, burst=1)))  # type: ignore[arg-type]
tcp.access(of_proxied)  # type: ignore[arg-type]
proxied.access(users)  # type: ignore[arg-type]
proxied.access(of_hop(users))  # type: ignore[arg-type]
proxied.access(of_hop(of_unix))  # type: ignore[arg-type]
of_client(users)  # type: ignore[arg-type]
of_client(of_inet)  # type: ignore[arg-type]
of_client(local)  # type: ignore[arg-type]
of_hop(3)  # type: ignore[arg-type]
local & of_unix  # type: ignore[operator]
local | users  # type: ignore[operator]
allow_networks_in("/etc/allowed") & users  # type: ignore[operator]
of_inet & users  # type: ignore[operator]
unix.access(limit_rate(1, burst=1) & local)  # type: ignore[arg-type]
tcp.access(limit_rate(1, burst=1) & users)  # type: ignore[arg-type]
explain(users, IPv4Peer("192.0.2.1", 1))  # type: ignore[arg-type]
enter(users, IPv4Peer("192.0.2.1", 1))  # type: ignore[misc]
local.explain(UnixPeer())  # type: ignore[arg-type]

# Wrong options.
limit_rate(5)  # type: ignore[call-arg]
limit_rate(5, 10)  # type: ignore[call-arg]
limit_rate("5", burst=10)  # type: ignore[arg-type]
limit_rate(5, burst=0.5)  # type: ignore[arg-type]
limit_rate(5, burst=10, prefix=48)  # type: ignore[call-arg]
limit_per_peer()  # type: ignore[call-arg]
limit_per_peer(3, 64)  # type: ignore[call-arg]
limit_per_peer("3")  # type: ignore[arg-type]
ban_after(3)  # type: ignore[call-arg]
ban_after(3, within=60)  # type: ignore[call-arg]
ban_after(3, within=None, lasting=60)  # type: ignore[arg-type]
ban_after(3, within=60, lasting=60, clock=60)  # type: ignore[arg-type]
allow_networks_in(3)  # type: ignore[arg-type]
allow_networks_in()  # type: ignore[call-arg]
DryRun()  # type: ignore[call-arg]
DryRun(3)  # type: ignore[arg-type]


# What would be told of a dry run, and cannot hear it.
def deaf(peer: InetPeer) -> None: ...
def of_numbers(peer: InetPeer, count: int) -> None: ...


DryRun(of_inet, deaf)  # type: ignore[arg-type]
DryRun(of_inet, of_numbers)  # type: ignore[arg-type]


class Explains(Policy[InetPeer]):
    def allows(self, peer: InetPeer, /) -> bool:
        return True

    def explain(self, peer: InetPeer, /) -> bool:  # type: ignore[override]
        return True
