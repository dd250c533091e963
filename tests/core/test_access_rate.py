"""Token buckets: how fast a peer's clients may come, and what is kept of how many."""

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acceptor import ConfigurationError, IPv4Peer, IPv6Peer, Peer, UnixPeer
from acceptor.core.access import remembers
from acceptor.core.buckets import Buckets
from acceptor.core.rate_limit import limit_rate
from tests.core.access_kit import FakeClock, at, behind

quick: Final = settings(max_examples=100, deadline=None, database=None)


def test_rate_allows_a_burst_and_then_so_many_a_second() -> None:
    clock = FakeClock()
    policy = limit_rate(2, burst=3, clock=clock)

    at_once = [policy.allows(at("192.0.2.1")) for _ in range(5)]
    clock.now += 0.5
    after_half_a_second = [policy.allows(at("192.0.2.1")) for _ in range(2)]
    clock.now += 100
    after_a_rest = [policy.allows(at("192.0.2.1")) for _ in range(5)]

    assert at_once == [True] * 3 + [False] * 2
    assert after_half_a_second == [True, False]
    assert after_a_rest == at_once


def test_rate_of_less_than_one_a_second_needs_patience() -> None:
    clock = FakeClock()
    policy = limit_rate(1 / 60, burst=1, clock=clock)

    answers = []
    for _ in range(4):
        answers.append(policy.allows(at("192.0.2.1")))
        clock.now += 30

    assert answers == [True, False, True, False]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (at("192.0.2.1"), IPv4Peer("192.0.2.1", 2), True),
        (at("192.0.2.1"), at("192.0.2.2"), False),
        (at("2001:db8::1"), IPv6Peer("2001:db8::ffff:1", 2), True),
        (at("2001:db8:0:1::1"), at("2001:db8:0:2::1"), False),
        (at("fe80::1%1"), at("fe80::1%2"), False),
        (UnixPeer("", 1, 1000, 5), UnixPeer("", 2, 1000, 6), True),
        (UnixPeer("", 1, 1000, 5), UnixPeer("", 1, 1001, 5), False),
        (UnixPeer("/a"), UnixPeer("/a"), True),
        (UnixPeer("/a"), UnixPeer("/b"), False),
        (at("192.0.2.1"), UnixPeer("192.0.2.1"), False),  # a path that a client has chosen
        (behind(at("10.0.0.1"), at("192.0.2.1")), at("192.0.2.1"), True),
        (behind(at("10.0.0.1"), at("192.0.2.1")), behind(at("10.0.0.2"), at("192.0.2.1")), True),
        (behind(at("10.0.0.1"), at("192.0.2.1")), behind(at("10.0.0.1"), at("192.0.2.2")), False),
        (behind(at("10.0.0.1"), at("2001:db8::1")), at("2001:db8::2"), True),
    ],
    ids=repr,
)
def test_rate_counts_by_address_prefix_or_user(one: Peer, other: Peer, same: bool) -> None:
    policy = limit_rate(1, burst=1, clock=FakeClock())

    assert policy.allows(one)
    assert policy.allows(other) is not same


def test_rate_counts_by_the_prefixes_it_is_given() -> None:
    policy = limit_rate(1, burst=1, ipv6_prefix=48, ipv4_prefix=24, clock=FakeClock())

    hosts = ("192.0.2.1", "192.0.2.99", "192.0.3.1", "2001:db8::1", "2001:db8:0:9::1", "2001:db9::")
    answers = [policy.allows(at(host)) for host in hosts]

    assert answers == [True, False, True] * 2


@quick
@given(
    st.integers(1, 5),
    st.sampled_from([0.1, 1.0, 3.0, 7.0]),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.01, 0.3, 1.0, 50.0])), max_size=60
    ),
)
def test_buckets_never_allow_other_than_tokens_that_are_counted(
    burst: int, per_second: float, asked: list[tuple[str, float]]
) -> None:
    buckets, tokens, now = Buckets(per_second, burst, 10), dict.fromkeys("abc", float(burst)), 1e6

    for key, pause in asked:
        now += pause
        tokens = {k: min(burst, n + pause * per_second) for k, n in tokens.items()}
        assert buckets.tokens(key, now) == pytest.approx(tokens[key], abs=1e-4)
        if not 0.9999 < tokens[key] < 1:  # what rounding could turn either way
            assert buckets.take(key, now) is (tokens[key] >= 1)
            tokens[key] -= tokens[key] >= 1


