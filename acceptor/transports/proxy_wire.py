"""The wire format of the PROXY protocol, versions 1 and 2, read from a blocking socket.

Written against the specification, for want of a package that fits. The one on PyPI that reads both
versions (proxy-protocol 0.11.3, April 2024, alpha) reads from asyncio's streams, and takes lines of
any length, ports such as `+80` and `8_0`, broken TLVs and unknown families; a short address block
gives `struct.error`, and checksums are checked only if a further package is installed.

Source: haproxy.org/download/3.0/doc/proxy-protocol.txt.
"""

import ipaddress
import re
import socket
import struct
from collections.abc import Collection
from typing import Final, Protocol, TypeAlias

from acceptor.core.errors import ConfigurationError, HandshakeError
from acceptor.core.events import HandshakeFailure
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer, Peer, UnixPeer, unix_path
from acceptor.core.proxied import ProxyCommand, ProxyHeader
from acceptor.core.proxy_tlvs import TlvType, locate_tlvs, parse_tlvs
from acceptor.transports.crc32c import crc32c

_Peers: TypeAlias = tuple[Peer | None, Peer | None]

VERSIONS: Final = frozenset({1, 2})
SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"  # of version 2

_UNKNOWN: Final = b"PROXY UNKNOWN"
_STARTS: Final = {
    1: (b"PROXY TCP4 ", b"PROXY TCP6 ", _UNKNOWN + b" ", _UNKNOWN + b"\r\n"),
    2: (SIGNATURE,),
}
_SHORTEST_LINE: Final = 15  # bytes: "PROXY UNKNOWN", CR, LF
_LONGEST_LINE: Final = 107
_FIXED: Final = 16  # bytes of version 2 before the addresses
# The specification wants a header to fit one segment (536 bytes); with a long name, certificate
# fields and a cloud's own TLVs it can be a few times that. nginx draws the line here, too. The
# length field itself would let a client have us wait for, and keep, 64 KiB.
_LONGEST_HEADER: Final = 4096
_SHOWN: Final = 64  # bytes of a refused header that its error quotes

_PORT: Final = re.compile("0|[1-9][0-9]{0,4}")
_ADDRESSES: Final = {
    0: struct.Struct(""),
    1: struct.Struct("!4s4sHH"),
    2: struct.Struct("!16s16sHH"),
    3: struct.Struct("108s108s"),
}


class Receive(Protocol):
    """What `socket.recv` of a blocking socket is."""

    def __call__(self, count: int, flags: int = 0, /) -> bytes:
        """Wait for bytes, and return at most so many; none at the end of the stream."""
        ...


def read_header(receive: Receive, versions: Collection[int] = VERSIONS) -> ProxyHeader:
    """Read the header that a connection begins with, and not one byte behind it.

    What cannot become a header is refused as soon as that shows, not at the deadline.

    Raises:
        HandshakeError: It is none, it is broken or of another version (BAD_PROXY_HEADER), or the
            stream ends before it does (CLIENT_LEFT).
        OSError: What `receive` raises.
    """
    # The most that can be read without knowing more: each kind of header is at least that long.
    least = _SHORTEST_LINE if 1 in versions else _FIXED
    header = _receive(receive, least, b"")
    while (version := _version_of(header, versions)) and len(header) < least:
        header += _receive(receive, least - len(header), header)
    return _read_line(receive, header) if version == 1 else _read_binary(receive, header)


def _bad(why: str, header: bytes) -> HandshakeError:
    shown = repr(header[:_SHOWN])
    if len(header) > _SHOWN:
        shown += f"... ({len(header)} bytes)"
    return HandshakeError(f"bad PROXY header: {why}: {shown}", HandshakeFailure.BAD_PROXY_HEADER)


def _receive(receive: Receive, count: int, header: bytes, flags: int = 0) -> bytes:
    """Receive at least one byte; `header` is what is there already."""
    received = receive(count, flags)
    if not received:
        raise HandshakeError(
            f"the client left after {len(header)} bytes of its PROXY header",
            HandshakeFailure.CLIENT_LEFT,
        )
    return received


def _read_on(receive: Receive, header: bytes, size: int) -> bytes:
    while len(header) < size:
        header += _receive(receive, size - len(header), header)
    return header


def _version_of(header: bytes, versions: Collection[int]) -> int:
    """Return the only version that what is there can be the beginning of."""
    for version, starts in _STARTS.items():
        if any(header[: len(start)] == start[: len(header)] for start in starts):
            if version in versions:
                return version
            raise _bad(f"version {version} is not taken here", header)
    raise _bad("it begins like none", header)


def _read_line(receive: Receive, line: bytes) -> ProxyHeader:
    """Read a header of version 1, whose end only its last two bytes tell."""
    while (end := line.find(b"\r\n")) < 0:
        if not _may_go_on(line):
            raise _bad("CR or LF alone in the line", line)
        if len(line) >= _LONGEST_LINE:
            raise _bad(f"no CR LF in {_LONGEST_LINE} bytes", line)
        # All that was seen is taken, unless the line ends in it: the next look waits for more.
        seen = line + _receive(receive, _LONGEST_LINE - len(line), line, socket.MSG_PEEK)
        end = seen.find(b"\r\n")
        line = _read_on(receive, line, len(seen) if end < 0 else end + 2)
    return _parse_line(line[:end])


