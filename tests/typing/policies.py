# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Access policies: what they judge, how they combine, where they fit. Read by checkers."""

import ipaddress
import socket
from typing import assert_type

from acceptor import (
    AccessPolicy,
    AllowAll,
    Datagram,
    InetPeer,
    IPv4Peer,
    NeedsHandler,
    Peer,
    Policy,
    ProxiedPeer,
    ServerBuilder,
    StreamNeedsHandler,
    UnixPeer,
    allow_groups,
    allow_networks,
    allow_users,
    deny_networks,
)

builder = ServerBuilder()
tcp = builder.tcp(("", 0))
udp = builder.udp(("", 0))
unix = builder.unix_stream("/run/it")
given = builder.socket(3, socket.SOCK_STREAM)
text = builder.listen_on("tcp://127.0.0.1:0")

InetClient = InetPeer | ProxiedPeer[object]

NeedsTcp = StreamNeedsHandler[InetPeer]
NeedsUdp = NeedsHandler[Datagram, InetPeer]
NeedsUnix = StreamNeedsHandler[UnixPeer]
NeedsUnixgram = NeedsHandler[Datagram, UnixPeer]

local = allow_networks("127.0.0.0/8", ipaddress.ip_network("::1"))
bad = deny_networks("192.0.2.0/24")
users = allow_users("root", 0)
groups = allow_groups("root", 0)


def from_a_high_port(peer: InetPeer) -> bool:
    return peer.port > 1023


def has_a_path(peer: UnixPeer) -> bool:
    return bool(peer.path)


def anyone(peer: object) -> bool:
    return True


def has_a_name(peer: Peer) -> bool:
    return bool(peer.host)


class Own(AccessPolicy[InetPeer]):
    def allows(self, peer: InetPeer, /) -> bool:
        return True


class Combines(Policy[UnixPeer]):
    def allows(self, peer: UnixPeer, /) -> bool:
        return True


class Fits:
    def allows(self, peer: Peer, /) -> bool:
        return True


assert_type(local, Policy[InetClient])
assert_type(bad, Policy[InetClient])
assert_type(users, Policy[UnixPeer])
assert_type(groups, Policy[UnixPeer])
assert_type(local.allows(IPv4Peer("127.0.0.1", 80)), bool)

# Alone.
assert_type(tcp.access(local), NeedsTcp)
assert_type(udp.access(bad), NeedsUdp)
assert_type(unix.access(users), NeedsUnix)
assert_type(unix.access(groups), NeedsUnix)
assert_type(tcp.access(AllowAll()), NeedsTcp)
assert_type(tcp.access(from_a_high_port), NeedsTcp)
assert_type(unix.access(has_a_path), NeedsUnix)
assert_type(tcp.access(has_a_name), NeedsTcp)
assert_type(given.access(has_a_name), StreamNeedsHandler[Peer])
assert_type(tcp.access(anyone), NeedsTcp)
assert_type(tcp.access(Own()), NeedsTcp)
assert_type(unix.access(Combines()), NeedsUnix)
assert_type(unix.access(Fits()), NeedsUnix)
assert_type(text.access(anyone), NeedsTcp | NeedsUnix | NeedsUdp | NeedsUnixgram)
assert_type(text.access(AllowAll()), NeedsTcp | NeedsUnix | NeedsUdp | NeedsUnixgram)
assert_type(tcp.access(lambda peer: assert_type(peer, InetPeer).port > 1023), NeedsTcp)
assert_type(unix.access(lambda peer: assert_type(peer, UnixPeer).uid == 0), NeedsUnix)

# Combined with one another, and with functions on either side.
assert_type(local & bad, Policy[InetClient])
assert_type(local | bad, Policy[InetClient])
assert_type(~local, Policy[InetClient])
assert_type(users | groups, Policy[UnixPeer])
assert_type(~users & groups | ~Combines(), Policy[UnixPeer])
assert_type(local & from_a_high_port, Policy[InetPeer])
assert_type(from_a_high_port & local, Policy[InetPeer])
assert_type(local | from_a_high_port, Policy[InetPeer])
assert_type(from_a_high_port | local, Policy[InetPeer])
assert_type(local & Own(), Policy[InetPeer])
assert_type(Own() | local, Policy[InetPeer])
assert_type(local & anyone, Policy[InetClient])
assert_type(anyone | local, Policy[InetClient])
assert_type(users & Fits(), Policy[UnixPeer])
assert_type(local & AllowAll(), Policy[InetClient])
assert_type(AllowAll() & local, Policy[InetClient])
assert_type(tcp.access(local & ~bad | from_a_high_port), NeedsTcp)
assert_type(unix.access(has_a_path & (users | ~groups)), NeedsUnix)
