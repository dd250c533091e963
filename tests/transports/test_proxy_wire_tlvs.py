"""What a PROXY header says beside the addresses, and its checksum."""

import pytest

from acceptor import HandshakeError, HandshakeFailure, IPv6Peer, ProxyHeader
from acceptor.core.proxy_tlvs import Tlv
from acceptor.transports.crc32c import crc32c
from acceptor.transports.proxy_wire import read_header
from tests.transports.proxy_headers import (
    TlvLike,
    Wire,
    encoded_tlv,
    local,
    raw_v2,
    tls_tlv,
    v2,
)

ADDRESSES = bytes(12)
# What HAProxy 2.6.12 sent, with send-proxy-v2-ssl-cn and all of its proxy-v2-options.
HAPROXY = bytes.fromhex(
    "0d0a0d0a000d0a515549540a2111009b7f0000017f0000018508e54f030004e7e9d87502000b6578616d706c"
    "652e636f6d05002435383864393564622d643530652d343935312d626631612d363132353961373731616434"
    "2000500700000000210007544c5376312e332200096c6f63616c686f73742500054543323536240011656364"
    "73612d776974682d534841323536230016544c535f4145535f3235365f47434d5f534841333834"
)
SIX = IPv6Peer("2001:db8::1", 1)


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


def test_read_header_keeps_tlvs_in_order_also_unknown_and_repeated_ones() -> None:
    header = read(v2(tlvs=[(0xEA, b"cloud"), (0x01, b"h2"), (0xEA, b""), (0xFF, b"\0")]))

    assert header.tlvs == (Tlv(0xEA, b"cloud"), Tlv(0x01, b"h2"), Tlv(0xEA, b""), Tlv(0xFF, b"\0"))


def test_read_header_gives_each_known_tlv_its_view() -> None:
    tlvs: list[TlvLike] = [
        (0x01, b"h2"),
        (0x02, "bücher.example".encode()),
        (0x05, b"\0id"),
        (0x30, b"blue"),
    ]

    header = read(v2(tlvs=tlvs))

    assert (header.alpn, header.authority) == (b"h2", "bücher.example")
    assert (header.unique_id, header.netns) == (b"\0id", "blue")


def test_read_header_skips_padding() -> None:
    header = read(v2(tlvs=[(0x04, b""), (0x02, b"name"), (0x04, b"\x02\x00\x01x")]))

    assert header.tlvs == (Tlv(0x02, b"name"),)


@pytest.mark.parametrize(
    "block",
    [
        b"\x02",
        b"\x02\x00",
        b"\x02\x00\x05name",
        b"\x02\xff\xffname",
        encoded_tlv(0x02, b"name") + b"\x04",
        encoded_tlv(0x02, b"name") + b"\x04\x00\x01",
    ],
)
@pytest.mark.parametrize(("family", "addresses"), [(0x11, ADDRESSES), (0x00, b"")])
def test_read_header_refuses_a_tlv_that_ends_behind_the_header(
    family: int, addresses: bytes, block: bytes
) -> None:
    assert "bytes behind the block" in refusal_of(raw_v2(addresses + block, family=family))


@pytest.mark.parametrize(
    ("tlv", "what"),
    [
        ((0x02, b"\xff"), r"TLV 0x02 is not utf-8 from b'\xff' on"),
        ((0x02, b"name\xc3"), r"TLV 0x02 is not utf-8 from b'\xc3' on"),
        ((0x30, "blü".encode()), r"TLV 0x30 is not ascii from b'\xc3\xbc' on"),
        ((0x05, bytes(129)), "TLV 0x05 may have 128 bytes, got 129"),
        ((0x20, b""), "TLV 0x20 needs 5 bytes or more, got b''"),
        ((0x20, b"\x01\0\0\0"), "TLV 0x20 needs 5 bytes or more"),
        ((0x20, bytes(5) + b"\x21\0\x01"), "TLV 0x21 ends 1 bytes behind the block"),
        (tls_tlv(1, 0, [(0x21, b"\xff")]), r"TLV 0x21 is not ascii from b'\xff' on"),
        (tls_tlv(0, 0, [(0x22, b"\xff")]), r"TLV 0x22 is not utf-8 from b'\xff' on"),
    ],
)
def test_read_header_refuses_a_malformed_value(tlv: TlvLike, what: str) -> None:
    assert what in refusal_of(v2(tlvs=[tlv]))


