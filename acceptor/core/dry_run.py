"""To see what a policy would do before it does it."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from acceptor.core.access import Policy, PolicyLike, as_policy
from acceptor.core.asking import ALLOWED, enter, explain, nothing_to_leave
from acceptor.core.errors import is_ctrl_c
from acceptor.core.interfaces import AccessPolicy, Leave, RememberingPolicy
from acceptor.core.reporting import LOGGER

P = TypeVar("P")


@attrs.define(eq=False, repr=False, init=False)
class DryRun(Policy[P], RememberingPolicy[P], Generic[P]):
    """Allows everybody, and tells whom the policy would have refused: a failure refuses, too.

    Each is counted, logged at info, and given to `on_refusal` with the explanation, in the thread
    that asks. The policy itself counts, takes tokens and hears of ends as if it were in force. The
    count belongs to this object, and is shared by all servers that use it.
    """

    policy: AccessPolicy[P]
    _on_refusal: Callable[[P, str], object] | None
    would_have_refused: int
    """How many clients the policy has refused so far."""
    _lock: threading.Lock

    def __init__(
        self, policy: PolicyLike[P], on_refusal: Callable[[P, str], object] | None = None
    ) -> None:
        self.policy = as_policy(policy)
        self._on_refusal = on_refusal
        self.would_have_refused = 0
        self._lock = threading.Lock()  # of the count

    def allows(self, peer: P, /) -> bool:
        """Say yes; only `enter` asks the policy."""
        return True

    def enter(self, peer: P, /) -> Leave | None:
        """Ask the policy, and let the peer in whatever it says."""
        try:
            leave = enter(self.policy, peer)
            if leave is not None:
                return leave
            explanation = explain(self.policy, peer)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            explanation = f"failed: {self.policy!r} raised {error!r}"
        self._tell(peer, explanation)
        return nothing_to_leave

    def _tell(self, peer: P, explanation: str) -> None:
        with self._lock:
            self.would_have_refused += 1
        LOGGER.info("dry run: would have refused %s (%s)", peer, explanation)
        if self._on_refusal is not None:
            try:
                self._on_refusal(peer, explanation)
            except Exception as error:
                LOGGER.error("%r failed, told of a dry run", self._on_refusal, exc_info=error)

    def explain(self, peer: P, /) -> str:
        """Say what the policy would have said."""
        return f"{ALLOWED}only a dry run; {explain(self.policy, peer)}"

    def __repr__(self) -> str:
        return f"DryRun({self.policy!r})"
