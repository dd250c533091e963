"""Every policy of ours passes its exam, and policies with a fault do not."""

import os
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor import (
    AllowAll,
    IPv4Peer,
    IPv6Peer,
    Policy,
    UnixPeer,
    allow_groups,
    allow_networks,
    allow_users,
    deny_networks,
)
from acceptor.testing import RaisingPolicy, check_policy
from tests.fakes import PEER

NEAR, FAR = IPv4Peer("10.1.2.3", 1), IPv4Peer("192.0.2.1", 1)
NEAR6, FAR6 = IPv6Peer("fe80::1%2", 1), IPv6Peer("2001:db8::1", 1)
ME = UnixPeer("", os.getpid(), os.getuid(), os.getgid())
OTHER = UnixPeer("", 1, os.getuid() + 1, os.getgid() + 1)
UNKNOWN = UnixPeer("/run/somebody.sock")

HOME = allow_networks("10.0.0.0/8", "fe80::/10")


@pytest.mark.parametrize(
    ("policy", "allowed", "denied"),
    [
        (AllowAll(), [NEAR, FAR6, ME, UNKNOWN], []),
        (HOME, [NEAR, NEAR6], [FAR, FAR6]),
        (deny_networks("10.0.0.0/8"), [FAR, FAR6], [NEAR]),
        (~HOME, [FAR, FAR6], [NEAR, NEAR6]),
        (HOME & allow_networks("10.1.0.0/16"), [NEAR], [FAR, NEAR6, IPv4Peer("10.2.0.1", 1)]),
        (HOME | allow_networks("192.0.2.0/24"), [NEAR, NEAR6, FAR], [FAR6]),
        (lambda peer: peer.port == 1, [NEAR, FAR], [PEER]),
        (HOME & (lambda peer: peer.port == 1), [NEAR], [FAR, IPv4Peer("10.1.2.3", 2)]),
        (allow_users(os.getuid()), [ME], [OTHER, UNKNOWN]),
        (allow_groups(os.getgid()), [ME], [OTHER, UNKNOWN]),
        (allow_users(os.getuid()) & ~allow_groups(os.getgid() + 1), [ME], [OTHER, UNKNOWN]),
    ],
    ids=lambda value: str(value) if isinstance(value, Policy) else "",
)
def test_policy_passes(policy: Any, allowed: list[Any], denied: list[Any]) -> None:
    check_policy(policy, allowed=allowed, denied=denied)


@attrs.frozen
class Mutant(Policy[Any]):
    """A policy made of one function."""

    answer: Callable[[Any], Any]

    def allows(self, peer: Any, /) -> bool:
        found: bool = self.answer(peer)
        return found


@attrs.frozen
class Unconjoined(Policy[Any]):
    """Forgets itself when it is combined."""

    def allows(self, peer: Any, /) -> bool:
        return bool(peer == ME)

    def __and__(self, other: Any) -> Policy[Any]:
        return AllowAll()


@attrs.define
class Fickle(Policy[Any]):
    """Knows who may come in, but not for long."""

    times: int

    def allows(self, peer: Any, /) -> bool:
        self.times -= 1
        return bool(peer == ME) is (self.times >= 0)


@pytest.mark.parametrize(
    ("policy", "contract"),
    [
        (RaisingPolicy(), "must judge .*, not raise; it raised RuntimeError"),
        (Mutant(lambda peer: True), "must keep out UnixPeer"),
        (Mutant(lambda peer: False), "must let in UnixPeer"),
        (Mutant(lambda peer: None), "must return True or False, returned None"),
        (Mutant(lambda peer: "yes"), "must return True or False, returned 'yes'"),
        (Fickle(2), "when asked again"),
        (Fickle(4), "asked from several threads, its answers differ"),
        (Unconjoined(), "when combined as"),
        (object(), "an object with allows\\(peer\\), or a function"),
        (RaisingPolicy, "an object with allows\\(peer\\), or a function"),
    ],
    ids=str,
)
def test_policy_with_a_fault_is_refused(policy: Any, contract: str) -> None:
    with pytest.raises(AssertionError, match=contract):
        check_policy(policy, allowed=[ME], denied=[OTHER])


def test_policy_that_changes_the_peer_is_refused() -> None:
    def spoil(peer: Any) -> bool:
        peer.uid = -1
        return True

    with pytest.raises(AssertionError, match="must not change the peer"):
        check_policy(spoil, allowed=[UnixPeer("", 1, 2, 3)])


def test_policy_that_waits_is_refused() -> None:
    over = threading.Event()
    policy = Mutant(lambda peer: over.wait(20))

    with pytest.raises(AssertionError, match="must not wait"):
        check_policy(policy, allowed=[ME], patience=0.05)
    over.set()


def test_exam_without_a_question_is_none() -> None:
    with pytest.raises(AssertionError, match="at least one peer"):
        check_policy(AllowAll())