def test_buckets_keep_no_more_than_they_may_however_many_keys_come() -> None:
    buckets = Buckets(1.0, 5, 100)

    for key in range(10_000):
        assert buckets.take(key, 1e6 + key / 1000)
        assert len(buckets) <= 100

    kept = sum(map(len, buckets._by_slot.values()))
    assert kept == len(buckets) == 100
    assert len(buckets._by_slot) <= 66  # so many slots there are, and no more


def test_buckets_forget_those_that_are_full_again() -> None:
    buckets = Buckets(1.0, 5, 100)
    for key in range(50):
        buckets.take(key, 1000.0)

    buckets.take("new", 1002.0)

    assert len(buckets) == 1
    assert sum(map(len, buckets._by_slot.values())) == 1


def test_buckets_forget_a_full_one_rather_than_one_that_is_in_use() -> None:
    buckets = Buckets(1.0, 10, 2)
    for _ in range(10):
        buckets.take("empty, and seen longest ago", 1000.0)
    buckets.take("full soon", 1000.5)

    buckets.take("new", 1002.0)

    assert not buckets.take("empty, and seen longest ago", 1000.5)
    assert len(buckets) == 2


def test_buckets_forget_who_was_seen_longest_ago_when_all_are_in_use() -> None:
    buckets = Buckets(1.0, 1, 3)
    for key in "abc":
        buckets.take(key, 1000.0)

    asked_again = buckets.take("a", 1000.1)  # in vain, but it was seen
    buckets.take("d", 1000.2)

    assert not asked_again
    assert [buckets.take(key, 1000.3) for key in "acd"] == [False] * 3
    assert buckets.take("b", 1000.3)


def test_who_keeps_on_asking_is_not_forgotten_whoever_else_comes() -> None:
    clock = FakeClock()
    policy = limit_rate(0.001, burst=1, most_tracked=10, clock=clock)
    policy.allows(at("192.0.2.1"))

    again = []
    for n in range(1000):
        policy.allows(at(f"10.0.{n >> 8}.{n & 255}"))
        again.append(policy.allows(at("192.0.2.1")))

    assert not any(again)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"per_second": 0}, "per_second"),
        ({"per_second": -1.0}, "per_second"),
        ({"per_second": float("nan")}, "per_second"),
        ({"per_second": float("inf")}, "per_second"),
        ({"per_second": "5"}, "per_second"),
        ({"per_second": True}, "per_second"),
        ({"burst": 0}, "burst"),
        ({"burst": 1.5}, "burst"),
        ({"burst": True}, "burst"),
        ({"most_tracked": 0}, "most_tracked"),
        ({"ipv6_prefix": 129}, "ipv6_prefix"),
        ({"ipv6_prefix": 0}, "ipv6_prefix"),
        ({"ipv4_prefix": 33}, "ipv4_prefix"),
        ({"ipv4_prefix": 0}, "ipv4_prefix"),
        ({"clock": 3}, "a clock"),
    ],
    ids=str,
)
def test_rate_refuses_numbers_that_cannot_work(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must"):
        limit_rate(**{"per_second": 1, "burst": 1, **options})


def test_rate_prints_as_it_was_written() -> None:
    assert repr(limit_rate(5, burst=10)) == "limit_rate(5, burst=10)"
    assert repr(limit_rate(0.5, burst=1, ipv6_prefix=48, ipv4_prefix=24, most_tracked=9)) == (
        "limit_rate(0.5, burst=1, ipv6_prefix=48, ipv4_prefix=24, most_tracked=9)"
    )


def test_rates_made_alike_have_buckets_of_their_own() -> None:
    one, other = (limit_rate(1, burst=1, clock=FakeClock()) for _ in range(2))

    assert one.allows(at("192.0.2.1"))
    assert other.allows(at("192.0.2.1"))
    assert one != other
    assert not remembers(one)
