"""Explanations: which rule decided, in words, and without any effect."""

import re
from typing import Any

import pytest

from acceptor import (
    AllowAll,
    IPv4Peer,
    Outcome,
    UnixPeer,
    allow_networks,
    allow_users,
    deny_networks,
)
from acceptor.core.access import AllOf, AnyOf, enter, explain
from acceptor.core.bans import ban_after
from acceptor.core.dry_run import DryRun
from acceptor.core.peer_limit import limit_per_peer
from acceptor.core.proxied_access import of_client, of_hop
from acceptor.core.rate_limit import limit_rate
from tests.core.access_kit import Fails, FakeClock, Says, at, behind

PEER = IPv4Peer("192.0.2.1", 80)
INSIDE = allow_networks("192.0.2.0/24")
OUTSIDE = allow_networks("10.0.0.0/8")


class Plain:
    def __init__(self, answer: bool) -> None:
        self.answer = answer

    def allows(self, peer: object, /) -> bool:
        return self.answer

    def __repr__(self) -> str:
        return "Plain()"


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (OUTSIDE, "denied: allow_networks('10.0.0.0/8') does not have 192.0.2.1"),
        (INSIDE, "allowed: allow_networks('192.0.2.0/24') has 192.0.2.1"),
        (
            deny_networks("192.0.2.0/24", "::/0"),
            "denied: deny_networks('192.0.2.0/24', '::/0') has 192.0.2.1",
        ),
        (~OUTSIDE, "allowed: deny_networks('10.0.0.0/8') does not have 192.0.2.1"),
        (AllowAll(), "allowed: everybody may come in"),
        (Plain(True), "allowed: Plain() allows 192.0.2.1:80"),
        (Plain(False), "denied: Plain() does not allow 192.0.2.1:80"),
        (Says(True), "allowed: Says(answer=True, asked=1) allows 192.0.2.1:80"),
        (Fails(), "failed: Fails() raised RuntimeError('no idea')"),
    ],
    ids=str,
)
def test_explain_names_the_rule_and_the_peer(policy: Any, text: str) -> None:
    assert explain(policy, PEER) == text


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        # The part that decided, and no other.
        (AllOf((INSIDE, OUTSIDE, Fails())), explain(OUTSIDE, PEER)),
        (AnyOf((OUTSIDE, INSIDE, Fails())), explain(INSIDE, PEER)),
        (AllOf((AnyOf((INSIDE, Fails())), AllOf((OUTSIDE, Fails())))), explain(OUTSIDE, PEER)),
        # All of them, where each had to agree.
        (
            AllOf((INSIDE, Plain(True))),
            "allowed: allow_networks('192.0.2.0/24') has 192.0.2.1 and Plain() allows 192.0.2.1:80",
        ),
        (
            AnyOf((OUTSIDE, Plain(False))),
            f"{explain(OUTSIDE, PEER)} and Plain() does not allow 192.0.2.1:80",
        ),
        (~Says(True), "denied: ~ turns round that Says(answer=True, asked=1) allows 192.0.2.1:80"),
        (
            ~Says(False),
            "allowed: ~ turns round that Says(answer=False, asked=1) does not allow 192.0.2.1:80",
        ),
        # Whoever fails decides, as when it is asked: nobody comes in.
        (AllOf((INSIDE, Fails(), OUTSIDE)), explain(Fails(), PEER)),
        (AnyOf((OUTSIDE, Fails(), INSIDE)), explain(Fails(), PEER)),
        (~Fails(), explain(Fails(), PEER)),
    ],
    ids=str,
)
def test_explain_goes_down_to_the_part_that_decided(policy: Any, text: str) -> None:
    assert explain(policy, PEER) == text


def test_explain_takes_a_function_as_access_does() -> None:
    def is_near(peer: IPv4Peer) -> bool:
        return peer.host.startswith("192.")

    assert re.fullmatch(
        r"allowed: <function .*is_near.*> allows 192\.0\.2\.1:80", explain(is_near, PEER)
    )


def test_explain_of_a_wrapper_says_whom_it_asked_about() -> None:
    peer = behind(UnixPeer("/run/proxy"), PEER)

    assert explain(of_client(Plain(True)), peer) == (
        "allowed: of the client, Plain() allows 192.0.2.1:80"
    )
    assert explain(of_hop(allow_users(0)), peer) == (
        "denied: of the hop, allow_users(0) does not allow /run/proxy"
    )


def test_explain_of_a_proxied_peer_names_its_client() -> None:
    assert explain(OUTSIDE, behind(at("10.0.0.1"), PEER)) == explain(OUTSIDE, PEER)


def test_explain_takes_no_token_and_counts_nothing() -> None:
    clock = FakeClock()
    bans = ban_after(1, within=1.0, lasting=1.0, clock=clock)
    policy = DryRun(bans & limit_per_peer(1) & limit_rate(1, burst=1, clock=clock) & ~AllowAll())

    texts = {explain(policy, PEER) for _ in range(3)}

    assert texts == {"allowed: only a dry run; denied: ~ turns round that everybody may come in"}
    assert policy.would_have_refused == 0
    assert bans.banned() == []


def test_method_explains_as_the_function_does() -> None:
    assert OUTSIDE.explain(PEER) == explain(OUTSIDE, PEER)
    assert Says(False).explain(PEER) == explain(Says(False), PEER)


def test_explanations_of_what_is_counted_say_how_it_stands() -> None:
    clock = FakeClock()
    rate, few = limit_rate(5, burst=2, clock=clock), limit_per_peer(1)
    bans = ban_after(1, within=60, lasting=90, clock=clock)
    before = [explain(policy, PEER) for policy in (rate, few, bans)]
    leave = enter(bans, PEER)
    assert leave is not None

    leave(Outcome.DENIED)
    enter(few, PEER)
    for _ in range(2):
        rate.allows(PEER)
    after = [explain(policy, PEER) for policy in (rate, few, bans)]

    assert before == [
        "allowed: limit_rate(5, burst=2) has 2 of 2 tokens for 192.0.2.1",
        "allowed: limit_per_peer(1) counts 0 of 192.0.2.1",
        "allowed: ban_after(1, within=60, lasting=90) does not ban 192.0.2.1",
    ]
    assert after == [
        "denied: limit_rate(5, burst=2) has the next token for 192.0.2.1 in 0.2 s",
        "denied: limit_per_peer(1) counts 1 of 192.0.2.1",
        "denied: ban_after(1, within=60, lasting=90) bans 192.0.2.1 for 90 s more",
    ]
