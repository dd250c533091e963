"""What the tests of framings share: framings of their own, and a connection without a socket."""

import types
from collections.abc import Iterable
from typing import Any

import attrs

from acceptor import Framing, FramingError, MessageFault
from acceptor.transports.cutting import cutter_of
from acceptor.transports.held import HeldConnection
from acceptor.transports.holding import DEFAULT_SIZE


@attrs.frozen
class OnlyCuts(Framing):
    """Any framing, without the ways of its own to cut all at once."""

    framing: Framing

    @property
    def max_size(self) -> int:
        """As it has it."""
        size: int = getattr(self.framing, "max_size", DEFAULT_SIZE)
        return size

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        """As it does."""
        return self.framing.cut(data, seen)

    def wrap(self, payload: bytes, /) -> bytes:
        """As it does."""
        return self.framing.wrap(payload)


@attrs.frozen
class Netstrings(Framing):
    """Length in digits, colon, payload, comma; says nothing of how long a message may be."""

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        """Cut one."""
        digits, colon, _ = bytes(data[:8]).partition(b":")
        if digits and not digits.isdigit():
            raise FramingError(f"no number: {digits!r}")
        if not colon:
            if len(data) >= 8:
                raise FramingError("a number of 8 digits", MessageFault.TOO_LONG)
            return None
        if not digits:
            raise FramingError("no number")
        start = len(digits) + 1
        end = start + int(digits)
        if len(data) <= end:
            return None
        if data[end : end + 1] != b",":
            raise FramingError("no comma")
        return bytes(data[start:end]), end + 1

    def wrap(self, payload: bytes, /) -> bytes:
        """Put both around it."""
        return b"%d:%b," % (len(payload), payload)


@attrs.define
class Fed:
    """What became of a stream."""

    messages: list[bytes] = attrs.field(factory=list[bytes])
    fault: str = ""
    """The type of what was raised, and what it says is wrong."""
    taken: int = 0  # bytes, up to the fault
    most: int = 0  # bytes that were kept after a piece


def connection_of(framing: Framing) -> HeldConnection:
    """Make a connection that is good for nothing but cutting."""
    nobody: Any = types.SimpleNamespace(
        sock=types.SimpleNamespace(fileno=lambda: -1), peer=None, clock=lambda: 0.0
    )
    connection = HeldConnection.new(nobody, nobody, 1)
    holder: Any = types.SimpleNamespace(
        framing=framing,
        cut_all=cutter_of(framing),
        max_size=getattr(framing, "max_size", DEFAULT_SIZE),
    )
    connection.holder = holder
    return connection


def feed(framing: Framing, pieces: Iterable[bytes]) -> Fed:
    """Have a connection cut what comes in these pieces, up to the first that is wrong."""
    connection, fed = connection_of(framing), Fed()
    for piece in pieces:
        fed.messages += connection.cut_messages(piece)
        fed.taken += len(piece)
        fed.most = max(fed.most, len(connection.pending or b""))
        fault: Any = connection.fault
        if fault is not None:
            fed.fault = f"{type(fault).__name__} {getattr(fault, 'fault', '')}"
            assert connection.pending is None, "what is refused is not kept"
            break
    return fed


def pieces_of(stream: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut a stream at these places; none of the pieces is empty."""
    inner = {place for place in places if 0 < place < len(stream)}
    ends = [*sorted(inner), len(stream)]
    starts = [0, *ends[:-1]]
    return [stream[a:b] for a, b in zip(starts, ends, strict=True) if a < b]


def singly(stream: bytes) -> list[bytes]:
    """Cut a stream into its bytes."""
    return [stream[place : place + 1] for place in range(len(stream))]
