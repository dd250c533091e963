"""How a stream is cut into messages: the contract, and the step that does it."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from acceptor.core.errors import AcceptorError, ConfigurationError
from acceptor.core.events import MessageFault
from acceptor.core.limits import Close, Refusal, Reply, Reset

DEFAULT_OUTPUT: Final = 2**16  # bytes


class FramingError(AcceptorError):
    """What a client has sent is no message; raised by `Framing.cut`."""

    def __init__(self, detail: str, fault: MessageFault = MessageFault.MALFORMED) -> None:
        super().__init__(detail)
        self.fault = fault


@runtime_checkable
class Framing(Protocol):
    """How messages are told apart in a stream: a recipe without memory, shared by connections.

    One with a `max_size` (bytes that a message may take, framing included) says with it how much
    may be waiting for the rest of a message; others have 1 MiB.
    """

    __slots__ = ()

    @abstractmethod
    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        """Cut the first message off: return its payload, and how many bytes of `data` it takes.

        Returns None if it is not all there; then it is asked again when there is more. `seen` is
        how many bytes were there the last time it said so: nothing new is to be found in them.
        `data` must not be kept.

        Raises:
            FramingError: What is there can never become a message; say so as early as possible.
        """

    @abstractmethod
    def wrap(self, payload: bytes, /) -> bytes:
        """Return the bytes to send for a message.

        Raises:
            ValueError: The payload cannot be sent in this framing.
        """


def _check_refusal(instance: object, attribute: object, refusal: object) -> None:
    if not isinstance(refusal, Close | Reply | Reset):
        raise ConfigurationError(
            f"refusal must be Close(), Reply(bytes) or Reset(), got {refusal!r}"
        )


def _check_size(instance: object, attribute: "attrs.Attribute[Any]", size: object) -> None:
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigurationError(f"{attribute.name} must be bytes, 1 or more, got {size!r}")


@attrs.frozen(repr=False)
class Framed:
    """The step that cuts a stream into messages.

    What a connection may keep in memory is bounded: what one read brings (64 KiB), a message that
    is not complete yet (the framing's `max_size`), and `max_output`, beyond by one reply at most.
    """

    framing: Framing
    session: Callable[[], Any] | None = None
    refusal: Refusal = attrs.field(factory=Close, validator=_check_refusal)
    """What becomes of a client that has sent what is no message, after all before it was served."""
    max_output: int = attrs.field(default=DEFAULT_OUTPUT, validator=_check_size)
    """Bytes of replies that may wait for a client to read. With more, a worker's `reply` waits, for
    `Timeouts.write`; in the accept thread, or elsewhere, it is not accepted. Nothing is read from
    the client meanwhile. asyncio stops its writers at the same size."""

    def __repr__(self) -> str:
        chosen = "".join(
            f", {name}={value!r}"
            for name, value, default in (
                ("session", getattr(self.session, "__qualname__", self.session), None),
                ("refusal", self.refusal, Close()),
                ("max_output", self.max_output, DEFAULT_OUTPUT),
            )
            if value != default
        )
        return f"framed({self.framing!r}{chosen})"
