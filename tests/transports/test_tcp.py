"""TCP: families, options, refusals, and an end that loses no reply."""

import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    EndpointError,
    IPv4Peer,
    IPv6Peer,
    ListenError,
    Ready,
    Server,
    ServerBuilder,
)
from tests.support import ask, connect, read_all, serving

LOOPBACK = ("127.0.0.1", 0)


def who(request: socket.socket, peer: Any, server: Server[Any, Any]) -> None:
    request.sendall(repr(peer).encode())


def tcp(address: Any = LOOPBACK, **options: Any) -> Ready[Any, Any]:
    return ServerBuilder().tcp(address, **options).handler(who)


def option(server: Server[Any, Any], level: int, name: int) -> int:
    with socket.socket(fileno=os.dup(server.fileno())) as sock:
        return sock.getsockopt(level, name)


def as_the_system_keeps_it(level: int, name: int, value: int) -> int:
    """Return what the option reads as once set: Linux doubles the sizes of buffers."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(level, name, value)
        return sock.getsockopt(level, name)


def link_local() -> tuple[str, int]:
    """Return a link-local address of this machine and its interface, or skip the test."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            packed, index, _, scope, _, _ = line.split()
            if scope == "20":
                return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed)), int(index, 16)
    pytest.skip("no interface has a link-local address")


@pytest.mark.parametrize(
    ("address", "bound", "client"),
    [
        (("127.0.0.1", 0), "127.0.0.1", "127.0.0.1"),
        (("127.0.0.2", 0), "127.0.0.2", "127.0.0.2"),
        (("localhost", 0), "127.0.0.1", "127.0.0.1"),
        (("", 0), "0.0.0.0", "127.0.0.1"),
        (("0.0.0.0", 0), "0.0.0.0", "127.0.0.1"),
        (("::1", 0), "::1", "::1"),
        (("::1", 0, 0, 0), "::1", "::1"),
        (("::", 0), "::", "::1"),
        (("::", 0), "::", "127.0.0.1"),
    ],
)
def test_tcp_takes_the_family_from_the_address(address: Any, bound: str, client: str) -> None:
    with serving(tcp(address)) as server, connect((client, server.address.port)) as connection:
        peer = (IPv6Peer if ":" in client else IPv4Peer)(*connection.getsockname()[:2])

        assert server.address == (bound, connection.getpeername()[1])
        assert type(server.address) is (IPv6Peer if ":" in bound else IPv4Peer)
        assert read_all(connection) == repr(peer).encode()