def test_read_header_quotes_a_malformed_text_shortened() -> None:
    message = refusal_of(v2(tlvs=[(0x02, b"name" + b"\xff" * 2000)]))

    assert f"TLV 0x02 is not utf-8 from {bytes([0xFF]) * 16!r} on: " in message
    assert message.endswith("... (2035 bytes)")


def test_read_header_takes_a_unique_id_of_128_bytes() -> None:
    assert read(v2(tlvs=[(0x05, bytes(128))])).unique_id == bytes(128)


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0x00000000),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_crc32c_gives_what_the_rfc_lists(data: bytes, checksum: int) -> None:
    # RFC 3720, section B.4, which writes them with the lowest byte first.
    assert crc32c(data) == checksum


def test_read_header_reads_all_that_haproxy_tells_and_agrees_on_the_checksum() -> None:
    header = read(HAPROXY)

    assert (header.source, header.destination) == (("127.0.0.1", 34056), ("127.0.0.1", 58703))
    assert (header.authority, header.alpn) == ("example.com", None)
    assert header.unique_id == b"588d95db-d50e-4951-bf1a-61259a771ad4"
    assert header.tls is not None
    assert header.tls.verified
    assert (header.tls.version, header.tls.common_name) == ("TLSv1.3", "localhost")
    assert header.tls.cipher == "TLS_AES_256_GCM_SHA384"
    assert header.tls.signature_algorithm == "ecdsa-with-SHA256"
    assert header.tls.key_algorithm == "EC256"


@pytest.mark.parametrize("source", [None, SIX])
def test_read_header_takes_a_right_checksum_wherever_it_stands(source: IPv6Peer | None) -> None:
    last = v2(source, SIX, tlvs=[(0x02, b"name")], checksum=True)
    first = v2(source, SIX, tlvs=[(0x03, bytes(4)), (0x02, b"name")])
    at = first.index(encoded_tlv(0x03, bytes(4))) + 3
    first = first[:at] + crc32c(first).to_bytes(4, "big") + first[at + 4 :]

    headers = [read(last), read(first)]

    assert [header.authority for header in headers] == ["name", "name"]
    assert last != first


@pytest.mark.parametrize("at", range(13, 16 + 36 + 7))
def test_read_header_refuses_a_header_with_a_checksum_if_any_byte_differs(at: int) -> None:
    data = bytearray(v2(SIX, SIX, checksum=True))
    data[at] ^= 0x01

    with pytest.raises(HandshakeError) as caught:
        read_header(Wire(bytes(data)).receive)

    assert caught.value.reason in {
        HandshakeFailure.BAD_PROXY_HEADER,
        HandshakeFailure.CLIENT_LEFT,  # of the changed length's
    }


def test_read_header_says_both_checksums_of_a_header_that_is_damaged() -> None:
    data = v2(SIX, SIX, checksum=True)

    message = refusal_of(data[:-4] + b"\xde\xad\xbe\xef")

    assert f"its checksum says 0xdeadbeef, its bytes have 0x{data[-4:].hex()}" in message


@pytest.mark.parametrize("tlvs", [[(0x03, b"")], [(0x03, bytes(3))], [(0x03, bytes(5))]])
def test_read_header_refuses_a_checksum_of_another_length(tlvs: list[TlvLike]) -> None:
    assert "TLV 0x03 must be there once at most, with 4 bytes" in refusal_of(v2(tlvs=tlvs))


def test_read_header_refuses_two_checksums() -> None:
    data = v2(tlvs=[(0x03, bytes(4))], checksum=True)

    assert "TLV 0x03 must be there once at most" in refusal_of(data)


def test_read_header_discards_a_block_of_local_unread_for_what_it_says() -> None:
    header = read(local(encoded_tlv(0x03, b"\xff\xff\xff\xff") + encoded_tlv(0x02, b"\xff")))

    assert header.tlvs == ()
