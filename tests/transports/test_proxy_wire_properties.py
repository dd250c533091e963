"""The PROXY header's reader against headers and bytes of every kind; see also `fuzz/`."""

from typing import Final, TypeVar

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from acceptor import HandshakeFailure, IPv4Peer, IPv6Peer, Peer, ProxyCommand, UnixPeer
from acceptor.core.proxy_tlvs import Tlv, TlvType
from tests.transports.proxy_headers import (
    DATAGRAM,
    SIGNATURE,
    STREAM,
    TlvLike,
    encoded_tlv,
    raw_v2,
    tls_tlv,
    v1,
    v2,
)
from tests.transports.proxy_judge import judge

T = TypeVar("T")

quick: Final = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

BOTH = frozenset({1, 2})
PORTS = st.integers(0, 0xFFFF)
SIZES = st.lists(st.integers(1, 40), max_size=30)
VERSIONS = st.sampled_from([BOTH, frozenset({1}), frozenset({2})])


def pairs(peers: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, T]]:
    return st.tuples(peers, peers)


IPV4 = st.builds(IPv4Peer, st.ip_addresses(v=4).map(str), PORTS)
HOSTS = st.ip_addresses(v=6).map(str).filter(lambda host: not host.startswith("::ffff:"))
IPV6 = st.builds(IPv6Peer, HOSTS, PORTS)
UNIX = st.binary(max_size=100).map(
    lambda name: UnixPeer("/" + name.replace(b"\0", b"").decode("utf-8", "surrogateescape"))
)
NAMES = st.text(max_size=40)
ASCII = st.text(st.characters(max_codepoint=127), max_size=20)
INET_PAIRS = pairs(IPV4) | pairs(IPV6)
PAIRS = INET_PAIRS | pairs(UNIX)
UNKNOWN_TLVS = st.tuples(st.integers(0x31, 0xFF), st.binary(max_size=60))
TLVS = st.lists(
    st.tuples(st.just(0x01), st.binary(max_size=20))
    | st.tuples(st.just(0x02), NAMES.map(str.encode))
    | st.tuples(st.just(0x05), st.binary(max_size=128))
    | st.builds(tls_tlv, st.integers(0, 255), st.sampled_from([0, 1, 0xFFFFFFFF]))
    | UNKNOWN_TLVS,
    max_size=5,
)
UNTIDY_TLVS = st.lists(
    st.builds(encoded_tlv, st.sampled_from(TlvType), st.binary(max_size=150))
    | st.binary(max_size=5).map(lambda inner: encoded_tlv(*tls_tlv(1, 0, [(0x22, inner)])))
    | st.binary(max_size=4)
).map(b"".join)
LINES = INET_PAIRS.map(lambda pair: v1(*pair)) | st.just(v1(None))
BINARIES = st.builds(
    lambda pair, tlvs, transport, checksum: v2(
        *pair, tlvs=tlvs, transport=transport, checksum=checksum
    ),
    PAIRS | st.just((None, None)),
    TLVS,
    st.sampled_from([STREAM, DATAGRAM]),
    st.booleans(),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid header with some bytes changed, taken out or put in."""
    data = bytearray(draw(LINES | BINARIES) + draw(st.binary(max_size=10)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        width = draw(st.integers(0, 3))
        data[at : at + width] = draw(st.binary(max_size=3) | st.sampled_from([b"\r", b"\n", b" "]))
    return bytes(data)


@quick
@given(INET_PAIRS, st.binary(max_size=200), SIZES)
def test_read_header_reads_back_every_line(
    pair: tuple[Peer, Peer], rest: bytes, sizes: list[int]
) -> None:
    header = judge(v1(*pair) + rest, sizes, BOTH)

    assert not isinstance(header, HandshakeFailure)
    assert (header.version, header.source, header.destination) == (1, *pair)


@quick
@given(PAIRS, TLVS, st.booleans(), st.binary(max_size=200), SIZES)
def test_read_header_reads_back_every_binary_header(
    pair: tuple[Peer, Peer], tlvs: list[TlvLike], checksum: bool, rest: bytes, sizes: list[int]
) -> None:
    header = judge(v2(*pair, tlvs=tlvs, checksum=checksum) + rest, sizes, BOTH)

    assert not isinstance(header, HandshakeFailure)
    assert (header.version, header.command) == (2, ProxyCommand.PROXY)
    assert (header.source, header.destination) == pair
    assert [tlv for tlv in header.tlvs if tlv.type != 0x03] == [Tlv(*tlv) for tlv in tlvs]


@quick
@given(NAMES, ASCII, ASCII, ASCII, ASCII)
def test_read_header_reads_back_what_is_told_of_tls(
    name: str, version: str, cipher: str, signature: str, key: str
) -> None:
    texts = enumerate([version, name, cipher, signature, key], 0x21)
    tlv = tls_tlv(7, 0, [(number, text.encode()) for number, text in texts])

    header = judge(v2(tlvs=[tlv]), [], BOTH)

    assert not isinstance(header, HandshakeFailure)
    assert header.tls is not None
    assert (header.tls.version, header.tls.common_name) == (version, name)
    assert (header.tls.cipher, header.tls.signature_algorithm) == (cipher, signature)
    assert header.tls.key_algorithm == key


@quick
@given(st.binary(max_size=300), SIZES, VERSIONS)
@example(b"", [], BOTH)
def test_read_header_refuses_or_reads_arbitrary_bytes_and_does_nothing_else(
    data: bytes, sizes: list[int], versions: frozenset[int]
) -> None:
    judge(data, sizes, versions)


@quick
@given(st.sampled_from([b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN"]), st.binary(), SIZES)
def test_read_header_refuses_or_reads_arbitrary_lines_and_does_nothing_else(
    start: bytes, rest: bytes, sizes: list[int]
) -> None:
    judge(start + rest + b"\r\n", sizes, BOTH)


@quick
@given(st.integers(0x20, 0x21), st.integers(0, 255), st.binary(max_size=300), SIZES)
def test_read_header_refuses_or_reads_arbitrary_blocks_and_does_nothing_else(
    kind: int, family: int, block: bytes, sizes: list[int]
) -> None:
    judge(raw_v2(block, kind=kind, family=family), sizes, BOTH)


@quick
@given(st.sampled_from([(0x00, 0), (0x11, 12), (0x21, 36), (0x31, 216)]), UNTIDY_TLVS, SIZES)
def test_read_header_refuses_or_reads_arbitrary_tlvs_and_does_nothing_else(
    family: tuple[int, int], block: bytes, sizes: list[int]
) -> None:
    judge(raw_v2(bytes(family[1]) + block, family=family[0]), sizes, BOTH)


@quick
@given(mutated(), SIZES, VERSIONS)
@example(SIGNATURE, [], BOTH)
def test_read_header_refuses_or_reads_damaged_headers_and_does_nothing_else(
    data: bytes, sizes: list[int], versions: frozenset[int]
) -> None:
    judge(data, sizes, versions)