def test_tcp_takes_ipv4_when_a_name_has_both(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def two_families(host: str, *args: Any, **named: Any) -> list[Any]:
        asked.append(host)
        return [*look_up("::1", *args, **named), *look_up("127.0.0.1", *args, **named)]

    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", two_families)

    with tcp(("both.example", 0)).build() as server:
        assert asked == ["both.example"]
        assert server.address.host == "127.0.0.1"


@pytest.mark.parametrize(("host", "only"), [("::1", 1), ("::", 0)])
def test_tcp_is_dual_stack_on_the_wildcard_alone(host: str, only: int) -> None:
    with tcp((host, 0)).build() as server:
        assert option(server, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == only


@pytest.mark.parametrize("form", ["tuple", "text"])
def test_tcp_keeps_the_scope_of_link_local_addresses(form: str) -> None:
    host, index = link_local()
    address: Any = (host, 0, 0, index) if form == "tuple" else (f"{host}%{index}", 0)

    with serving(tcp(address)) as server:
        answer = ask(server.address, b"").decode()

        assert server.address.host == f"{host}%{index}"
        assert server.address.scope_id == index
        assert answer.startswith(f"IPv6Peer(host='{host}%{index}'")


@pytest.mark.parametrize(
    ("options", "level", "name", "value"),
    [
        ({}, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        ({"no_delay": False}, socket.IPPROTO_TCP, socket.TCP_NODELAY, 0),
        ({}, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        ({"keep_alive": False}, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0),
        ({"receive_buffer_size": 30_000}, socket.SOL_SOCKET, socket.SO_RCVBUF, 30_000),
        ({"send_buffer_size": 30_000}, socket.SOL_SOCKET, socket.SO_SNDBUF, 30_000),
        (
            {"socket_options": [(socket.IPPROTO_IP, socket.IP_TOS, 0x10)]},
            *(socket.IPPROTO_IP, socket.IP_TOS, 0x10),
        ),
    ],
)
def test_tcp_option_is_set_on_listener_and_connections(
    options: dict[str, Any], level: int, name: int, value: int
) -> None:
    def tell(request: socket.socket, peer: Any, server: Any) -> None:
        request.sendall(b"%d" % request.getsockopt(level, name))

    expected = as_the_system_keeps_it(level, name, value)
    with serving(ServerBuilder().tcp(LOOPBACK, **options).handler(tell)) as server:
        assert option(server, level, name) == expected
        assert int(ask(server.address, b"")) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="the default there is the other one")
@pytest.mark.parametrize(("given", "expected"), [(None, 1), (True, 1), (False, 0)])
def test_tcp_reuses_the_address_unless_told_otherwise(given: bool | None, expected: int) -> None:
    with tcp(reuse_address=given).build() as server:
        assert option(server, socket.SOL_SOCKET, socket.SO_REUSEADDR) == expected


def test_tcp_restarts_on_its_port_while_old_connections_linger() -> None:
    with serving(tcp()) as server:
        address = tuple(server.address)
        ask(address, b"")  # the server ends first, so TIME_WAIT is on its side

    with tcp(address).build() as again:
        assert again.address == address


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the length of the queue")
@pytest.mark.parametrize("backlog", [None, 1, 7])
def test_tcp_backlog_is_the_systems_maximum_or_what_is_given(backlog: int | None) -> None:
    largest = int(Path("/proc/sys/net/core/somaxconn").read_text())

    with tcp(backlog=backlog).build() as server, socket.socket(fileno=os.dup(server.fileno())) as s:
        info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)

    # Of a listener, the field tcpi_sacked is the queue's limit; linux/net/ipv4/tcp.c.
    assert struct.unpack_from("I", info, 28)[0] == (backlog or min(largest, 0xFFFF))


@pytest.mark.skipif(not hasattr(socket, "SO_BINDTODEVICE"), reason="only Linux binds to a device")
def test_tcp_binds_to_a_device_by_a_socket_option() -> None:
    device = (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")

    with (
        tcp(("", 0), socket_options=[device]).build() as server,
        socket.socket(fileno=os.dup(server.fileno())) as sock,
    ):
        assert sock.getsockopt(*device[:2], 16).rstrip(b"\0") == b"lo"


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the platform has no SO_REUSEPORT")
def test_tcp_servers_share_a_port_when_all_of_them_want_it() -> None:
    def named(name: bytes, address: Any) -> Ready[Any, Any]:
        def tell(request: socket.socket, peer: Any, server: Any) -> None:
            request.sendall(name)

        return ServerBuilder().tcp(address, reuse_port=True).handler(tell)

    with serving(named(b"a", LOOPBACK)) as a, serving(named(b"b", a.address)):
        answers = {ask(a.address, b"") for _ in range(60)}
        with pytest.raises(ListenError):
            tcp(a.address).build().listen()

    assert answers == {b"a", b"b"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backlog": 0}, ("backlog", "1 or more", "0")),
        ({"backlog": -1}, ("backlog", "-1")),
        ({"backlog": True}, ("backlog", "True")),
        ({"backlog": "many"}, ("backlog", "'many'")),
        ({"backlog": 2**31}, ("backlog", str(2**31))),
        ({"receive_buffer_size": 0}, ("receive_buffer_size", "1 or more", "0")),
        ({"receive_buffer_size": 1.5}, ("receive_buffer_size", "1.5")),
        ({"receive_buffer_size": 2**31}, ("receive_buffer_size", str(2**31))),
        ({"send_buffer_size": -1}, ("send_buffer_size", "1 or more", "-1")),
        ({"no_delay": "off"}, ("no_delay", "'off'")),
        ({"keep_alive": "off"}, ("keep_alive", "'off'")),
        ({"socket_options": (1, 2, 3)}, ("socket option", "(level, name,", "1")),
        ({"socket_options": [(1, 2)]}, ("socket option", "(level, name,", "(1, 2)")),
        ({"socket_options": [(1, 2, "x")]}, ("socket option", "(1, 2, 'x')")),
        ({"socket_options": 7}, ("socket option", "7")),
    ],
)
def test_tcp_refuses_a_wrong_option_where_it_is_given(
    options: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ServerBuilder().tcp(LOOPBACK, **options)

    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (None, ("(host, port)", "None")),
        ("127.0.0.1:80", ("(host, port)", "'127.0.0.1:80'")),
        (["127.0.0.1", 80], ("(host, port)", "['127.0.0.1', 80]")),
        (("127.0.0.1",), ("(host, port)", "('127.0.0.1',)")),
        (("::1", 80, 0), ("(host, port", "('::1', 80, 0)")),
        ((None, 80), ("host", "None")),
        ((None, 80, 0, 2), ("host", "None")),
        (("127.0.0.1", "80"), ("port", "'80'")),
        (("127.0.0.1", 65536), ("port", "between 0 and 65535", "65536")),
    ],
)
def test_tcp_refuses_a_wrong_address_where_it_is_given(
    address: Any, words: tuple[str, ...]
) -> None:
    with pytest.raises(EndpointError) as caught:
        ServerBuilder().tcp(address)

    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tcp_refuses_a_port_in_use_and_says_what_to_do(host: str) -> None:
    with tcp((host, 0)).build() as server:
        second = tcp(server.address).build()
        with pytest.raises(ListenError) as caught:
            second.listen()

    shown = f"[{host}]" if ":" in host else host
    assert caught.value.errno == errno.EADDRINUSE
    assert f"tcp://{shown}:{server.address.port}" in str(caught.value)
    assert "another server has it" in str(caught.value)
    assert second.phase.name == "NEW"


def test_tcp_says_so_when_the_address_is_of_another_machine() -> None:
    with pytest.raises(ListenError, match=r"203\.0\.113\.1:0.*no interface") as caught:
        tcp(("203.0.113.1", 0)).build().listen()

    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.fixture
def unprivileged() -> Generator[None, None, None]:
    first = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if first.exists() and int(first.read_text()) <= 1:
        pytest.skip("every port is free to all here")
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows denies no port")
def test_tcp_says_so_when_the_port_is_denied(unprivileged: None) -> None:
    with pytest.raises(ListenError, match=r"127\.0\.0\.1:1\b.*below 1024") as caught:
        tcp(("127.0.0.1", 1)).build().listen()

    assert caught.value.errno == errno.EACCES


def test_tcp_names_the_endpoint_when_the_host_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: Any, **named: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(ListenError, match="tcp://nowhere:80: Name or service not known"):
        tcp(("nowhere", 80)).build().listen()


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
def test_tcp_refuses_a_host_that_can_be_no_name(host: str) -> None:
    with pytest.raises((EndpointError, ListenError), match=host):
        tcp((host, 80)).build().listen()
