"""The exam for access policies."""

import copy
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from acceptor.core.access import AllowAll, Not, Policy, PolicyLike, as_policy
from acceptor.core.interfaces import AccessPolicy
from acceptor.testing.exam.paper import EXAM_PATIENCE, Aside, in_time, promised, require

P = TypeVar("P")

_JUDGES: Final = 4  # threads


def check_policy(
    policy: PolicyLike[P],
    *,
    allowed: Iterable[P] = (),
    denied: Iterable[P] = (),
    patience: float = EXAM_PATIENCE,
) -> None:
    """Hold a policy, or a function of the peer, against what a server expects of one.

    It must let in each of `allowed` and none of `denied`, say so with True or False and without
    waiting, change neither the peer nor its mind, serve several servers at a time, and combine.

    Raises:
        AssertionError: It breaks the contract; the message says how.
    """
    with promised("a policy is an object with allows(peer), or a function of the peer"):
        judge = as_policy(policy)
    expected = [(peer, True) for peer in allowed] + [(peer, False) for peer in denied]
    require(expected, "the exam needs at least one peer that is allowed or denied")
    for peer, answer in expected:
        _check_answer(judge, peer, answer, patience)
    # A policy that counts, or draws lots, is no recipe: two servers would share what it keeps.
    for peer, answer in reversed(expected):
        _check_answer(judge, peer, answer, patience, "when asked again, in another order")
    _check_from_threads(judge, expected, patience)
    if isinstance(judge, Policy):
        _check_combined(judge, expected, patience)


def _check_answer(
    policy: AccessPolicy[P], peer: P, answer: bool, patience: float, when: str = "when asked"
) -> None:
    before, described = copy.copy(peer), repr(peer)
    with promised(f"allows() must judge {peer!r}, not raise"):
        given: Any = in_time(
            lambda: policy.allows(peer),
            "allows() must not wait: no client is taken meanwhile",
            patience,
        )
    require(isinstance(given, bool), f"allows() must return True or False, returned {given!r}")
    verb = "let in" if answer else "keep out"
    require(given is answer, f"it must {verb} {peer!r} {when}: {policy!r}")
    require(
        peer == before and repr(peer) == described,
        f"allows() must not change the peer, made {peer!r} of {described}",
    )


def _check_from_threads(
    policy: AccessPolicy[P], expected: list[tuple[P, bool]], patience: float
) -> None:
    def judge_all() -> list[bool]:
        return [policy.allows(peer) for _ in range(10) for peer, _ in expected]

    judges = [Aside(judge_all) for _ in range(_JUDGES)]
    with promised("several servers may share a policy"):
        verdicts = [judge.result("allows() must not wait", patience) for judge in judges]
    right = [answer for _ in range(10) for _, answer in expected]
    require(
        all(verdict == right for verdict in verdicts),
        "several servers may share a policy: asked from several threads, its answers differ",
    )


def _check_combined(policy: Policy[P], expected: list[tuple[P, bool]], patience: float) -> None:
    nobody: Policy[Any] = Not(AllowAll())
    for peer, answer in expected:
        for combined, right in (
            (~policy, not answer),
            (~~policy, answer),
            (policy & AllowAll(), answer),
            (policy & nobody, False),
            (policy | AllowAll(), True),
            (policy | nobody, answer),
        ):
            _check_answer(combined, peer, right, patience, f"when combined as {combined!r}")
