# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Policies for proxied clients, for what is counted, and from files. Read by checkers."""

from pathlib import Path
from typing import assert_type

from acceptor import (
    AccessPolicy,
    AllowAll,
    InetPeer,
    IPv4Peer,
    Leave,
    Outcome,
    Peer,
    Policy,
    ProxiedPeer,
    RememberingPolicy,
    ServerBuilder,
    StreamNeedsHandler,
    UnixPeer,
    allow_networks,
    allow_users,
    deny_networks,
)
from acceptor.core.access import enter, explain, parts, remembers
from acceptor.core.bans import Bans, ban_after
from acceptor.core.dry_run import DryRun
from acceptor.core.networks_file import NetworksFile, allow_networks_in, deny_networks_in
from acceptor.core.peer_limit import limit_per_peer
from acceptor.core.proxied_access import of_client, of_hop
from acceptor.core.rate_limit import limit_rate

tcp = ServerBuilder().tcp(("", 0))
unix = ServerBuilder().unix_stream("/run/it")

InetClient = InetPeer | ProxiedPeer[object]
NeedsTcp = StreamNeedsHandler[InetPeer]
NeedsUnix = StreamNeedsHandler[UnixPeer]


# Stands for the stage behind a PROXY header.
class Stage:
    def access(self, policy: AccessPolicy[ProxiedPeer[InetPeer]]) -> None: ...


class StageBehindUnix:
    def access(self, policy: AccessPolicy[ProxiedPeer[UnixPeer]]) -> None: ...


proxied = Stage()
proxied_by_unix = StageBehindUnix()

local = allow_networks("127.0.0.0/8")
users = allow_users("root")
rate = limit_rate(5, burst=10)
few = limit_per_peer(3, ipv6_prefix=48)
bans = ban_after(5, within=60, lasting=600)
listed = allow_networks_in("/etc/allowed")
unlisted = deny_networks_in(Path("/etc/denied"))


def from_a_high_port(peer: InetPeer) -> bool:
    return peer.port > 1023


def from_port_80(peer: IPv4Peer) -> bool:
    return peer.port == 80


def has_a_path(peer: UnixPeer) -> bool:
    return bool(peer.path)


def has_a_name(peer: Peer) -> bool:
    return bool(peer.host)


def was_sent_on(peer: ProxiedPeer[InetPeer]) -> bool:
    return assert_type(peer.hop, InetPeer).host != peer.host


def note(peer: InetPeer, explanation: str) -> None: ...


class Own(AccessPolicy[ProxiedPeer[object]]):
    def allows(self, peer: ProxiedPeer[object], /) -> bool:
        return True


class Counts(Policy[InetPeer], RememberingPolicy[InetPeer]):
    def allows(self, peer: InetPeer, /) -> bool:
        return True

    def enter(self, peer: InetPeer, /) -> Leave | None:
        return print


assert_type(local, Policy[InetClient])
assert_type(rate, Policy[object])
assert_type(few, Policy[object])
assert_type(bans, Bans)
assert_type(listed, NetworksFile)
assert_type(unlisted, NetworksFile)
assert_type(bans.banned(), list[tuple[object, float]])
assert_type(bans.lift(IPv4Peer("192.0.2.1", 1)), bool)

# In a chain: before a PROXY header, and behind it.
assert_type(tcp.access(rate).access(few).access(bans).access(listed), NeedsTcp)
assert_type(tcp.access(~unlisted).access(Counts()), NeedsTcp)
assert_type(unix.access(rate).access(few).access(bans), NeedsUnix)
proxied.access(local)
proxied.access(deny_networks("192.0.2.0/24"))
proxied.access(listed)
proxied.access(rate)
proxied.access(few & bans)
proxied.access(Own())
proxied_by_unix.access(local)
proxied_by_unix.access(rate & listed)

# Of one of the two.
assert_type(of_client(has_a_name), Policy[ProxiedPeer[Peer]])
assert_type(of_client(rate), Policy[ProxiedPeer[Peer]])
assert_type(of_hop(users), Policy[ProxiedPeer[UnixPeer]])
assert_type(of_hop(from_a_high_port), Policy[ProxiedPeer[InetPeer]])
proxied.access(of_client(has_a_name))
proxied.access(of_hop(local))
proxied.access(of_hop(from_a_high_port))
proxied.access(of_hop(rate))
proxied_by_unix.access(of_hop(users) & of_client(has_a_name))
proxied_by_unix.access(of_hop(has_a_path))

# Combined: the narrower of two types is the one of both.
assert_type(local & listed, Policy[InetClient])
assert_type(rate & bans, Policy[object])
assert_type(rate & AllowAll() | few, Policy[object])
assert_type(rate & local, Policy[InetClient])
assert_type(local & rate, Policy[InetClient])
assert_type(rate & users, Policy[UnixPeer])
assert_type(users | bans, Policy[UnixPeer])
assert_type(rate & from_a_high_port, Policy[InetPeer])
assert_type(from_a_high_port | rate, Policy[InetPeer])
assert_type(local & from_port_80, Policy[IPv4Peer])
assert_type(was_sent_on & local, Policy[ProxiedPeer[InetPeer]])
assert_type(local | was_sent_on, Policy[ProxiedPeer[InetPeer]])
assert_type(listed & Own(), Policy[ProxiedPeer[object]])
assert_type(local & from_a_high_port & rate, Policy[InetPeer])
proxied.access(local & was_sent_on | of_client(has_a_name))
tcp.access(local & bans | from_a_high_port & rate)

# Dry runs.
assert_type(DryRun(local), DryRun[InetClient])
assert_type(DryRun(users), DryRun[UnixPeer])
assert_type(DryRun(from_a_high_port, note), DryRun[InetPeer])
assert_type(DryRun(rate).would_have_refused, int)
assert_type(tcp.access(DryRun(local)), NeedsTcp)
assert_type(unix.access(DryRun(users)), NeedsUnix)
proxied.access(DryRun(local))
proxied.access(DryRun(of_hop(local)))

# Asked.
peer = IPv4Peer("192.0.2.1", 1)
assert_type(local.explain(peer), str)
assert_type(explain(local, peer), str)
assert_type(enter(local & bans, peer), Leave | None)
assert_type(remembers(bans), bool)
for part in parts(local):
    part.allows(peer)

if leave := enter(bans, peer):
    leave(Outcome.FINISHED)
