"""What a PROXY header of version 2 says beside the addresses: its TLVs (type, length, value).

Source: haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.2.
"""

import enum
from collections.abc import Iterator
from typing import Final, Self

from acceptor.core.errors import ConfigurationError
from acceptor.core.values import frozen

_HEAD: Final = 3  # bytes before each value: its type, and its length in two
_TLS_HEAD: Final = 5  # bytes before the TLVs inside the TLS one: flags, and the result in four
_LONGEST_UNIQUE_ID: Final = 128  # bytes
_SHOWN: Final = 16  # bytes of a malformed text that its error quotes


class TlvType(enum.IntEnum):
    """The types that the specification gives a meaning."""

    ALPN = 0x01
    AUTHORITY = 0x02
    CRC32C = 0x03
    NOOP = 0x04
    UNIQUE_ID = 0x05
    TLS = 0x20
    TLS_VERSION = 0x21
    TLS_COMMON_NAME = 0x22
    TLS_CIPHER = 0x23
    TLS_SIGNATURE_ALGORITHM = 0x24
    TLS_KEY_ALGORITHM = 0x25
    NETNS = 0x30


class _TlsFlag(enum.IntFlag):
    TLS = 0x01
    CERTIFICATE_ON_CONNECTION = 0x02
    CERTIFICATE_IN_SESSION = 0x04


@frozen
class Tlv:
    """One fact in a PROXY header, as it came; what `type` means says `TlvType`, or the proxy."""

    type: int
    value: bytes


@frozen(kw_only=True)
class ProxyTls:
    """What a proxy tells of the client's TLS connection, which ends at that proxy.

    A text is None if it was not told. The two algorithms are those of the proxy's certificate,
    the common name is the client's.
    """

    verified: bool  # the client gave a certificate, and the proxy found it good
    certificate_on_connection: bool
    certificate_in_session: bool  # on this connection, or on one whose session it resumes
    version: str | None = None
    common_name: str | None = None
    cipher: str | None = None
    signature_algorithm: str | None = None
    key_algorithm: str | None = None
    tlvs: tuple[Tlv, ...] = ()  # all that was told, also what has no name here

    @classmethod
    def of(cls, value: bytes) -> Self | None:
        """Read the value of a TLS TLV; None if it says that the client did not speak TLS.

        Raises:
            ConfigurationError: It is malformed.
        """
        if len(value) < _TLS_HEAD:
            raise ConfigurationError(f"TLV 0x20 needs {_TLS_HEAD} bytes or more, got {value!r}")
        flags = _TlsFlag(value[0])
        good = not any(value[1:_TLS_HEAD])
        on_connection = _TlsFlag.CERTIFICATE_ON_CONNECTION in flags
        in_session = _TlsFlag.CERTIFICATE_IN_SESSION in flags
        tlvs = parse_tlvs(value, _TLS_HEAD)
        told = cls(
            # OpenSSL has no fault to find with no certificate, and proxies pass that on.
            # Source: SSL_get_verify_result(3), "Bugs".
            verified=good and (on_connection or in_session),
            certificate_on_connection=on_connection,
            certificate_in_session=in_session,
            version=text_of(tlvs, TlvType.TLS_VERSION),
            common_name=text_of(tlvs, TlvType.TLS_COMMON_NAME, "utf-8"),
            cipher=text_of(tlvs, TlvType.TLS_CIPHER),
            signature_algorithm=text_of(tlvs, TlvType.TLS_SIGNATURE_ALGORITHM),
            key_algorithm=text_of(tlvs, TlvType.TLS_KEY_ALGORITHM),
            tlvs=tlvs,
        )
        return told if _TlsFlag.TLS in flags else None


def locate_tlvs(block: bytes, start: int = 0) -> Iterator[tuple[int, Tlv]]:
    """Yield each TLV from `start` on, with the offset of its value in the block.

    Raises:
        ConfigurationError: One is longer than what is left of the block.
    """
    while start < len(block):
        begin = start + _HEAD
        end = begin + int.from_bytes(block[start + 1 : begin], "big")
        if end > len(block):
            raise ConfigurationError(
                f"TLV 0x{block[start]:02x} ends {end - len(block)} bytes behind the block"
            )
        yield begin, Tlv(block[start], block[begin:end])
        start = end


def parse_tlvs(block: bytes, start: int = 0) -> tuple[Tlv, ...]:
    """Return the TLVs of a block from `start` on, without those that are padding.

    Raises:
        ConfigurationError: One is longer than what is left of the block.
    """
    return tuple(tlv for _, tlv in locate_tlvs(block, start) if tlv.type != TlvType.NOOP)


def value_of(tlvs: tuple[Tlv, ...], wanted: TlvType) -> bytes | None:
    """Return what the first TLV of a type says, None if there is none."""
    return next((tlv.value for tlv in tlvs if tlv.type == wanted), None)


def text_of(tlvs: tuple[Tlv, ...], wanted: TlvType, encoding: str = "ascii") -> str | None:
    """Return what the first TLV of a type says, as text.

    Raises:
        ConfigurationError: It is no text: two readers could take it for different names.
    """
    value = value_of(tlvs, wanted)
    try:
        return None if value is None else value.decode(encoding)
    except UnicodeDecodeError as error:
        shown = error.object[error.start : error.start + _SHOWN]
        raise ConfigurationError(
            f"TLV 0x{wanted:02x} is not {encoding} from {shown!r} on"
        ) from error


def unique_id_of(tlvs: tuple[Tlv, ...]) -> bytes | None:
    """Return the proxy's own name for the connection.

    Raises:
        ConfigurationError: It is longer than the specification allows.
    """
    value = value_of(tlvs, TlvType.UNIQUE_ID)
    if value is not None and len(value) > _LONGEST_UNIQUE_ID:
        raise ConfigurationError(f"TLV 0x05 may have {_LONGEST_UNIQUE_ID} bytes, got {len(value)}")
    return value
