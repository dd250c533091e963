"""Sets of networks against what `ipaddress` says, and networks that judge proxied clients."""

import ipaddress
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acceptor import IPv4Peer, IPv6Peer, Peer, UnixPeer, allow_networks, deny_networks
from acceptor.core.networks import Network, NetworkSet, parse_networks
from tests.core.access_kit import at, behind

quick: Final = settings(max_examples=100, deadline=None, database=None)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    # Few different bits, so that networks and hosts meet.
    bits = draw(st.sampled_from([32, 128]))
    number = draw(st.integers(0, 15)) << (bits - 4) | draw(st.integers(0, 15))
    prefix = draw(st.sampled_from([0, 1, 2, 3, 4, 8, bits - 4, bits - 3, bits - 1, bits]))
    if bits == 32:
        return ipaddress.IPv4Network((number, prefix), strict=False)
    return ipaddress.IPv6Network((number, prefix), strict=False)


@st.composite
def hosts(draw: st.DrawFn) -> str:
    kind, bits = draw(st.sampled_from([(ipaddress.IPv4Address, 32), (ipaddress.IPv6Address, 128)]))
    return str(kind(draw(st.integers(0, 15)) << (bits - 4) | draw(st.integers(0, 15))))


@quick
@given(st.lists(networks(), max_size=5), hosts())
def test_network_set_has_what_one_of_its_networks_has(listed: list[Network], host: str) -> None:
    address = ipaddress.ip_address(host)

    assert NetworkSet.of(listed).has(host) is any(address in network for network in listed)


def test_network_set_looks_once_for_each_length_of_prefix() -> None:
    # What makes ten thousand networks as quick as one: so many sets, and not so many networks.
    texts = [f"10.{n >> 8}.{n & 255}.0/24" for n in range(5000)]

    found = NetworkSet.of(parse_networks([*texts, "192.0.2.1", "fd00::/8", "fe80::/10", "::/8"]))

    assert [(shift, len(numbers)) for shift, numbers in found._ipv4] == [(0, 1), (8, 5000)]
    assert [(shift, len(numbers)) for shift, numbers in found._ipv6] == [(118, 1), (120, 2)]
    assert found.has("10.19.135.9")
    assert not found.has("10.19.136.9")


@pytest.mark.parametrize("host", ["", "localhost", "10.0.0", "10.0.0.1.1", "::g", "unix:"])
def test_network_set_has_no_answer_for_what_is_no_address(host: str) -> None:
    # An error denies; False would let it in where networks are denied.
    with pytest.raises(OSError, match="illegal IP address"):
        NetworkSet.of(parse_networks(["::/0"])).has(host)


@pytest.mark.parametrize("hop", [at("198.51.100.1"), at("::1"), UnixPeer("/run/proxy", 1, 2, 3)])
@pytest.mark.parametrize(
    ("client", "inside"),
    [
        (IPv4Peer("10.0.0.1", 1), True),
        (IPv4Peer("11.0.0.1", 1), False),
        (IPv6Peer("fd00::1", 1), True),
        (IPv6Peer("::1", 1), False),
        (UnixPeer("10.0.0.1"), False),  # a path, whatever it looks like
        (UnixPeer(), False),
    ],
)
def test_networks_judge_a_proxied_peer_by_its_client(hop: Peer, client: Peer, inside: bool) -> None:
    judged: Any = behind(hop, client)

    assert allow_networks("10.0.0.0/8", "fd00::/8").allows(judged) is inside
    assert deny_networks("10.0.0.0/8", "fd00::/8").allows(judged) is not inside


def test_networks_judge_a_proxy_that_speaks_for_itself_by_its_own_address() -> None:
    policy = allow_networks("10.0.0.0/8")

    assert policy.allows(behind(at("10.0.0.1"), None))
    assert not policy.allows(behind(at("11.0.0.1"), None))
    assert not policy.allows(behind(UnixPeer("/run/proxy"), None))


def test_networks_do_not_judge_a_unix_peer_that_nobody_speaks_for() -> None:
    peer: Any = UnixPeer("/run/it")

    for policy in (allow_networks("::/0"), deny_networks("::/0")):
        with pytest.raises(OSError, match="illegal IP address"):
            policy.allows(peer)


def test_networks_turned_round_print_as_they_would_be_written() -> None:
    policy = allow_networks("10.0.0.0/8", "::1")

    assert repr(policy) == "allow_networks('10.0.0.0/8', '::1/128')"
    assert repr(~policy) == "deny_networks('10.0.0.0/8', '::1/128')"
    assert ~policy == deny_networks("10.0.0.0/8", "::1")
    assert ~~policy == policy
