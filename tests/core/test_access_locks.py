"""What several servers share is looked at and changed under one lock."""

from collections.abc import Callable
from types import SimpleNamespace

import attrs
import pytest

from acceptor import Outcome
from acceptor.core.access import enter
from acceptor.core.bans import Bans
from acceptor.core.peer_limit import PeerLimit
from acceptor.core.rate_limit import RateLimit


@attrs.define(eq=False)
class Host:
    """Tells of each look-up in a dictionary whether the lock was held."""

    is_held: Callable[[], bool]
    held: list[bool] = attrs.field(factory=list[bool])

    def __hash__(self) -> int:
        self.held.append(self.is_held())
        return 1


@pytest.mark.parametrize(
    "policy",
    [
        RateLimit(1, burst=3),
        PeerLimit(3),
        Bans(2, within=60, lasting=60),
    ],
    ids=repr,
)
def test_policy_holds_its_lock_wherever_it_looks_a_peer_up(
    policy: RateLimit | PeerLimit | Bans,
) -> None:
    host = Host(policy._lock.locked)
    peer = SimpleNamespace(host=host)

    leaves = [enter(policy, peer) for _ in range(4)]
    for leave in filter(None, leaves):
        leave(Outcome.DENIED)
    policy.allows(peer)
    policy.explain(peer)
    if isinstance(policy, Bans):
        policy.banned()
        policy.lift(peer)

    assert len(host.held) > 8
    assert all(host.held)
    assert not policy._lock.locked()
