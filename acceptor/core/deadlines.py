"""A point in time that several waits share, on the clock that never jumps."""

import math
import threading
import time
from typing import Final

import attrs

from acceptor.core.errors import ConfigurationError

# What a lock can wait for; nobody will see the difference between that and for ever.
_LONGEST: Final = threading.TIMEOUT_MAX / 2


@attrs.frozen
class Deadline:
    """The moment by which something must have ended; many waits can share one."""

    at: float  # seconds, on time.monotonic()

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline":
        """Return the deadline so many seconds from now; None means never."""
        if seconds is None or seconds > _LONGEST:
            return cls(math.inf)
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float | None:
        """Return the seconds left, never below zero; None if there is no end."""
        return None if math.isinf(self.at) else max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether the moment has come."""
        return time.monotonic() >= self.at

    def sooner(self, other: "Deadline") -> "Deadline":
        """Return whichever of the two comes first."""
        return min(self, other, key=lambda deadline: deadline.at)


def check_timeout(name: str, seconds: float | None) -> None:
    """Refuse a time that cannot be waited for.

    Raises:
        ConfigurationError: It is negative or not a number; None (no limit) is fine.
    """
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise ConfigurationError(
            f"{name} must be seconds, 0 or more, or None for no limit, got {seconds!r}"
        )
