"""The way of a client from accept to handler: rules that judge it, and layers that talk to it."""

from abc import abstractmethod
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Protocol,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

import attrs

from acceptor.core.asking import enter, explain, parts
from acceptor.core.errors import AcceptorError, is_ctrl_c
from acceptor.core.events import RefusalReason
from acceptor.core.framing import Framed
from acceptor.core.interfaces import AccessPolicy, Leave
from acceptor.core.lazily import LazyModule
from acceptor.core.limits import Close, Refusal
from acceptor.core.values import frozen

if TYPE_CHECKING:
    from acceptor.core import access as _access
else:
    _access = LazyModule("acceptor.core.access")

P = TypeVar("P")


class DeniedError(AcceptorError):
    """A client may not come in: why, and `how` it is turned away."""

    def __init__(
        self, how: Refusal, detail: str, reason: RefusalReason = RefusalReason.DENIED
    ) -> None:
        super().__init__(detail)
        self.how: Final = how
        self.detail: Final = detail
        self.reason: Final = reason


@frozen
class Rule(Generic[P]):
    """A policy at its place on the way, and what becomes of whom it denies."""

    policy: AccessPolicy[P]
    refusal: Refusal = attrs.field(factory=Close)
    judges_tls: bool = False
    """Whether it judges `Secured`, and not the peer alone."""

    def admit(self, subject: P) -> Leave:
        """Let a client in; return what is to be called when it has gone.

        Raises:
            DeniedError: It may not come in, or the policy raised.
        """
        try:
            leave = enter(self.policy, subject)
        except BaseException as error:
            if is_ctrl_c(error):
                raise
            reason = RefusalReason.POLICY_FAILED
            raise DeniedError(self.refusal, repr(self.policy), reason) from error
        if leave is None:
            raise DeniedError(self.refusal, self._reason(subject))
        return leave

    def _reason(self, subject: P) -> str:
        # Only ready-made policies, which say why without being asked again: a function may count.
        if all(_explains_itself(part) for part in parts(self.policy)):
            return explain(self.policy, subject)
        return repr(self.policy)

    def __str__(self) -> str:
        return repr(self.policy) if self.refusal == Close() else f"{self.policy!r}, {self.refusal}"


def _explains_itself(policy: object) -> bool:
    return getattr(type(policy), "explain", _access.Policy.explain) is not _access.Policy.explain


@runtime_checkable
class Reloadable(Protocol):
    """A step, or a policy, that was read from files."""

    @abstractmethod
    def reload(self) -> None:
        """Read the files again, for clients that come from now on.

        Raises:
            ConfigurationError: One is not what it should be; then all stays as it was.
        """


@runtime_checkable
class Layer(Protocol):
    """A step that has to read from the client; so it, and all behind it, runs in the worker."""

    @abstractmethod
    def negotiate(self, connection: Any, /) -> None:
        """Take the connection a step further, within its deadline.

        Raises:
            HandshakeError: The client did not get through.
        """


Step: TypeAlias = Rule[Any] | Layer | Framed
