"""The PROXY protocol's version 1, a line of text."""

import pytest

from acceptor import HandshakeError, HandshakeFailure, IPv4Peer, IPv6Peer, ProxyCommand, ProxyHeader
from acceptor.transports.proxy_wire import read_header
from tests.transports.proxy_headers import Wire, cut, v1

LONGEST = b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
SIX = IPv6Peer("2001:db8::1", 56324)


def read(data: bytes) -> ProxyHeader:
    return read_header(Wire(data).receive)


def refusal_of(line: bytes) -> str:
    with pytest.raises(HandshakeError) as caught:
        read_header(Wire(line, silent=True).receive)  # refused, and not at the deadline
    assert caught.value.reason is HandshakeFailure.BAD_PROXY_HEADER
    return str(caught.value)


def test_read_header_reads_the_specifications_example_before_an_http_request() -> None:
    request = b"GET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n"
    wire = Wire(b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n" + request)

    header = read_header(wire.receive)

    assert header == ProxyHeader(
        version=1,
        command=ProxyCommand.PROXY,
        source=IPv4Peer("192.168.0.1", 56324),
        destination=IPv4Peer("192.168.0.11", 443),
    )
    assert type(header.source) is IPv4Peer
    assert wire.rest == request


@pytest.mark.parametrize(
    ("line", "host"),
    [
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
        (b"PROXY TCP6 %b %b 65535 65535\r\n" % (LONGEST, LONGEST), LONGEST.decode()),
        (b"PROXY TCP6 2001:0DB8:0:0:0:0:0:0001 ::1 65535 0\r\n", "2001:db8::1"),
    ],
)
def test_read_header_reads_the_longest_and_upper_case_addresses(line: bytes, host: str) -> None:
    header = read(line)

    assert header.source == (host, 65535)


def test_read_header_reads_an_ipv6_line() -> None:
    header = read(v1(SIX, IPv6Peer("::1", 443)))

    assert (header.source, header.destination) == (SIX, ("::1", 443))
    assert type(header.source) is IPv6Peer


@pytest.mark.parametrize("host", ["::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:c000:201"])
def test_read_header_makes_an_ipv4_peer_of_a_mapped_address(host: str) -> None:
    header = read(f"PROXY TCP6 {host} ::1 1 2\r\n".encode())

    assert header.source == IPv4Peer("192.0.2.1", 1)
    assert type(header.source) is IPv4Peer


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b" ",
        b" %b %b 65535 65535" % (LONGEST, LONGEST),  # the longest line there can be
        b" \xff\0 \n \r whatever",
        b" \r",
        b" " + b"x" * 91,
    ],
)
def test_read_header_ignores_what_stands_behind_unknown(rest: bytes) -> None:
    line = b"PROXY UNKNOWN" + rest + b"\r\n"
    wire = Wire(*cut(line, [1] * len(line)), b"rest")

    header = read_header(wire.receive)

    assert header == read(line) == ProxyHeader(version=1, command=ProxyCommand.PROXY)
    assert wire.rest == b"rest"


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        b"PROXY\tTCP4 192.0.2.1 198.51.100.2 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n",
        b"PROXY TCP5 ",
        b"PROXY\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY UNKNOWN\n",
        b"PROXY UNKNOWN\rx",
        b"Q",
    ],
)
def test_read_header_refuses_a_start_of_something_else_at_once(line: bytes) -> None:
    message = refusal_of(line)

    assert message.startswith("bad PROXY header: it begins like none: b")


@pytest.mark.parametrize("rest", [b"\n", b"\r", b"\r\n", b"\n\r", b"\rx", b" \n", b" \r "])
@pytest.mark.parametrize("words", [b"PROXY TCP4 192.0.2.1 198.51.100.2 1"])
def test_read_header_refuses_a_line_that_ends_too_early(words: bytes, rest: bytes) -> None:
    assert "bad PROXY header: " in refusal_of(words + rest + b"more")


