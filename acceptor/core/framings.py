"""Ready-made framings: how a stream is cut into messages."""

from typing import Any, Final, Literal

import attrs

from acceptor.core.errors import ConfigurationError
from acceptor.core.events import MessageFault
from acceptor.core.framing import Framing, FramingError

# Long enough for a line of any text protocol (SMTP 1,000, HTTP servers 8 to 16 KiB), and no burden
# even if thousands of clients have one half sent.
DEFAULT_LENGTH: Final = 2**16  # bytes

_CR: Final = b"\r"


def _check_length(instance: object, attribute: "attrs.Attribute[Any]", length: object) -> None:
    if isinstance(length, bool) or not isinstance(length, int) or length < 1:
        raise ConfigurationError(
            f"{attribute.name} must be a number of bytes, 1 or more, got {length!r}"
        )


def _check_separator(instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, bytes) or not value:
        raise ConfigurationError(f"{attribute.name} must be bytes, one or more, got {value!r}")


@attrs.frozen
class Delimited(Framing):
    """Messages that each end with a separator; make it with `delimited` or `lines`."""

    separator: bytes = attrs.field(validator=_check_separator)
    max_length: int = attrs.field(default=DEFAULT_LENGTH, validator=_check_length)
    """Bytes of payload."""
    ending: bytes = attrs.field(default=b"", validator=attrs.validators.instance_of(bytes))
    """What is sent behind each reply."""
    drops_cr: bool = False
    """Whether a CR before the separator belongs to it."""

    @property
    def max_size(self) -> int:
        """Bytes that a message may take."""
        return self.max_length + len(self.separator) + self.drops_cr

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        """Look for the separator, in what is new."""
        separator = self.separator
        end = data.find(separator, max(0, seen - len(separator) + 1))
        if end < 0:
            if len(data) >= self.max_size:
                raise self._too_long()
            return None
        payload = bytes(data[:end])
        if self.drops_cr and payload.endswith(_CR):
            payload = payload[:-1]
        if len(payload) > self.max_length:
            raise self._too_long()
        return payload, end + len(separator)

    def _too_long(self) -> FramingError:
        text = f"more than {self.max_length} bytes without {self.separator!r}"
        return FramingError(text, MessageFault.TOO_LONG)

    def cut_all(self, data: bytes, /) -> list[bytes]:
        """Cut all messages at once; the last of the list is what is left of the data.

        That begins with the first message that is too long, if there is one.
        """
        parts = data.split(self.separator)
        if self.drops_cr and _CR in data:
            rest = parts.pop()
            parts = [part[:-1] if part[-1:] == _CR else part for part in parts]
            parts.append(rest)
        if len(data) > self.max_length:
            return self._up_to_the_longest(data, parts)
        return parts

    def _up_to_the_longest(self, data: bytes, parts: list[bytes]) -> list[bytes]:
        start = 0
        for place, part in enumerate(parts[:-1]):
            if len(part) > self.max_length:
                return [*parts[:place], data[start:]]
            start = data.find(self.separator, start) + len(self.separator)
        return parts

    def wrap(self, payload: bytes, /) -> bytes:
        """Add the ending. Whether the payload has a separator in it is the handler's concern."""
        return payload + self.ending

    def __repr__(self) -> str:
        if self.drops_cr:
            return f"lines(max_length={self.max_length}, ending={self.ending!r})"
        return f"delimited({self.separator!r}, max_length={self.max_length})"


def lines(max_length: int = DEFAULT_LENGTH, ending: bytes = b"\n") -> Delimited:
    """Cut at each LF; a CR before it belongs to the ending, so both kinds of clients are fine.

    Payloads are without it, at most `max_length` bytes; replies get `ending`. A last line without
    an ending is no message: nobody knows whether it was all.

    Raises:
        ConfigurationError: A value cannot work; it says which.
    """
    if ending not in (b"\n", b"\r\n"):
        raise ConfigurationError(
            f"ending must be b'\\n' or b'\\r\\n', got {ending!r}; use delimited for others"
        )
    return Delimited(b"\n", max_length, ending, drops_cr=True)


def delimited(separator: bytes, max_length: int = DEFAULT_LENGTH) -> Delimited:
    """Cut at each separator, which is in no payload; it is put behind each reply as well.

    Raises:
        ConfigurationError: A value cannot work; it says which.
    """
    return Delimited(separator, max_length, separator)


