"""PROXY headers for tests: an encoder, and a wire that a header comes in on."""

import ipaddress
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from acceptor import DeadlineError, IPv4Peer, IPv6Peer, Peer, UnixPeer
from acceptor.transports.crc32c import crc32c

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT: Final = IPv4Peer("192.0.2.1", 56324)
SERVER: Final = IPv4Peer("198.51.100.2", 443)
LOCAL, PROXY = 0x20, 0x21  # version and command of version 2
STREAM, DATAGRAM = 1, 2

TlvLike: TypeAlias = tuple[int, bytes]


def v1(source: Peer | None = CLIENT, destination: Peer | None = SERVER) -> bytes:
    """A header of version 1; UNKNOWN, if the source is None."""
    if source is None or destination is None:
        return b"PROXY UNKNOWN\r\n"
    family = "TCP4" if isinstance(source, IPv4Peer) else "TCP6"
    hosts = f"{source.host} {destination.host}"
    return f"PROXY {family} {hosts} {source.port} {destination.port}\r\n".encode()


def v2(
    source: Peer | None = CLIENT,
    destination: Peer | None = SERVER,
    *,
    tlvs: Iterable[TlvLike] = (),
    transport: int = STREAM,
    checksum: bool = False,
) -> bytes:
    """A header of version 2; UNSPEC, if the source is None."""
    block = b"".join(encoded_tlv(*tlv) for tlv in tlvs)
    if checksum:
        block += encoded_tlv(0x03, bytes(4))
    if source is None or destination is None:
        header = raw_v2(block, family=0x00)
    else:
        family, addresses = _addresses(source, destination)
        header = raw_v2(addresses + block, family=family << 4 | transport)
    return header[:-4] + struct.pack("!I", crc32c(header)) if checksum else header


def local(block: bytes = b"") -> bytes:
    """A header of version 2 with which a proxy speaks for itself."""
    return raw_v2(block, kind=LOCAL, family=0x00)


def raw_v2(block: bytes = b"", *, kind: int = PROXY, family: int = 0x11) -> bytes:
    """A header of version 2 as its parts are given, right or wrong."""
    return SIGNATURE + struct.pack("!BBH", kind, family, len(block)) + block


def encoded_tlv(type: int, value: bytes) -> bytes:
    return struct.pack("!BH", type, len(value)) + value


def tls_tlv(flags: int, verify: int = 0, tlvs: Iterable[TlvLike] = ()) -> TlvLike:
    """What a proxy tells of TLS: flags 1 TLS, 2 certificate on connection, 4 in session."""
    inner = b"".join(encoded_tlv(*tlv) for tlv in tlvs)
    return 0x20, struct.pack("!BI", flags, verify) + inner


def _addresses(source: Peer, destination: Peer) -> tuple[int, bytes]:
    if isinstance(source, UnixPeer) and isinstance(destination, UnixPeer):
        return 3, _unix(source.path) + _unix(destination.path)
    hosts = b"".join(ipaddress.ip_address(peer.host).packed for peer in (source, destination))
    ports = struct.pack("!HH", source.port, destination.port)
    return (2 if isinstance(source, IPv6Peer) else 1), hosts + ports


def _unix(path: str) -> bytes:
    name = "\0" + path[1:] if path.startswith("@") else path
    return name.encode("utf-8", "surrogateescape").ljust(108, b"\0")


class Wire:
    """A blocking socket on which the chunks arrive, each when all before it has been read.

    Then it ends, or, if it is `silent`, keeps its reader waiting: that is the deadline.
    """

    def __init__(self, *chunks: bytes, silent: bool = False) -> None:
        self._coming = [chunk for chunk in chunks if chunk]
        self._here = b""
        self._silent = silent
        self._peeked = False
        self.calls = 0

    def receive(self, count: int, flags: int = 0, /) -> bytes:
        assert count > 0
        assert flags in (0, socket.MSG_PEEK)
        self.calls += 1
        if not self._here and self._coming:
            self._here = self._coming.pop(0)
        if not self._here and self._silent:
            raise DeadlineError("silent")
        peek = bool(flags)
        assert not (peek and self._peeked and self._here), "it looks again at the same bytes"
        self._peeked = peek
        given = self._here[:count]
        if not peek:
            self._here = self._here[count:]
        return given

    @property
    def rest(self) -> bytes:
        """What nobody has read."""
        return self._here + b"".join(self._coming)


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut data into chunks of these sizes, and what is left."""
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [*chunks, data]
