"""How the PROXY header is read: never a byte too many, in few calls, whatever arrives when."""

import socket

import pytest

from acceptor import DeadlineError, HandshakeError, HandshakeFailure, IPv6Peer, UnixPeer
from acceptor.transports.proxy_wire import read_header
from tests.transports.proxy_headers import CLIENT, Wire, cut, local, tls_tlv, v1, v2
from tests.transports.proxy_judge import judge

SIX = IPv6Peer("2001:db8::1", 1)
BOTH = frozenset({1, 2})
HEADERS = {
    "v1-ipv4": v1(),
    "v1-ipv6": v1(SIX, SIX),
    "v1-unknown": v1(None),
    "v1-unknown-long": b"PROXY UNKNOWN ::1 ::1 1 2\r\n",
    "v2-ipv4": v2(),
    "v2-ipv6": v2(SIX, SIX, checksum=True),
    "v2-unix": v2(UnixPeer("/run/it"), UnixPeer("@it")),
    "v2-tlvs": v2(tlvs=[(0x02, b"name"), tls_tlv(7, 0, [(0x21, b"TLSv1.3")])]),
    "v2-unspec": v2(None),
    "v2-local": local(),
    "v2-local-block": local(bytes(20)),
}


@pytest.fixture(params=list(HEADERS.values()), ids=list(HEADERS))
def valid(request: pytest.FixtureRequest) -> bytes:
    header: bytes = request.param
    return header


def test_read_header_waits_for_more_after_every_prefix_byte_by_byte(valid: bytes) -> None:
    for size in range(len(valid)):
        wire = Wire(*cut(valid[:size], [1] * size), silent=True)

        with pytest.raises(DeadlineError):
            read_header(wire.receive)

        assert not wire.rest
        assert wire.calls <= 2 * size + 1


def test_read_header_tells_that_the_client_left_after_every_prefix(valid: bytes) -> None:
    for size in range(len(valid)):
        for chunks in ([valid[:size]], cut(valid[:size], [1] * size)):
            with pytest.raises(HandshakeError, match=rf"left after {size} bytes") as caught:
                read_header(Wire(*chunks).receive)

            assert caught.value.reason is HandshakeFailure.CLIENT_LEFT


@pytest.mark.parametrize("rest", [b"", b"\r\n", b"\n", b"PROXY TCP4 ", b"x" * 5000])
def test_read_header_leaves_what_follows_whatever_arrives_together(
    valid: bytes, rest: bytes
) -> None:
    for size in range(1, len(valid) + 1):
        verdict = judge(valid + rest, [size] * 200, BOTH)

        assert not isinstance(verdict, HandshakeFailure)


def test_read_header_needs_three_calls_at_most_if_the_header_is_there(valid: bytes) -> None:
    wire = Wire(valid + b"rest")

    read_header(wire.receive)

    assert wire.calls <= 3


@pytest.mark.parametrize("source", [CLIENT, SIX])
def test_read_header_needs_two_calls_where_only_version_2_is_taken(
    source: IPv6Peer,
) -> None:
    wire = Wire(v2(source, source, tlvs=[(0x02, b"name")]) + b"rest")

    read_header(wire.receive, frozenset({2}))

    assert wire.calls == 2


def test_read_header_reads_from_a_real_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(v1() + v2(SIX, SIX) + b"rest")

        sources = [read_header(ours.recv).source, read_header(ours.recv).source]

        assert sources == [CLIENT, SIX]
        assert ours.recv(100) == b"rest"


@pytest.mark.parametrize("error", [DeadlineError("late"), ConnectionResetError(), OSError()])
@pytest.mark.parametrize("calls", [0, 1, 2])
def test_read_header_lets_through_what_the_socket_raises(error: OSError, calls: int) -> None:
    wire = Wire(v1())

    def receive(count: int, flags: int = 0, /) -> bytes:
        if wire.calls == calls:
            raise error
        return wire.receive(count, flags)

    with pytest.raises(type(error)) as caught:
        read_header(receive)

    assert caught.value is error


def test_read_header_survives_a_socket_that_gives_less_than_it_has_shown() -> None:
    wire = Wire(v1() + b"rest")

    def receive(count: int, flags: int = 0, /) -> bytes:
        return wire.receive(count if flags else 1, flags)

    header = read_header(receive)

    assert header.source == CLIENT
    assert wire.rest == b"rest"