def _may_go_on(line: bytes) -> bool:
    # Whatever stands behind UNKNOWN is to be ignored until the line ends.
    return line.startswith(_UNKNOWN) or (b"\n" not in line and b"\r" not in line[:-1])


def _parse_line(line: bytes) -> ProxyHeader:
    if line.startswith(_UNKNOWN):
        return ProxyHeader(version=1, command=ProxyCommand.PROXY)
    words = line.decode("ascii", "replace").split(" ")
    if len(words) != 6:
        raise _bad("it needs two addresses and two ports, one space before each", line)
    _, family, source, destination, source_port, destination_port = words
    try:
        return ProxyHeader(
            version=1,
            command=ProxyCommand.PROXY,
            source=_parse_peer(family, source, source_port),
            destination=_parse_peer(family, destination, destination_port),
        )
    except ValueError as error:
        raise _bad(str(error), line) from error


def _parse_peer(family: str, host: str, port: str) -> InetPeer:
    if not _PORT.fullmatch(port) or int(port) > 0xFFFF:
        raise ValueError(f"{port!r} is no port")
    kind = ipaddress.IPv4Address if family == "TCP4" else ipaddress.IPv6Address
    try:
        address = None if "%" in host else kind(host)  # a scope would be one of another machine
    except ValueError:
        address = None
    if address is None:
        raise ValueError(f"{host!r} is no {family} address")
    return _inet_peer(address, int(port))


def _inet_peer(address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> InetPeer:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return IPv6Peer(str(address), port)
        address = address.ipv4_mapped
    return IPv4Peer(str(address), port)


def _read_binary(receive: Receive, header: bytes) -> ProxyHeader:
    """Read a header of version 2, which says how long it is."""
    header = _read_on(receive, header, _FIXED)
    kind, family, transport = header[12], header[13] >> 4, header[13] & 0xF
    size = _FIXED + int.from_bytes(header[14:16], "big")
    if kind not in (0x20, 0x21):
        raise _bad(f"version and command 0x{kind:02x} is neither LOCAL nor PROXY", header)
    if size > _LONGEST_HEADER:
        raise _bad(f"{size} bytes are more than {_LONGEST_HEADER}", header)
    if kind == 0x20:  # all that follows is to be discarded, whatever it claims to be
        _read_on(receive, header, size)
        return ProxyHeader(version=2, command=ProxyCommand.LOCAL)
    if family not in _ADDRESSES or transport > 2:
        raise _bad(f"family and transport 0x{header[13]:02x} are unknown", header)
    tlvs_at = _FIXED + _ADDRESSES[family].size
    if size < tlvs_at:
        raise _bad(f"addresses end at byte {tlvs_at}, the header at {size}", header)
    header = _read_on(receive, header, size)
    peers = _peers_in(header, family) if transport else (None, None)
    try:
        return _parse_binary(header, tlvs_at, *peers)
    except ConfigurationError as error:
        raise _bad(str(error), header) from error


def _parse_binary(
    header: bytes, tlvs_at: int, source: Peer | None, destination: Peer | None
) -> ProxyHeader:
    _verify(header, tlvs_at)
    return ProxyHeader(
        version=2,
        command=ProxyCommand.PROXY,
        source=source,
        destination=destination,
        tlvs=parse_tlvs(header, tlvs_at),
    )


def _peers_in(header: bytes, family: int) -> _Peers:
    fields = _ADDRESSES[family].unpack_from(header, _FIXED)
    match family:
        case 0:
            return None, None
        case 3:
            return _unix_peer(fields[0]), _unix_peer(fields[1])
    source, destination, source_port, destination_port = fields
    return (
        _inet_peer(ipaddress.ip_address(source), source_port),
        _inet_peer(ipaddress.ip_address(destination), destination_port),
    )


def _unix_peer(name: bytes) -> UnixPeer:
    """Cut off the padding; an abstract name, which begins with a NUL byte, may have more inside."""
    return UnixPeer(unix_path(name.rstrip(b"\0") if name[0] == 0 else name.partition(b"\0")[0]))


def _verify(header: bytes, tlvs_at: int) -> None:
    """Compare the checksum, if there is one, with that of the header without it."""
    sums = [found for found in locate_tlvs(header, tlvs_at) if found[1].type == TlvType.CRC32C]
    if not sums:
        return
    (at, tlv), *others = sums
    if others or len(tlv.value) != 4:
        raise ConfigurationError("TLV 0x03 must be there once at most, with 4 bytes")
    told = int.from_bytes(tlv.value, "big")
    found = crc32c(header[:at] + bytes(4) + header[at + 4 :])
    if told != found:
        raise ConfigurationError(f"its checksum says 0x{told:08x}, its bytes have 0x{found:08x}")
