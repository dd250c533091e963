"""Policies that a test wants and nobody else."""

import attrs

from acceptor.core.access import Policy


def _broken() -> Exception:
    return RuntimeError("this policy always fails")


@attrs.frozen
class RaisingPolicy(Policy[object]):
    """Raises whenever it is asked; so nobody comes in."""

    error: Exception = attrs.field(factory=_broken)

    def allows(self, peer: object, /) -> bool:
        """Raise."""
        raise self.error
