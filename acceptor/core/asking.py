"""What is asked of any access policy: to judge, to remember, and to say why."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import attrs

from acceptor.core.events import Outcome
from acceptor.core.interfaces import AccessPolicy, Leave, RememberingPolicy
from acceptor.core.reporting import LOGGER
from acceptor.core.values import define

P = TypeVar("P")

# What every explanation starts with, unless the policy has failed.
ALLOWED: Final = "allowed: "
DENIED: Final = "denied: "


class PassesOn:
    """Marks a policy whose `enter` is there only for the policies that it asks in turn."""

    __slots__ = ()


def nothing_to_leave(outcome: Outcome, /) -> None:
    """Do nothing: the `Leave` of every policy that remembers nobody; compare with `is`."""


def enter(policy: AccessPolicy[P], peer: P, /) -> Leave | None:
    """Ask any policy to let the peer in; return what is to be called in the end, None if it denies.

    Raises:
        Exception: The policy failed; it remembers nothing of the peer.
    """
    # Each client comes by here, and `isinstance` of a protocol takes over 10 us on Python 3.11.
    own: Callable[[P], Leave | None] | None = getattr(policy, "enter", None)
    if own is not None:
        return own(peer)
    return nothing_to_leave if policy.allows(peer) else None


def tell(leave: Leave, outcome: Outcome, peer: object) -> None:
    """Let a policy hear how it has ended with a peer; one that fails then is logged."""
    if leave is nothing_to_leave:
        return
    try:
        leave(outcome)
    except Exception:
        LOGGER.exception("a policy failed when it heard how %s had ended", peer)


def parts(policy: AccessPolicy[Any], /) -> Iterator[AccessPolicy[Any]]:
    """Yield the policy itself, and every one that it asks in turn."""
    yield policy
    asked = getattr(policy, "policies", ())
    inner = [*(asked if isinstance(asked, Iterable) else ())]
    inner += [getattr(policy, name, None) for name in ("policy", "inner")]
    for part in inner:
        if hasattr(part, "allows"):
            yield from parts(part)


def remembers(policy: AccessPolicy[Any], /) -> bool:
    """Say whether it, or a part of it, must hear what became of whom it has let in."""
    return any(
        isinstance(part, RememberingPolicy) and not isinstance(part, PassesOn)
        for part in parts(policy)
    )


def explain(policy: AccessPolicy[P] | Callable[[P], bool], peer: P, /) -> str:
    """Say in words what a policy, or a function, says of a peer now and which rule decides that.

    It is `allowed: …`, `denied: …`, or `failed: …` where the policy raises, which denies. Takes no
    token and counts nothing, except where a policy without an `explain` has effects in `allows`.
    """
    own: Callable[[P], str] | None = getattr(policy, "explain", None)
    try:
        return ask(policy, peer) if own is None else own(peer)
    except Exception as error:
        return f"failed: {policy!r} raised {error!r}"


def ask(policy: AccessPolicy[P] | Callable[[P], bool], peer: P) -> str:
    """Explain a policy of which nothing is known but its answer."""
    allows: Any = getattr(policy, "allows", policy)
    if allows(peer):
        return f"{ALLOWED}{policy!r} allows {peer!s}"
    return f"{DENIED}{policy!r} does not allow {peer!s}"


def first_other_than(verdict: str, policies: Iterable[AccessPolicy[P]], peer: P) -> str:
    """Explain the first policy whose verdict is another one, or all of them together."""
    reasons: list[str] = []
    for policy in policies:
        text = explain(policy, peer)
        if not text.startswith(verdict):
            return text
        reasons.append(text.removeprefix(verdict))
    return verdict + " and ".join(reasons)


@define(eq=False)
class LeaveAll:
    """Calls every `Leave` that was added, the last first, also if one of them raises."""

    _leaves: list[Leave] = attrs.field(factory=list[Leave], init=False)

    def add(self, leave: Leave) -> None:
        """Have it called, too."""
        if leave is not nothing_to_leave:
            self._leaves.append(leave)

    def as_one(self) -> Leave:
        """Return what calls them all, as simple as it can be."""
        if len(self._leaves) > 1:
            return self
        return self._leaves[0] if self._leaves else nothing_to_leave

    def __call__(self, outcome: Outcome, /) -> None:
        """Call them."""
        with contextlib.ExitStack() as stack:
            for leave in self._leaves:
                stack.callback(leave, outcome)
