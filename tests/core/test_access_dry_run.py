"""Dry runs: everybody comes in, and it is told whom the policy would have refused."""

import logging
from typing import Any

import pytest

from acceptor import ConfigurationError, Outcome, allow_networks
from acceptor.core.access import enter
from acceptor.core.bans import ban_after
from acceptor.core.dry_run import DryRun
from acceptor.core.peer_limit import limit_per_peer
from acceptor.core.rate_limit import limit_rate
from tests.core.access_kit import PEER, Fails, FakeClock, Remembers, Says

NOBODY = allow_networks("10.0.0.0/8")


class Interrupted(Says):
    """Raises what it was made with, which need not be an `Exception`."""

    def allows(self, peer: object, /) -> bool:
        raise SystemExit("out")


def test_dry_run_allows_everybody_and_counts_who_would_not_have_been() -> None:
    refused: list[tuple[object, str]] = []
    policy = DryRun(NOBODY, on_refusal=lambda peer, text: refused.append((peer, text)))

    leaves = [enter(policy, PEER) for _ in range(2)]

    text = "denied: allow_networks('10.0.0.0/8') does not have 127.0.0.1"
    assert None not in leaves
    assert policy.would_have_refused == 2
    assert refused == [(PEER, text), (PEER, text)]


def test_dry_run_logs_a_line_at_info(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="acceptor"):
        enter(DryRun(NOBODY), PEER)

    (record,) = caplog.records
    assert (record.name, record.levelno) == ("acceptor", logging.INFO)
    assert record.getMessage() == (
        "dry run: would have refused 127.0.0.1:1 "
        "(denied: allow_networks('10.0.0.0/8') does not have 127.0.0.1)"
    )


def test_dry_run_tells_nothing_of_whom_the_policy_allows(caplog: pytest.LogCaptureFixture) -> None:
    policy = DryRun(Says(True))

    with caplog.at_level(logging.DEBUG, logger="acceptor"):
        entered = enter(policy, PEER)

    assert entered is not None
    assert policy.would_have_refused == 0
    assert caplog.records == []


@pytest.mark.parametrize("policy", [Fails(), Interrupted(True), lambda peer: 1 / 0], ids=str)
def test_dry_run_allows_and_counts_when_the_policy_fails(policy: Any) -> None:
    refused: list[str] = []
    dry = DryRun(policy, lambda peer, text: refused.append(text))

    entered = enter(dry, PEER)

    assert entered is not None
    assert dry.would_have_refused == 1
    assert refused[0].startswith("failed: ")


def test_dry_run_lets_ctrl_c_through() -> None:
    def interrupted(peer: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enter(DryRun(interrupted), PEER)


def test_dry_run_allows_when_whoever_is_told_fails(caplog: pytest.LogCaptureFixture) -> None:
    policy = DryRun(NOBODY, lambda peer, text: 1 / 0)

    entered = enter(policy, PEER)

    assert entered is not None
    assert policy.would_have_refused == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_dry_run_asked_without_entering_says_yes_and_counts_nothing() -> None:
    inner = Says(False)
    policy = DryRun(inner)

    assert policy.allows(PEER)
    assert policy.would_have_refused == inner.asked == 0


def test_dry_run_has_its_policy_remember_as_if_it_were_in_force() -> None:
    inner = Remembers()

    entered = enter(DryRun(inner), PEER)

    assert inner.entered == [PEER]
    assert inner.left == []
    assert entered is not None
    entered(Outcome.CUT)
    assert inner.left == [Outcome.CUT]


def test_dry_run_of_what_counts_tells_just_who_would_have_been_one_too_many() -> None:
    clock = FakeClock()
    policies = [
        DryRun(limit_per_peer(2)),
        DryRun(limit_rate(1, burst=3, clock=clock)),
        DryRun(limit_per_peer(9) & Says(True) & limit_per_peer(4)),
    ]

    for policy in policies:
        for _ in range(5):
            assert enter(policy, PEER) is not None

    assert [policy.would_have_refused for policy in policies] == [3, 2, 1]


def test_dry_run_is_no_failure_to_a_policy_before_it() -> None:
    bans = ban_after(1, within=10, lasting=60, clock=FakeClock())

    entered = enter(bans & DryRun(NOBODY), PEER)

    assert entered is not None
    entered(Outcome.FINISHED)
    assert bans.allows(PEER)


@pytest.mark.parametrize("wrong", [None, 3, "10.0.0.0/8"])
def test_dry_run_refuses_what_is_no_policy(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="an access policy needs"):
        DryRun(wrong)


def test_dry_run_prints_as_it_was_written_and_is_like_no_other() -> None:
    assert repr(DryRun(NOBODY)) == "DryRun(allow_networks('10.0.0.0/8'))"
    assert DryRun(NOBODY) != DryRun(NOBODY)
