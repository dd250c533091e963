"""The calls that begin a server: each way to say where it listens."""

import socket
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    BaseHandler,
    ConfigurationError,
    DatagramHandler,
    EndpointError,
    ServerBuilder,
    StreamHandler,
    TcpEndpoint,
    TcpTransport,
    UdpEndpoint,
    UnixEndpoint,
    UnixgramEndpoint,
)

LOOPBACK = ("127.0.0.1", 0)

builder = ServerBuilder()


def test_listen_on_takes_each_endpoint_as_text_and_as_a_value() -> None:
    listen_on = builder.listen_on

    assert (
        listen_on("tcp://127.0.0.1:0") == listen_on(TcpEndpoint(*LOOPBACK)) == builder.tcp(LOOPBACK)
    )
    assert listen_on("udp://[::1]:0") == listen_on(UdpEndpoint("::1", 0)) == builder.udp(("::1", 0))
    assert (
        listen_on("unix:///run/it")
        == listen_on(UnixEndpoint("/run/it"))
        == builder.unix_stream("/run/it")
    )
    assert (
        listen_on("unixgram://@it")
        == listen_on(UnixgramEndpoint("@it"))
        == builder.unix_datagram("@it")
    )


@pytest.mark.parametrize("path", ["/run/it", b"/run/it", Path("/run/it")], ids=repr)
def test_unix_path_may_be_of_any_kind(path: str | bytes | Path) -> None:
    assert builder.unix_stream(path) == builder.unix_stream("/run/it")
    assert builder.unix_datagram(path) == builder.unix_datagram("/run/it")


def test_abstract_name_may_be_written_as_the_system_does() -> None:
    assert builder.unix_stream("\0name") == builder.unix_stream("@name")


def test_address_may_have_four_parts_and_keeps_its_scope() -> None:
    assert builder.tcp(("fe80::1", 80, 0, 2)) == builder.tcp(("fe80::1%2", 80))
    assert builder.udp(("::1", 80, 0, 0)) == builder.udp(("::1", 80))


def test_transport_given_as_a_value_makes_the_same_stage() -> None:
    transport = TcpTransport(endpoint=TcpEndpoint(*LOOPBACK), backlog=3)

    assert builder.transport(transport) == builder.tcp(LOOPBACK, backlog=3)


def test_socket_of_the_kind_that_was_said_is_taken() -> None:
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        stream.bind(LOOPBACK)
        datagram.bind(LOOPBACK)

        builder.socket(stream, socket.SOCK_STREAM).handler(StreamHandler)
        builder.socket(datagram.fileno(), socket.SOCK_DGRAM).handler(DatagramHandler)
        builder.socket(stream).handler(BaseHandler)
        with pytest.raises(ConfigurationError, match="expected a SOCK_DGRAM socket, got"):
            builder.socket(stream, socket.SOCK_DGRAM)
        with pytest.raises(ConfigurationError, match="expected a 'stream' socket, got a SOCK_STR"):
            builder.socket(stream, "stream")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", ("127.0.0.1",), ("127.0.0.1", "80"), ("127.0.0.1", 65536), (1, 2)]
)
def test_malformed_address_is_refused_where_it_is_written(address: Any) -> None:
    with pytest.raises(EndpointError):
        builder.tcp(address)
    with pytest.raises(EndpointError):
        builder.udp(address)


def test_path_with_the_signs_of_an_endpoint_within_is_a_path() -> None:
    for path in ("@app://it", "/run/it://1"):
        plan = str(builder.unix_stream(path).handler(StreamHandler).build().plan())

        assert "listens on   unix://" in plan


def test_text_of_an_endpoint_is_refused_where_an_address_belongs() -> None:
    for step, text in (
        (builder.tcp, "tcp://127.0.0.1:80"),
        (builder.unix_stream, "unix:///run/it.sock"),
        (builder.unix_datagram, "unixgram:///run/it.sock"),
    ):
        opening: Any = step

        with pytest.raises(EndpointError, match="listen_on"):
            opening(text)
