"""A point in time that several waits share, on the clock that never jumps."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from acceptor.core.errors import ConfigurationError
from acceptor.core.values import frozen

# What a lock can wait for; nobody will see the difference between that and for ever.
_LONGEST: Final = threading.TIMEOUT_MAX / 2

Clock: TypeAlias = Callable[[], float]
"""Returns seconds that never run backwards; `time.monotonic`, unless a test has its own."""


@frozen
class Deadline:
    """The moment by which something must have ended; many waits can share one."""

    at: float  # seconds, on the clock
    _clock: Clock = attrs.field(default=time.monotonic, repr=False, eq=False)

    @classmethod
    def after(cls, seconds: float | None, clock: Clock = time.monotonic) -> "Deadline":
        """Return the deadline so many seconds from now; None means never."""
        if seconds is None or seconds > _LONGEST:
            return cls(math.inf, clock)
        return cls(clock() + seconds, clock)

    def remaining(self) -> float | None:
        """Return the seconds left, never below zero; None if there is no end."""
        return None if math.isinf(self.at) else max(0.0, self.at - self._clock())

    @property
    def passed(self) -> bool:
        """Whether the moment has come."""
        return self._clock() >= self.at

    def sooner(self, other: "Deadline") -> "Deadline":
        """Return whichever of the two comes first; both by the same clock."""
        return min(self, other, key=lambda deadline: deadline.at)

    def at_most(self, seconds: float) -> float:
        """Return the seconds left, but not more than these."""
        left = self.remaining()
        return seconds if left is None else min(left, seconds)


def check_timeout(name: str, seconds: object) -> None:
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


def _check(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    check_timeout(attribute.name, value)


@frozen(kw_only=True)
class Timeouts:
    """How long a server waits for a client, and for itself; in seconds, None is no limit.

    All but `drain` are about connections; a datagram has come when it comes. A client that
    exceeds one of the first five has its request ended as "timed out".
    """

    handshake: float | None = attrs.field(default=10.0, validator=_check)
    """Until the transport's handshake is done. Ranch gives 5 s, AnyIO 30 s."""
    first_data: float | None = attrs.field(default=30.0, validator=_check)
    """Until a read has got the first byte; nginx's `preread_timeout` is the same."""
    idle: float | None = attrs.field(default=300.0, validator=_check)
    """Until a later read has got anything. Longer than HTTP servers have it (nginx 75 s), because
    devices and people at terminals are quiet for minutes."""
    write: float | None = attrs.field(default=60.0, validator=_check)
    """Until a write has got rid of anything; nginx's `send_timeout` is the same."""
    connection: float | None = attrs.field(default=86_400.0, validator=_check)
    """From accept to close, however lively it is: a day, so that nothing stays for ever."""
    drain: float | None = attrs.field(default=8.0, validator=_check)
    """What running requests have when the server ends; `docker stop` kills after 10 s."""
    calm: float = attrs.field(init=False, eq=False, repr=False)
    """Seconds from accept for which no wait can come near to the end of `connection`."""

    def __attrs_post_init__(self) -> None:
        waits = (self.first_data, self.idle, self.write)
        longest = max(math.inf if wait is None else wait for wait in waits)
        calm = math.inf if self.connection is None else max(0.0, self.connection - longest)
        object.__setattr__(self, "calm", calm)
