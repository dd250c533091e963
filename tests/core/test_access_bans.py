"""Bans: who is denied for a while because its clients have failed too often."""

from typing import Any

import pytest

from acceptor import ConfigurationError, Outcome, UnixPeer
from acceptor.core.access import enter, remembers
from acceptor.core.bans import Bans, ban_after
from tests.core.access_kit import FakeClock, Says, at, behind

PEER = at("192.0.2.1")


def comes(bans: Bans, peer: object, outcome: Outcome = Outcome.DENIED) -> bool:
    """Come and end so; False if the peer is not let in."""
    leave = enter(bans, peer)
    if leave is not None:
        leave(outcome)
    return leave is not None


def test_bans_deny_after_so_many_failures_and_for_so_long() -> None:
    clock = FakeClock()
    bans = ban_after(3, within=10, lasting=60, clock=clock)

    came = [comes(bans, PEER) for _ in range(5)]
    clock.now += 59.9
    still_banned = not bans.allows(PEER)
    clock.now += 0.1

    assert came == [True] * 3 + [False] * 2
    assert still_banned
    assert bans.allows(PEER)
    assert [comes(bans, PEER) for _ in range(5)] == came  # nothing is left of it


@pytest.mark.parametrize("outcome", Outcome)
def test_bans_count_only_denials_and_failed_handshakes(outcome: Outcome) -> None:
    bans = ban_after(1, within=10, lasting=60, clock=FakeClock())

    comes(bans, PEER, outcome)

    counts = outcome in (Outcome.DENIED, Outcome.HANDSHAKE_FAILED)
    assert bans.allows(PEER) is not counts


def test_bans_count_only_failures_that_are_near_enough() -> None:
    clock = FakeClock()
    bans = ban_after(3, within=10, lasting=60, clock=clock)

    for pause in (0, 6, 6, 6):  # never three in ten seconds
        clock.now += pause
        assert comes(bans, PEER)
    assert bans.allows(PEER)
    clock.now += 4  # this, and those 4 and 10 s ago
    assert comes(bans, PEER)

    assert not bans.allows(PEER)


def test_bans_count_whom_a_later_policy_denies() -> None:
    bans = ban_after(2, within=10, lasting=60, clock=FakeClock())

    answers = [enter(bans & Says(False), PEER) for _ in range(2)]

    assert answers == [None, None]
    assert not bans.allows(PEER)


def test_bans_are_about_one_address_prefix_or_user() -> None:
    bans = ban_after(1, within=10, lasting=60, clock=FakeClock())
    for peer in (PEER, at("2001:db8::1"), UnixPeer("", 1, 7, 7)):
        comes(bans, peer)

    assert not bans.allows(at("2001:db8::2"))
    assert not bans.allows(UnixPeer("", 2, 7, 8))
    assert bans.allows(at("192.0.2.2"))
    assert bans.allows(at("2001:db8:0:1::1"))
    assert bans.allows(UnixPeer("", 1, 8, 7))


def test_bans_are_about_the_client_behind_a_proxy_and_keep_nothing_else() -> None:
    bans = ban_after(1, within=10, lasting=60, clock=FakeClock())
    hop = at("10.0.0.1")

    comes(bans, behind(hop, PEER))

    assert not bans.allows(behind(hop, PEER))
    assert bans.allows(behind(hop, at("192.0.2.2")))
    assert bans.allows(hop)
    assert [(type(peer), peer) for peer, _ in bans.banned()] == [(type(PEER), PEER)]


def test_bans_do_not_grow_by_failures_of_clients_that_came_before() -> None:
    clock = FakeClock()
    bans = ban_after(1, within=100, lasting=60, clock=clock)
    early = [enter(bans, PEER) for _ in range(3)]

    for leave in early:
        assert leave is not None
        leave(Outcome.HANDSHAKE_FAILED)
        clock.now += 20

    assert bans.allows(PEER)