_BYTE_ORDERS: Final = ("big", "little")


@attrs.frozen
class LengthPrefixed(Framing):
    """Messages that begin with their length; make it with `length_prefixed`."""

    size: int
    byteorder: Literal["big", "little"]
    max_length: int
    includes_header: bool

    @property
    def max_size(self) -> int:
        """Bytes that a message may take."""
        return self.size + self.max_length

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        """Read the length, and then wait for so many bytes."""
        size = self.size
        if len(data) < size:
            return None
        length = int.from_bytes(data[:size], self.byteorder)
        end = length if self.includes_header else length + size
        if end < size:
            raise FramingError(f"a length of {length} that cannot include its own {size} bytes")
        if end - size > self.max_length:
            text = f"{end - size} bytes announced, {self.max_length} allowed"
            raise FramingError(text, MessageFault.TOO_LONG)
        return None if len(data) < end else (bytes(data[size:end]), end)

    def cut_all(self, data: bytes, /) -> list[bytes]:
        """Cut all messages at once; the last of the list is what is left of the data."""
        size, more = self.size, 0 if self.includes_header else self.size
        parts: list[bytes] = []
        start = 0
        while start + size <= len(data):
            end = start + more + int.from_bytes(data[start : start + size], self.byteorder)
            if not start + size <= end <= min(len(data), start + size + self.max_length):
                break  # it is not all there; or wrong, as `cut` will say
            parts.append(data[start + size : end])
            start = end
        parts.append(data[start:])
        return parts

    def wrap(self, payload: bytes, /) -> bytes:
        """Put the length before it.

        Raises:
            ValueError: It is longer than the length can say.
        """
        length = len(payload) + self.size * self.includes_header
        try:
            return length.to_bytes(self.size, self.byteorder) + payload
        except OverflowError:
            raise ValueError(
                f"{len(payload)} bytes are more than a length of {self.size} bytes can say"
            ) from None

    def __repr__(self) -> str:
        return (
            f"length_prefixed({self.size}, byteorder={self.byteorder!r}, "
            f"max_length={self.max_length}, includes_header={self.includes_header})"
        )


def length_prefixed(
    size: int = 4,
    byteorder: Literal["big", "little"] = "big",
    max_length: int = 2**20,
    includes_header: bool = False,
) -> LengthPrefixed:
    """Read a length, an unsigned number of `size` bytes, and then so many bytes.

    A payload has at most `max_length` of them. `includes_header` says that the length counts its
    own bytes, too.

    Raises:
        ConfigurationError: A value cannot work; it says which.
    """
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 8:
        raise ConfigurationError(f"size must be a number of bytes, 1 to 8, got {size!r}")
    if byteorder not in _BYTE_ORDERS:
        raise ConfigurationError(f"byteorder must be 'big' or 'little', got {byteorder!r}")
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 0:
        raise ConfigurationError(f"max_length must be bytes, 0 or more, got {max_length!r}")
    return LengthPrefixed(size, byteorder, max_length, bool(includes_header))


@attrs.frozen
class Fixed(Framing):
    """Messages of one size; make it with `fixed`."""

    size: int = attrs.field(validator=_check_length)

    @property
    def max_size(self) -> int:
        """Bytes that a message takes."""
        return self.size

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        """Wait for so many bytes."""
        return (bytes(data[: self.size]), self.size) if len(data) >= self.size else None

    def cut_all(self, data: bytes, /) -> list[bytes]:
        """Cut all messages at once; the last of the list is what is left of the data."""
        whole = len(data) - len(data) % self.size
        parts = [data[start : start + self.size] for start in range(0, whole, self.size)]
        parts.append(data[whole:])
        return parts

    def wrap(self, payload: bytes, /) -> bytes:
        """Return it as it is.

        Raises:
            ValueError: It is of another size.
        """
        if len(payload) != self.size:
            raise ValueError(f"a message has {self.size} bytes here, this one {len(payload)}")
        return payload

    def __repr__(self) -> str:
        return f"fixed({self.size})"


def fixed(size: int) -> Fixed:
    """Cut after each `size` bytes.

    Raises:
        ConfigurationError: It is no number of bytes.
    """
    return Fixed(size)
