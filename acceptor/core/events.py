"""What a server has to tell: one frozen record per fact, handed to observers."""

import enum
from collections.abc import Callable
from typing import TypeAlias

from acceptor.core.values import frozen


class Outcome(enum.Enum):
    """How an accepted request ended."""

    FINISHED = "finished"
    FAILED = "handler failed"
    CLIENT_LEFT = "client left"
    TIMED_OUT = "timed out"
    HANDSHAKE_FAILED = "handshake failed"
    DENIED = "denied by an access policy"
    BAD_MESSAGE = "sent what is no message"
    CUT = "cut"
    LOST = "worker lost"


class RequestState(enum.Enum):
    """How far an accepted request has come."""

    WAITING = "waits for a worker"
    HANDSHAKE = "in its handshake"
    HANDLING = "in its handler"
    RESTING = "between two messages"
    CLOSING = "being closed"


class HandshakeFailure(enum.Enum):
    """Why a client did not get through a handshake."""

    TIMEOUT = "timeout"
    CLIENT_LEFT = "the client left"
    NOT_TLS = "not TLS"
    NO_SHARED_VERSION = "no shared version"
    BAD_CERTIFICATE = "bad client certificate"
    PLAIN_TEXT = "plain text before TLS"
    REJECTED = "the client rejected our certificate or offer"
    BAD_PROXY_HEADER = "no valid PROXY header"
    OTHER = "protocol error"


class MessageFault(enum.Enum):
    """What is wrong with what a client has sent."""

    TOO_LONG = "too long"
    MALFORMED = "malformed"
    INCOMPLETE = "the stream ended within it"


class StopCause(enum.Enum):
    """Why a server was closed."""

    DRAIN = "drain() was called"
    STOP = "stop() was called"
    SIGNAL = "the program got a signal"
    BLOCK_ENDED = "its with block ended"
    BLOCK_RAISED = "its with block raised"
    BROKEN = "its listener or strategy broke"
    EXIT = "the interpreter exits"


class RefusalReason(enum.Enum):
    """Why a client was turned away."""

    DENIED = "denied by the access policy"
    POLICY_FAILED = "the access policy failed"
    FULL = "no slot is free"
    PEER_FULL = "too many from this peer"


@frozen(kw_only=True)
class DrainReport:
    """How a drain or a stop ended.

    The two counts are those of the `Closed` events since the drain began: one that is told while
    the port is being closed, right before `Draining`, is among them. A request that no means of
    ours could end is among those that were cut, and its event comes when it ends.
    """

    finished: int  # requests that ended by themselves after the drain began, however they ended
    cut: int  # requests that were still running at the deadline
    refused: int  # clients that were turned away after the drain began
    left_in_backlog: int | None  # clients that were never taken; None where the system won't say
    elapsed: float  # seconds, from the call to the report
    cause: StopCause


@frozen(kw_only=True)
class Listening:
    """The endpoint is bound; clients may connect from here on."""

    address: object


@frozen(kw_only=True)
class Accepted:
    """A client was taken and allowed in; `id` counts them, from 1."""

    id: int
    peer: object


@frozen(kw_only=True)
class Refused:
    """A client was taken and turned away; `error` is what the policy raised, if it did.

    Most are turned away before they are accepted, and have no `id`. One that a policy behind a
    handshake denies is accepted by then; its `Closed` follows, with the outcome DENIED. Under the
    fork strategy this is told in the child.
    """

    peer: object
    reason: RefusalReason
    detail: str = ""  # which rule it was, or which limit
    error: BaseException | None = None
    id: int | None = None


@frozen(kw_only=True)
class Started:
    """A worker has begun with the request; under the fork strategy, its child was forked."""

    id: int
    peer: object


@frozen(kw_only=True)
class HandshakeFailed:
    """A client did not get through the transport's handshake."""

    id: int
    peer: object
    reason: HandshakeFailure
    error: Exception


@frozen(kw_only=True)
class HandlerFailed:
    """The handler raised; under the fork strategy this is told in the child."""

    id: int
    peer: object
    error: BaseException


