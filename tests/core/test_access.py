"""Access policies alone: what they allow, how they combine, what they refuse to be."""

import ipaddress
from typing import Any

import attrs
import pytest

from acceptor import (
    AccessPolicy,
    AllowAll,
    ConfigurationError,
    InetPeer,
    IPv4Peer,
    IPv6Peer,
    Peer,
    Policy,
    UnixPeer,
    allow_networks,
    allow_users,
    deny_networks,
)
from acceptor.core.access import AllOf, AnyOf, Not, as_policy


def at(host: str) -> InetPeer:
    return IPv6Peer(host, 1) if ":" in host else IPv4Peer(host, 1)


@attrs.define
class Says(Policy[object]):
    """Gives a fixed answer and counts how often it was asked."""

    answer: bool
    asked: int = 0

    def allows(self, peer: object, /) -> bool:
        self.asked += 1
        return self.answer


class Fails(Policy[object]):
    def allows(self, peer: object, /) -> bool:
        raise RuntimeError("no idea")


def yes(peer: object) -> bool:
    return True


def no(peer: object) -> bool:
    return False


PEER = IPv4Peer("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("network", "host", "inside"),
    [
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("192.0.2.0/255.255.255.0", "192.0.2.7", True),
        ("2001:db8::/32", "2001:db8:ffff::1", True),
        ("2001:db8::/32", "2001:db9::", False),
        ("::1", "::1", True),
        ("::/0", "2001:db8::1", True),
        # One family's networks say nothing about the other's hosts.
        ("::/0", "10.0.0.1", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        # IPv4-mapped ones are the IPv4 that they are, on either side.
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:11.0.0.1", False),
        ("::/0", "::ffff:10.0.0.1", False),
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "11.0.0.0", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:0:0/96", "203.0.113.9", True),
        ("::ffff:0:0/96", "::1", False),
        # The scope of a link-local address plays no part.
        ("fe80::/10", "fe80::1%2", True),
        ("fe80::1", "fe80::1%3", True),
        ("fe80::/10", "fec0::1%2", False),
    ],
)
def test_networks_allow_who_is_inside_and_deny_who_is_not(
    network: str, host: str, inside: bool
) -> None:
    assert allow_networks(network).allows(at(host)) is inside
    assert deny_networks(network).allows(at(host)) is not inside


def test_several_networks_allow_who_is_in_any_and_deny_who_is_in_any() -> None:
    networks = ("10.0.0.0/8", "fd00::/8", ipaddress.ip_network("192.0.2.0/24"))

    for host, inside in (
        ("10.1.1.1", True),
        ("fd00::1", True),
        ("192.0.2.1", True),
        ("::1", False),
    ):
        assert allow_networks(*networks).allows(at(host)) is inside
        assert deny_networks(*networks).allows(at(host)) is not inside


@pytest.mark.parametrize(
    "network",
    [
        "",
        "10.0.0.0/33",
        "10.0.0.1/8",
        "10.0.0/8",
        "fd00::1/8",
        "localhost",
        "::/129",
        "10.0.0.0/-1",
    ],
)
def test_malformed_network_is_refused_where_it_is_written(network: str) -> None:
    for policy in (allow_networks, deny_networks):
        with pytest.raises(ConfigurationError, match=r"not a network: .*write it as 192\.0\.2"):
            policy("::1", network)


@pytest.mark.parametrize(
    "network", [127, b"\x7f\0\0\1", ["10.0.0.0/8"], ("10.0.0.0", 8), None, True], ids=repr
)
def test_what_is_neither_text_nor_network_is_refused(network: Any) -> None:
    # `ipaddress` reads numbers and bytes, too, as addresses that nobody has meant.
    with pytest.raises(ConfigurationError, match="network"):
        allow_networks(network)


def test_no_networks_at_all_are_refused() -> None:
    # A list that came out empty must neither let everybody in nor keep everybody out.
    for policy in (allow_networks, deny_networks):
        with pytest.raises(ConfigurationError, match="at least one network is needed"):
            policy()


def test_policies_made_alike_are_equal() -> None:
    assert allow_networks("10.0.0.0/8") == allow_networks("10.0.0.0/255.0.0.0")
    assert allow_networks("10.0.0.0/8") != deny_networks("10.0.0.0/8")
    assert hash(allow_users(0, 1)) == hash(allow_users(1, 0))
    assert "10.0.0.0/8" in repr(~allow_networks("10.0.0.0/8"))


@pytest.mark.parametrize("peer", [at("203.0.113.9"), at("::1"), UnixPeer(), UnixPeer("@name")])
def test_allow_all_allows_everybody(peer: Peer) -> None:
    assert AllowAll().allows(peer)
    assert not (~AllowAll()).allows(peer)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("right", [True, False])
def test_and_or_and_not_are_those_of_logic(left: bool, right: bool) -> None:
    assert (Says(left) & Says(right)).allows(PEER) is (left and right)
    assert (Says(left) | Says(right)).allows(PEER) is (left or right)
    assert (~Says(left)).allows(PEER) is not left
    assert (~~Says(left)).allows(PEER) is left


def test_and_asks_no_further_after_the_first_no() -> None:
    last = Says(True)

    allowed = (Says(True) & Says(False) & last).allows(PEER)

    assert not allowed
    assert last.asked == 0


def test_or_asks_no_further_after_the_first_yes() -> None:
    last = Says(False)

    allowed = (Says(False) | Says(True) | last).allows(PEER)

    assert allowed
    assert last.asked == 0


def test_functions_combine_on_either_side() -> None:
    assert (Says(True) & yes).allows(PEER)
    assert (yes & Says(True)).allows(PEER)
    assert not (Says(True) & no).allows(PEER)
    assert not (no & Says(True)).allows(PEER)
    assert (Says(False) | yes).allows(PEER)
    assert (yes | Says(False)).allows(PEER)
    assert not (Says(False) | no).allows(PEER)
    assert not (no | Says(False)).allows(PEER)


def test_function_on_the_left_is_asked_first() -> None:
    last = Says(True)

    (no & last).allows(PEER)
    (yes | last).allows(PEER)

    assert last.asked == 0


def test_policy_that_only_fits_the_protocol_combines_too() -> None:
    class Fits:
        def allows(self, peer: object, /) -> bool:
            return True

    assert (Says(True) & Fits()).allows(PEER)
    assert (Fits() & Says(True)).allows(PEER)
    assert as_policy(Fits()).allows(PEER)


def test_answer_of_a_function_counts_by_its_truth() -> None:
    def path(peer: UnixPeer) -> str:
        return peer.path

    policy: AccessPolicy[UnixPeer] = as_policy(path)  # type: ignore[arg-type]

    assert policy.allows(UnixPeer("/run/it")) is True
    assert policy.allows(UnixPeer()) is False


def test_error_of_a_policy_is_nobodys_yes() -> None:
    # The accept loop turns it into a no; a combination must not turn it into an answer before.
    for policy in (Fails() & yes, yes & Fails(), Fails() | no, no | Fails(), ~Fails(), ~(~Fails())):
        with pytest.raises(RuntimeError, match="no idea"):
            policy.allows(PEER)


@pytest.mark.parametrize("other", [3, None, "10.0.0.0/8", object()], ids=str)
def test_what_is_no_policy_does_not_combine(other: Any) -> None:
    for combine in (AllowAll.__and__, AllowAll.__or__, AllowAll.__rand__, AllowAll.__ror__):
        with pytest.raises(ConfigurationError, match=r"needs allows\(peer\)"):
            combine(AllowAll(), other)


def test_combinations_tell_their_parts() -> None:
    one, other = Says(True), Says(False)

    assert (one & other) == AllOf((one, other))
    assert (one | other) == AnyOf((one, other))
    assert ~one == Not(one)


def test_policy_is_asked_for_its_allows_however_it_has_that() -> None:
    class PassesOn:
        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    inner = Says(True)
    outer: Any = PassesOn()

    assert as_policy(outer).allows(PEER)
    assert inner.asked == 1
