"""The PROXY protocol's version 2, in bytes: commands, families, addresses, lengths."""

from collections.abc import Callable

import pytest

from acceptor import (
    HandshakeError,
    HandshakeFailure,
    IPv4Peer,
    IPv6Peer,
    Peer,
    ProxyCommand,
    ProxyHeader,
    UnixPeer,
)
from acceptor.transports.proxy_wire import read_header
from tests.transports.proxy_headers import (
    CLIENT,
    DATAGRAM,
    LOCAL,
    SERVER,
    SIGNATURE,
    STREAM,
    Wire,
    encoded_tlv,
    local,
    raw_v2,
    v2,
)

SIX = IPv6Peer("2001:db8::1", 56324), IPv6Peer("::1", 443)
UNIX = UnixPeer("/run/client"), UnixPeer("/run/server")


def read(data: bytes) -> ProxyHeader:
    wire = Wire(data + b"rest")
    header = read_header(wire.receive)
    assert wire.rest == b"rest"
    return header


def refusal_of(data: bytes) -> str:
    with pytest.raises(HandshakeError) as caught:
        read_header(Wire(data, silent=True).receive)
    assert caught.value.reason is HandshakeFailure.BAD_PROXY_HEADER
    return str(caught.value)


def test_read_header_reads_tcp_over_ipv4_as_the_specification_lays_it_out() -> None:
    data = bytes.fromhex(
        "0D0A0D0A 000D0A51 5549540A"  # the signature
        "21 11 000C"  # version 2, PROXY; AF_INET, STREAM; 12 bytes
        "C0A80001 C0A8000B DC04 01BB"
    )

    header = read(data)

    assert header == ProxyHeader(
        version=2,
        command=ProxyCommand.PROXY,
        source=IPv4Peer("192.168.0.1", 56324),
        destination=IPv4Peer("192.168.0.11", 443),
    )


@pytest.mark.parametrize("transport", [STREAM, DATAGRAM])
@pytest.mark.parametrize("pair", [(CLIENT, SERVER), SIX, UNIX], ids=["ipv4", "ipv6", "unix"])
def test_read_header_reads_every_family_and_transport(
    pair: tuple[Peer, Peer], transport: int
) -> None:
    header = read(v2(*pair, transport=transport))

    assert (header.source, header.destination) == pair
    assert (type(header.source), header.version) == (type(pair[0]), 2)


def test_read_header_makes_an_ipv4_peer_of_a_mapped_address() -> None:
    header = read(v2(IPv6Peer("::ffff:192.0.2.1", 1), SIX[1]))

    assert header.source == IPv4Peer("192.0.2.1", 1)
    assert type(header.source) is IPv4Peer
    assert type(header.destination) is IPv6Peer


@pytest.mark.parametrize(
    "path", ["", "/run/it", "/" + "x" * 107, "@name", "@a\0b", "/gr\xfcn", "/\udcff"]
)
def test_read_header_reads_unix_paths_of_every_kind(path: str) -> None:
    header = read(v2(UnixPeer(path), UNIX[1]))

    assert header.source == UnixPeer(path)


def test_read_header_ends_a_unix_path_at_the_first_nul_byte() -> None:
    source = b"/run/it\0left over".ljust(108, b"\0")

    header = read(raw_v2(source + bytes(108), family=0x31))

    assert (header.source, header.destination) == (UnixPeer("/run/it"), UnixPeer(""))


@pytest.mark.parametrize("block", [b"", bytes(12), b"\xff" * 5, encoded_tlv(0x02, b"name")])
@pytest.mark.parametrize("family", [0x00, 0x11, 0x21, 0x31, 0xFF])
def test_read_header_discards_all_that_follows_local(block: bytes, family: int) -> None:
    header = read(raw_v2(block, kind=LOCAL, family=family))

    assert header == ProxyHeader(version=2, command=ProxyCommand.LOCAL)


@pytest.mark.parametrize("family", [0x00, 0x01, 0x02])
def test_read_header_reads_a_proxy_that_does_not_know_its_client(family: int) -> None:
    header = read(raw_v2(encoded_tlv(0x02, b"name"), family=family))

    assert (header.command, header.source) == (ProxyCommand.PROXY, None)
    assert header.authority == "name"


@pytest.mark.parametrize(("family", "size"), [(0x10, 12), (0x20, 36), (0x30, 216)])
def test_read_header_ignores_addresses_without_a_transport(family: int, size: int) -> None:
    header = read(raw_v2(b"\xff" * size + encoded_tlv(0x02, b"name"), family=family))

    assert (header.source, header.destination, header.authority) == (None, None, "name")


@pytest.mark.parametrize("kind", [0x00, 0x11, 0x1F, 0x22, 0x2F, 0x31, 0xFF])
def test_read_header_refuses_unknown_versions_and_commands(kind: int) -> None:
    assert f"0x{kind:02x} is neither LOCAL nor PROXY" in refusal_of(raw_v2(bytes(12), kind=kind))


@pytest.mark.parametrize("family", [0x03, 0x13, 0x1F, 0x41, 0x50, 0xF1])
def test_read_header_refuses_unknown_families_and_transports(family: int) -> None:
    message = refusal_of(raw_v2(bytes(216), family=family))

    assert f"family and transport 0x{family:02x} are unknown" in message


@pytest.mark.parametrize(
    ("family", "size"), [(0x11, 0), (0x11, 11), (0x12, 4), (0x21, 35), (0x31, 215), (0x10, 3)]
)
def test_read_header_refuses_a_block_too_short_for_its_addresses_unread(
    family: int, size: int
) -> None:
    wire = Wire(raw_v2(bytes(size), family=family), silent=True)

    with pytest.raises(HandshakeError, match="addresses end at byte"):
        read_header(wire.receive)

    assert len(wire.rest) == size


@pytest.mark.parametrize("make", [raw_v2, local])
def test_read_header_takes_4096_bytes_and_refuses_more_unread(
    make: Callable[[bytes], bytes],
) -> None:
    block = bytes(12) + encoded_tlv(0xE0, bytes(4096 - 16 - 12 - 3))
    wire = Wire(make(block + b"x"), silent=True)

    longest = read(make(block))
    with pytest.raises(HandshakeError, match="4097 bytes are more than 4096"):
        read_header(wire.receive)

    assert longest.version == 2
    assert len(wire.rest) == 4096 - 16 + 1


@pytest.mark.parametrize("at", range(12))
def test_read_header_refuses_a_signature_that_differs_in_a_byte_at_once(at: int) -> None:
    start = SIGNATURE[:at] + bytes([SIGNATURE[at] ^ 0x20])

    assert "it begins like none" in refusal_of(start)


@pytest.mark.parametrize(
    ("data", "versions"), [(v2(), {1}), (v2()[:1], {1}), (b"PROXY UNKNOWN\r\n", {2}), (b"P", {2})]
)
def test_read_header_refuses_a_version_that_is_not_allowed_at_once(
    data: bytes, versions: set[int]
) -> None:
    wire = Wire(data, silent=True)

    with pytest.raises(HandshakeError, match=r"version \d is not taken here") as caught:
        read_header(wire.receive, versions)

    assert caught.value.reason is HandshakeFailure.BAD_PROXY_HEADER
