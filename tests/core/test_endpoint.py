"""Endpoints: read from text, printed back the same, and clear about what is wrong."""

import os
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acceptor import (
    ConfigurationError,
    Endpoint,
    EndpointError,
    TcpEndpoint,
    UdpEndpoint,
    UnixEndpoint,
    UnixgramEndpoint,
    parse_endpoint,
)

quick: Final = settings(max_examples=60, deadline=None, database=None)

hosts: Final = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{1,10}){0,2}", fullmatch=True),
    st.ip_addresses().map(str),
    st.integers(1, 99).map(lambda scope: f"fe80::1%{scope}"),
    st.just(""),
)
ports: Final = st.integers(0, 65535)
# All that a file system can hold, what is no UTF-8 included.
names: Final = st.binary(min_size=1, max_size=40).map(
    lambda raw: os.fsdecode(raw).replace("\0", "")
)
paths: Final = st.builds("{}{}".format, st.sampled_from(["/", "@", "/run/"]), names).filter(
    lambda path: path != "@"
)
endpoints: Final[st.SearchStrategy[Endpoint]] = st.one_of(
    st.builds(TcpEndpoint, hosts, ports),
    st.builds(UdpEndpoint, hosts, ports),
    st.builds(UnixEndpoint, paths),
    st.builds(UnixgramEndpoint, paths),
)


@quick
@given(endpoints)
def test_endpoint_is_read_back_from_what_it_prints(endpoint: Endpoint) -> None:
    text = str(endpoint)

    assert parse_endpoint(text) == endpoint
    assert str(parse_endpoint(text)) == text


@quick
@given(endpoints)
def test_endpoint_prints_as_one_word_of_ascii(endpoint: Endpoint) -> None:
    text = str(endpoint)

    assert text.isascii()
    assert not any(character.isspace() for character in text)