@frozen(kw_only=True)
class Closed:
    """An accepted request has ended; told once for each, in the server's own process."""

    id: int
    peer: object
    outcome: Outcome
    elapsed: float  # seconds, from accept to close
    received: int  # bytes that the handler read
    sent: int  # bytes that the system took from the handler


@frozen(kw_only=True)
class MessageServed:
    """One message of a connection was served; `id` is the connection's.

    Datagrams, which have none, are requests of their own.
    """

    id: int
    peer: object
    outcome: Outcome  # FINISHED, FAILED or DENIED
    elapsed: float  # seconds in policies and handler
    received: int  # bytes of payload
    sent: int  # bytes that the system took meanwhile


@frozen(kw_only=True)
class MessageRefused:
    """A client has sent what is no message; its `Closed` follows, with BAD_MESSAGE.

    Not so if it was incomplete: then the client has ended the connection by itself.
    """

    id: int
    peer: object
    fault: MessageFault
    detail: str


@frozen(kw_only=True)
class Reloaded:
    """Certificates or lists of networks were read from their files again."""

    what: tuple[str, ...]  # in words


@frozen(kw_only=True)
class ReloadFailed:
    """A file could not be used; what was read before stays in use."""

    error: Exception


@frozen(kw_only=True)
class AcceptPaused:
    """No client is taken for now, or no message handed to a child; once per spell.

    `cause` is what the machine is out of (descriptors, threads, …); None if `pause` was called.
    """

    cause: OSError | None
    delay: float | None  # seconds until the next attempt; None until `resume` is called


@frozen(kw_only=True)
class AcceptResumed:
    """The spell that `AcceptPaused` told of is over."""

    cause: OSError | None  # as told then
    attempts: int  # how often it was tried in vain
    elapsed: float  # seconds


@frozen(kw_only=True)
class Full:
    """The last slot is taken, or a client came when it was; once per spell."""

    limit: int
    active: int  # requests that hold a slot


@frozen(kw_only=True)
class RoomAgain:
    """The spell that `Full` told of is over: there has been room for half a second."""

    elapsed: float  # seconds, until there was room
    refused: int  # clients that were turned away meanwhile


@frozen(kw_only=True)
class Draining:
    """A drain has begun: running requests have until the timeout.

    The port is closed, or will be after `lame_duck` seconds.
    """

    running: int
    timeout: float | None  # seconds
    lame_duck: float = 0.0  # seconds


@frozen(kw_only=True)
class Stopped:
    """The server has closed; the last event of each server."""

    report: DrainReport


Event: TypeAlias = (
    Listening
    | Accepted
    | Refused
    | Started
    | HandshakeFailed
    | HandlerFailed
    | MessageServed
    | MessageRefused
    | Closed
    | AcceptPaused
    | AcceptResumed
    | Full
    | RoomAgain
    | Draining
    | Stopped
    | Reloaded
    | ReloadFailed
)

Observer: TypeAlias = Callable[[Event], object]
"""Is called with each event, in whatever thread it happened; should return soon."""


@frozen(kw_only=True)
class LiveRequest:
    """An accepted request that has not ended, as it was when asked for."""

    id: int  # as in its events
    peer: object
    age: float  # seconds since it was accepted
    state: RequestState
    received: int  # bytes that the handler has read
    sent: int  # bytes that the system has taken from it
    worker: int | None  # identity of the thread that serves it, or pid of the child


@frozen(kw_only=True)
class Stats:
    """A consistent snapshot of a server's counters; all but `active` and `backlog` only grow."""

    accepted: int = 0  # clients taken and allowed in
    refused: int = 0  # clients taken and turned away
    active: int = 0  # requests that hold a slot now
    backlog: int | None = None  # clients that wait to be taken now; None where it is not known
    finished: int = 0
    failed: int = 0
    client_left: int = 0
    timed_out: int = 0
    handshake_failed: int = 0
    denied: int = 0  # by a policy that stands behind a handshake
    bad_message: int = 0
    cut: int = 0
    messages: int = 0  # of framed connections; a datagram is a request of its own
    lost: int = 0  # their worker was killed before it could say how they ended