def test_banned_tells_who_it_is_and_for_how_long() -> None:
    clock = FakeClock()
    bans = ban_after(1, within=10, lasting=60, clock=clock)
    before = bans.banned()

    for n in (1, 2):
        comes(bans, at(f"192.0.2.{n}"))
        clock.now += 25

    assert before == []
    assert bans.banned() == [(at("192.0.2.1"), 10.0), (at("192.0.2.2"), 35.0)]
    clock.now += 10
    assert bans.banned() == [(at("192.0.2.2"), 25.0)]


def test_lift_lets_a_peer_in_and_forgets_what_it_has_done() -> None:
    clock = FakeClock()
    bans = ban_after(2, within=10, lasting=60, clock=clock)
    for _ in range(2):
        comes(bans, PEER)
    comes(bans, at("192.0.2.2"))

    lifted = [bans.lift(PEER), bans.lift(PEER), bans.lift(at("192.0.2.2"))]

    assert lifted == [True, False, False]
    for peer in (PEER, at("192.0.2.2")):
        assert comes(bans, peer)
        assert bans.allows(peer)


def test_lift_says_no_of_a_ban_that_is_over() -> None:
    clock = FakeClock()
    bans = ban_after(1, within=10, lasting=60, clock=clock)
    comes(bans, PEER)

    clock.now += 60

    assert not bans.lift(PEER)


def test_bans_keep_no_more_peers_than_they_may() -> None:
    bans = ban_after(2, within=1e6, lasting=1e6, most_tracked=10, clock=FakeClock())

    for n in range(100):
        comes(bans, at(f"192.0.2.{n}"))
        assert len(bans._failed) <= 10
    for n in range(100):
        comes(bans, at(f"198.51.100.{n}"))
        comes(bans, at(f"198.51.100.{n}"))
        assert len(bans._bans) <= 10

    assert [peer for peer, _ in bans.banned()] == [at(f"198.51.100.{n}") for n in range(90, 100)]
    assert len(bans._failed) <= 10


def test_bans_keep_no_more_failures_of_a_peer_than_it_takes() -> None:
    clock = FakeClock()
    bans = ban_after(3, within=1, lasting=60, clock=clock)

    for _ in range(50):
        comes(bans, PEER)
        clock.now += 0.9

    assert [len(times) for times in bans._failed.values()] == [3]


def test_bans_forget_failures_and_bans_that_are_over() -> None:
    clock = FakeClock()
    bans = ban_after(2, within=10, lasting=60, clock=clock)
    for n in range(50):
        comes(bans, at(f"192.0.2.{n}"))
    for _ in range(2):
        comes(bans, PEER)

    clock.now += 60.1
    comes(bans, at("198.51.100.1"))

    assert len(bans._failed) == 1
    assert len(bans._bans) == 0


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"failures": 0}, "failures"),
        ({"failures": 2.5}, "failures"),
        ({"within": 0}, "within"),
        ({"within": None}, "within"),
        ({"lasting": -1}, "lasting"),
        ({"lasting": float("inf")}, "lasting"),
        ({"most_tracked": 0}, "most_tracked"),
        ({"ipv6_prefix": 0}, "ipv6_prefix"),
        ({"clock": 0}, "a clock"),
    ],
    ids=str,
)
def test_bans_refuse_numbers_that_cannot_work(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must"):
        ban_after(**{"failures": 1, "within": 1, "lasting": 1, **options})


def test_bans_print_as_they_were_written_and_are_like_no_others() -> None:
    bans = ban_after(5, within=10, lasting=60.0)

    assert repr(bans) == "ban_after(5, within=10, lasting=60.0)"
    assert repr(ban_after(5, within=10, lasting=60, ipv6_prefix=48, most_tracked=9)) == (
        "ban_after(5, within=10, lasting=60, ipv6_prefix=48, most_tracked=9)"
    )
    assert bans != ban_after(5, within=10, lasting=60.0)
    assert remembers(bans)