@quick
@given(st.one_of(st.text(max_size=40), st.text(max_size=40).map("tcp://{}".format)))
def test_parse_raises_nothing_but_endpoint_errors(text: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except EndpointError:
        return

    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("tcp://127.0.0.1:80", TcpEndpoint("127.0.0.1", 80)),
        ("tcp://[::1]:0", TcpEndpoint("::1", 0)),
        ("tcp://[fe80::1%2]:80", TcpEndpoint("fe80::1%2", 80)),
        ("tcp://:80", TcpEndpoint("", 80)),
        ("tcp://localhost:65535", TcpEndpoint("localhost", 65535)),
        ("udp://0.0.0.0:53", UdpEndpoint("0.0.0.0", 53)),
        ("unix:///run/it.sock", UnixEndpoint("/run/it.sock")),
        ("unix:///run/a%20b%23c", UnixEndpoint("/run/a b#c")),
        ("unix://@name", UnixEndpoint("@name")),
        ("unixgram:///run/it.sock", UnixgramEndpoint("/run/it.sock")),
        ("unixgram://@name", UnixgramEndpoint("@name")),
    ],
)
def test_endpoint_has_a_text_form(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("text", "part", "value"),
    [
        ("127.0.0.1:80", "no '://'", "'127.0.0.1:80'"),
        ("", "no '://'", "''"),
        ("http://127.0.0.1:80", "scheme", "'http'"),
        ("://127.0.0.1:80", "scheme", "''"),
        ("tcp://127.0.0.1", "no port", "tcp://127.0.0.1"),
        ("tcp://[::1]", "no port", "tcp://[::1]"),
        ("tcp://", "no port", "tcp://"),
        ("tcp://127.0.0.1:", "port", "''"),
        ("tcp://127.0.0.1:http", "port", "'http'"),
        ("tcp://127.0.0.1:-1", "port", "'-1'"),
        ("tcp://127.0.0.1:8_0", "port", "'8_0'"),
        ("tcp://127.0.0.1:٨٠", "port", "'٨٠'"),
        ("tcp://127.0.0.1:65536", "port", "65536"),
        pytest.param("tcp://h:" + "9" * 5000, "port", "999", id="endless port"),
        ("tcp://127.0.0.1:80/", "port", "'80/'"),
        ("tcp://::1:80", "brackets", "[::1]"),
        ("tcp://[::1:80", "brackets", "tcp://[::1:80"),
        ("tcp://::1]:80", "brackets", "tcp://::1]:80"),
        ("tcp://[::x]:80", "host", "'::x'"),
        ("tcp://[127.0.0.1]:80", "host", "127.0.0.1"),
        ("tcp://user@host:80", "host", "'user@host'"),
        ("tcp://a b:80", "host", "'a b'"),
        ("udp://a/b:80", "host", "'a/b'"),
        ("unix://run/it.sock", "path", "'run/it.sock'"),
        ("unix://", "path", "''"),
        ("unix://@", "path", "'@'"),
        ("unix:///a%00b", "NUL", r"'/a\x00b'"),
        ("unixgram://it", "path", "'it'"),
    ],
)
def test_parse_says_which_part_is_wrong(text: str, part: str, value: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_endpoint(text)

    assert part in str(caught.value)
    assert value in str(caught.value)


@pytest.mark.parametrize("kind", [UnixEndpoint, UnixgramEndpoint])
def test_path_has_one_spelling(kind: Callable[[str], UnixEndpoint | UnixgramEndpoint]) -> None:
    in_parts = "/" + os.fsdecode(b"\xc2") + os.fsdecode(b"\xa7")

    assert kind(in_parts) == kind("/" + os.fsdecode(b"\xc2\xa7"))


@pytest.mark.parametrize("make", [UnixEndpoint, lambda path: parse_endpoint(f"unix://{path}")])
def test_path_that_no_file_can_have_is_refused(make: Callable[[str], Endpoint]) -> None:
    with pytest.raises(EndpointError, match=r"no file can have the path '/\\ud800'"):
        make("/\ud800")


@pytest.mark.parametrize("text", [None, 80, b"tcp://:80", ("", 80)])
def test_parse_refuses_what_is_no_text(text: Any) -> None:
    with pytest.raises(EndpointError, match="must be text"):
        parse_endpoint(text)


@pytest.mark.parametrize("kind", [TcpEndpoint, UdpEndpoint])
@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        (None, 80, "host must be .* got None"),
        (b"localhost", 80, "host must be .* got b'localhost'"),
        ("a b", 80, "host must not contain .* got 'a b'"),
        ("a\0b", 80, "host must not contain"),
        ("*", 80, r"\"\" for all of IPv4, .* got '\*'"),
        ("[::1]", 80, r"without brackets, .* got '\[::1\]'"),
        ("", "80", "port must be a whole number, got '80'"),
        ("", 80.0, "port must be a whole number, got 80.0"),
        ("", True, "port must be a whole number, got True"),
        ("", None, "port must be a whole number, got None"),
        ("", -1, "port must be between 0 and 65535, got -1"),
        ("", 65536, "port must be between 0 and 65535, got 65536"),
    ],
)
def test_inet_endpoint_refuses_what_cannot_be_bound(
    kind: Any, host: Any, port: Any, message: str
) -> None:
    with pytest.raises(EndpointError, match=message):
        kind(host, port)


@pytest.mark.parametrize("kind", [UnixEndpoint, UnixgramEndpoint])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        (None, "must be text, got None"),
        (b"/run/it", "must be text, got b'/run/it'"),
        ("", "must not be empty, got ''"),
        ("@", "must not be empty, got '@'"),
        ("/a\0b", "without NUL"),
    ],
)
def test_unix_endpoint_refuses_what_cannot_be_bound(kind: Any, path: Any, message: str) -> None:
    with pytest.raises(EndpointError, match=message):
        kind(path)


def test_endpoint_error_is_a_configuration_and_a_value_error() -> None:
    assert issubclass(EndpointError, ConfigurationError)
    assert issubclass(EndpointError, ValueError)


def test_endpoints_are_values() -> None:
    assert len({TcpEndpoint("", 80), TcpEndpoint("", 80), UdpEndpoint("", 80)}) == 2
    assert len({UnixEndpoint("/a"), UnixEndpoint("/a"), UnixgramEndpoint("/a")}) == 2