@pytest.mark.parametrize(
    "port",
    [
        "",
        "-1",
        "+80",
        "080",
        "00",
        "65536",
        "99999",
        "100000",
        "8_0",
        "0x50",
        "8O",
        "1.0",
        "²",
        "٨",
    ],
)
@pytest.mark.parametrize("line", ["192.0.2.1 198.51.100.2 {} 2", "192.0.2.1 198.51.100.2 2 {}"])
def test_read_header_refuses_what_is_no_port(line: str, port: str) -> None:
    message = refusal_of(f"PROXY TCP4 {line.format(port)}\r\n".encode())

    assert "is no port" in message or "two addresses and two ports" in message


@pytest.mark.parametrize(
    "host",
    [
        "",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.04",
        "1.2.3.256",
        "1.2.3.4/32",
        "1.2.3.-4",
        "16909060",
        "0x1.2.3.4",
        "localhost",
        "::1",
        "1.2.3.²",
        "1.2.3.\0",
    ],
)
@pytest.mark.parametrize("line", ["{} 192.0.2.1 1 2", "192.0.2.1 {} 1 2"])
def test_read_header_refuses_what_is_no_ipv4_address(line: str, host: str) -> None:
    message = refusal_of(f"PROXY TCP4 {line.format(host)}\r\n".encode())

    assert "is no TCP4 address" in message or "two addresses and two ports" in message


@pytest.mark.parametrize(
    "host",
    [
        "1.2.3.4",
        "[::1]",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "::g",
        "fe80::1%1",
        "fe80::1%eth0",
        "::1/128",
        "::ffff:1.2.3.04",
        ":",
    ],
)
@pytest.mark.parametrize("line", ["{} ::1 1 2", "::1 {} 1 2"])
def test_read_header_refuses_what_is_no_ipv6_address(line: str, host: str) -> None:
    message = refusal_of(f"PROXY TCP6 {line.format(host)}\r\n".encode())

    assert f"{host!r} is no TCP6 address" in message


@pytest.mark.parametrize(
    "words",
    [
        "TCP4 192.0.2.1 198.51.100.2 1",
        "TCP4 192.0.2.1 198.51.100.2 1 2 3",
        "TCP4 192.0.2.1 198.51.100.2 1 2 ",
        "TCP4  192.0.2.1 198.51.100.2 1 2",
        "TCP4 192.0.2.1  198.51.100.2 1 2",
        "TCP4 192.0.2.1 198.51.100.2 1  2",
        "TCP4 192.0.2.1 198.51.100.2\t1 2",
        "TCP4 192.0.2.1 198.51.100.2 1 2\0",
    ],
)
def test_read_header_refuses_too_few_or_too_many_words_or_spaces(words: str) -> None:
    assert "bad PROXY header: " in refusal_of(f"PROXY {words}\r\n".encode())


@pytest.mark.parametrize("start", [b"PROXY TCP4 1", b"PROXY TCP6 :", b"PROXY UNKNOWN "])
def test_read_header_refuses_a_line_without_an_end_once_it_is_too_long(start: bytes) -> None:
    wire = Wire(start.ljust(200, b"1"), silent=True)

    with pytest.raises(HandshakeError, match="no CR LF in 107 bytes") as caught:
        read_header(wire.receive)

    assert caught.value.reason is HandshakeFailure.BAD_PROXY_HEADER
    assert len(wire.rest) == 200 - 107


def test_read_header_takes_a_line_of_107_bytes_and_refuses_one_of_108() -> None:
    line = b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n"

    header = read(line)

    assert header.version == 1
    assert "no CR LF in 107 bytes" in refusal_of(line.replace(b"x", b"xx", 1))


def test_read_header_quotes_a_refused_line_shortened() -> None:
    message = refusal_of(b"PROXY TCP4 " + b"1" * 100)

    shown = b"PROXY TCP4 ".ljust(64, b"1")
    assert message == f"bad PROXY header: no CR LF in 107 bytes: {shown!r}... (107 bytes)"
