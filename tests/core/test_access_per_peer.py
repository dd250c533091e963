"""How many clients somebody may have at a time, wherever in the chain it is asked."""

from typing import Any

import pytest

from acceptor import ConfigurationError, Leave, Outcome, Peer, UnixPeer
from acceptor.core.access import enter, remembers
from acceptor.core.peer_limit import PeerLimit, limit_per_peer
from tests.core.access_kit import Says, at, behind


def entered(policy: Any, peer: Peer) -> Leave:
    leave = enter(policy, peer)
    assert leave is not None
    return leave


def test_per_peer_denies_one_too_many_and_allows_again_when_one_has_gone() -> None:
    policy, peer = limit_per_peer(2), at("192.0.2.1")
    leaves = [entered(policy, peer) for _ in range(2)]

    assert enter(policy, peer) is None
    assert not policy.allows(peer)
    leaves.pop()(Outcome.FINISHED)
    assert policy.allows(peer)
    leaves.append(entered(policy, peer))
    assert enter(policy, peer) is None


@pytest.mark.parametrize("outcome", Outcome)
def test_per_peer_counts_nobody_who_has_gone_however_it_ended(outcome: Outcome) -> None:
    policy, peer = limit_per_peer(1), at("192.0.2.1")

    entered(policy, peer)(outcome)

    assert policy.allows(peer)


def test_per_peer_only_looks_when_it_is_asked_without_entering() -> None:
    policy = limit_per_peer(1)

    assert [policy.allows(at("192.0.2.1")) for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (at("192.0.2.1"), at("192.0.2.2"), False),
        (at("2001:db8::1"), at("2001:db8::2"), True),
        (at("2001:db8:0:1::"), at("2001:db8:0:2::"), False),
        (UnixPeer("", 1, 7, 7), UnixPeer("", 2, 7, 8), True),
        (behind(at("10.0.0.1"), at("192.0.2.1")), behind(at("10.0.0.1"), at("192.0.2.2")), False),
        (behind(at("10.0.0.1"), at("192.0.2.1")), behind(at("10.0.0.2"), at("192.0.2.1")), True),
    ],
    ids=repr,
)
def test_per_peer_counts_by_address_prefix_or_user(one: Peer, other: Peer, same: bool) -> None:
    policy = limit_per_peer(1)

    entered(policy, one)

    assert policy.allows(other) is not same


def test_per_peer_counts_by_the_prefix_it_is_given() -> None:
    policy = limit_per_peer(1, ipv6_prefix=128)

    entered(policy, at("2001:db8::1"))

    assert policy.allows(at("2001:db8::2"))
    assert not policy.allows(at("2001:db8::1"))


def test_per_peer_counts_nobody_whom_a_later_policy_denies() -> None:
    policy = limit_per_peer(1)

    assert enter(policy & Says(False), at("192.0.2.1")) is None
    assert policy.allows(at("192.0.2.1"))


def test_per_peer_keeps_nothing_of_who_has_gone() -> None:
    policy = PeerLimit(1)

    for n in range(200):
        entered(policy, at(f"192.0.2.{n}"))(Outcome.FINISHED)
        policy.allows(at(f"198.51.100.{n}"))

    assert len(policy._counts) == 0


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [((0,), {}, "most"), ((True,), {}, "most"), ((1,), {"ipv6_prefix": 200}, "ipv6_prefix")],
)
def test_per_peer_refuses_numbers_that_cannot_work(arguments: Any, options: Any, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be"):
        limit_per_peer(*arguments, **options)


def test_per_peer_prints_as_it_was_written_and_is_like_no_other() -> None:
    assert repr(limit_per_peer(3)) == "limit_per_peer(3)"
    assert repr(limit_per_peer(3, ipv6_prefix=48)) == "limit_per_peer(3, ipv6_prefix=48)"
    assert limit_per_peer(3) != limit_per_peer(3)
    assert remembers(limit_per_peer(3))
