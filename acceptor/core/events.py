"""What a server has to tell: one frozen record per fact, handed to observers."""

import enum
from collections.abc import Callable
from typing import TypeAlias

import attrs


class Outcome(enum.Enum):
    """How an accepted request ended."""

    FINISHED = "finished"
    FAILED = "handler failed"
    CLIENT_LEFT = "client left"
    TIMED_OUT = "timed out"
    HANDSHAKE_FAILED = "handshake failed"
    CUT = "cut"
    LOST = "worker lost"


@attrs.frozen(kw_only=True)
class DrainReport:
    """How a drain or a stop ended."""

    finished: int  # requests that ended by themselves after the drain began
    cut: int  # requests that were still running at the deadline
    elapsed: float  # seconds, from the call to the report


@attrs.frozen(kw_only=True)
class Listening:
    """The endpoint is bound; clients may connect from here on."""

    address: object


@attrs.frozen(kw_only=True)
class Accepted:
    """A client was taken and allowed in."""

    peer: object


@attrs.frozen(kw_only=True)
class Refused:
    """An access policy denied a client; `error` is what the policy raised, if it did."""

    peer: object
    reason: str
    error: BaseException | None = None


@attrs.frozen(kw_only=True)
class HandshakeFailed:
    """A client did not get through the transport's handshake."""

    peer: object
    error: Exception


@attrs.frozen(kw_only=True)
class HandlerFailed:
    """The handler raised; under the fork strategy this is told in the child."""

    peer: object
    error: BaseException


@attrs.frozen(kw_only=True)
class Closed:
    """An accepted request has ended; told once for each, in the server's own process."""

    peer: object
    outcome: Outcome
    elapsed: float  # seconds, from accept to close


@attrs.frozen(kw_only=True)
class AcceptPaused:
    """The machine is out of something (descriptors, threads, …); once per spell."""

    cause: OSError
    delay: float  # seconds until the next attempt


@attrs.frozen(kw_only=True)
class AcceptResumed:
    """The spell that `AcceptPaused` told of is over."""

    attempts: int  # how often it was tried in vain
    elapsed: float  # seconds


@attrs.frozen(kw_only=True)
class Draining:
    """The port is closed and the running requests have until the timeout."""

    running: int
    timeout: float | None  # seconds


@attrs.frozen(kw_only=True)
class Stopped:
    """The server has closed; the last event of each server."""

    report: DrainReport


Event: TypeAlias = (
    Listening
    | Accepted
    | Refused
    | HandshakeFailed
    | HandlerFailed
    | Closed
    | AcceptPaused
    | AcceptResumed
    | Draining
    | Stopped
)

Observer: TypeAlias = Callable[[Event], object]
"""Is called with each event, in whatever thread it happened; should return soon."""


@attrs.frozen(kw_only=True)
class Stats:
    """A consistent snapshot of a server's counters; all but `active` only ever grow."""

    accepted: int = 0  # clients taken and allowed in
    refused: int = 0  # clients taken and denied by a policy
    active: int = 0  # requests that run now
    finished: int = 0
    failed: int = 0
    client_left: int = 0
    timed_out: int = 0
    handshake_failed: int = 0
    cut: int = 0
    lost: int = 0  # their worker was killed before it could say how they ended
