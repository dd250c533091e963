"""UDP: families, options, honest datagrams, and answers from the address that was asked."""

import errno
import os
import queue
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    Datagram,
    Draining,
    EndpointError,
    IPv4Peer,
    IPv6Peer,
    ListenError,
    NeedsHandler,
    Ready,
    Server,
    ServerBuilder,
)
from tests.support import PATIENCE, Recorder, serving

LOOPBACK = ("127.0.0.1", 0)

# The largest payload that IPv4 has room for: 65,535 less the headers of IP and UDP; RFC 768.
LARGEST = 65_507


def echo(datagram: Datagram, peer: Any, server: Server[Any, Any]) -> None:
    datagram.reply(datagram.payload)


def udp(address: Any = LOOPBACK, **options: Any) -> NeedsHandler[Any, Any]:
    return ServerBuilder().udp(address, **options)


def keeping(stage: NeedsHandler[Any, Any]) -> tuple[Ready[Any, Any], "queue.Queue[Datagram]"]:
    """Add a handler that answers each datagram and keeps it for the test."""
    kept: queue.Queue[Datagram] = queue.Queue()

    def keep(datagram: Datagram, peer: Any, server: Server[Any, Any]) -> None:
        kept.put(datagram)
        datagram.reply(b"ok")

    return stage.handler(keep), kept


def client_at(host: str, scope: int = 0) -> socket.socket:
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(PATIENCE)
    client.bind((host, 0, 0, scope) if ":" in host else (host, 0))
    return client


def own_ipv6_address(wanted_scope: str) -> tuple[str, int]:
    """Return an address of this machine, "00" global or "20" link-local, and its interface."""
    table = Path("/proc/net/if_inet6")
    for line in table.read_text().splitlines() if table.exists() else ():
        packed, index, _, scope, _, _ = line.split()
        if scope == wanted_scope:
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed)), int(index, 16)
    pytest.skip("no interface has such an address")


def option(server: Server[Any, Any], level: int, name: int) -> int:
    with socket.socket(fileno=os.dup(server.fileno())) as sock:
        return sock.getsockopt(level, name)


@pytest.mark.parametrize(
    ("address", "bound", "client"),
    [
        (("127.0.0.1", 0), "127.0.0.1", "127.0.0.1"),
        (("localhost", 0), "127.0.0.1", "127.0.0.1"),
        (("", 0), "0.0.0.0", "127.0.0.1"),
        (("::1", 0), "::1", "::1"),
        (("::1", 0, 0, 0), "::1", "::1"),
        (("::", 0), "::", "::1"),
        (("::", 0), "::", "127.0.0.1"),
    ],
)
def test_udp_takes_the_family_from_the_address(address: Any, bound: str, client: str) -> None:
    ready, kept = keeping(udp(address))

    with serving(ready) as server, client_at(client) as sock:
        sock.sendto(b"hello", (client, server.address.port))
        answer, sender = sock.recvfrom(100)
        peer = kept.get().peer

        assert server.address.host == bound
        assert type(server.address) is (IPv6Peer if ":" in bound else IPv4Peer)
        assert peer == sock.getsockname()[:2]
        assert type(peer) is (IPv6Peer if ":" in client else IPv4Peer)
        assert (answer, sender[:2]) == (b"ok", (client, server.address.port))


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
@pytest.mark.parametrize(
    ("bound", "client", "asked"),
    [
        ("", "127.0.0.1", "127.0.0.2"),
        ("0.0.0.0", "127.0.0.3", "127.0.0.2"),
        ("::", "127.0.0.1", "127.0.0.2"),
        ("::", "::1", "::1"),
    ],
)
def test_udp_answers_from_the_address_that_was_asked(
    bound: str, client: str, asked: str, strategy: str
) -> None:
    ready = getattr(udp((bound, 0)), strategy)().handler(echo)

    with serving(ready) as server, client_at(client) as sock:
        sock.sendto(b"hello", (asked, server.address.port))

        assert sock.recvfrom(100)[1][:2] == (asked, server.address.port)


def test_udp_answers_from_another_ipv6_address_that_was_asked() -> None:
    # From ::1 to ::1 proves little, since the system would choose that source by itself.
    asked, _ = own_ipv6_address("00")

    with serving(udp(("::", 0)).handler(echo)) as server, client_at("::1") as sock:
        sock.sendto(b"hello", (asked, server.address.port))

        assert sock.recvfrom(100)[1][:2] == (asked, server.address.port)


@pytest.mark.parametrize("bound", ["the address", "all"])
def test_udp_answers_link_local_clients(bound: str) -> None:
    host, index = own_ipv6_address("20")
    ready, kept = keeping(udp(("::", 0) if bound == "all" else (host, 0, 0, index)))

    with serving(ready) as server, client_at(host, index) as sock:
        sock.sendto(b"hello", (host, server.address.port, 0, index))

        assert sock.recvfrom(100)[1] == (host, server.address.port, 0, index)
        assert kept.get().peer == (f"{host}%{index}", sock.getsockname()[1])


@pytest.mark.parametrize(
    ("bound", "asked", "told"),
    [
        ("", "127.0.0.2", "127.0.0.2"),
        ("::", "127.0.0.2", "127.0.0.2"),
        ("127.0.0.2",) * 2 + (None,),
    ],
)
def test_udp_tells_the_address_that_was_asked_where_it_may_be_any(
    bound: str, asked: str, told: str | None
) -> None:
    ready, kept = keeping(udp((bound, 0)))

    with serving(ready) as server, client_at("127.0.0.1") as sock:
        sock.sendto(b"hello", (asked, server.address.port))

        assert kept.get(timeout=PATIENCE).local_host == told


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_udp_carries_the_largest_payload_both_ways(host: str) -> None:
    payload = os.urandom(LARGEST)

    with serving(udp((host, 0)).handler(echo)) as server, client_at(host) as sock:
        sock.sendto(payload, tuple(server.address))

        assert sock.recv(2 * LARGEST) == payload


@pytest.mark.parametrize(
    ("sent", "got", "truncated"),
    [
        (b"", b"", False),
        (b"123", b"123", False),
        (b"1234", b"1234", False),
        (b"12345", b"1234", True),
    ],
)
def test_udp_datagram_says_whether_it_was_cut(sent: bytes, got: bytes, truncated: bool) -> None:
    ready, kept = keeping(udp(max_datagram_size=4))

    with serving(ready) as server, client_at("127.0.0.1") as sock:
        sock.sendto(sent, tuple(server.address))
        datagram = kept.get(timeout=PATIENCE)

    assert (datagram.payload, datagram.truncated) == (got, truncated)


def test_udp_sends_nothing_unasked() -> None:
    def answer_questions(datagram: Datagram, peer: Any, server: Any) -> None:
        if datagram.payload:
            datagram.reply(b"answer")

    with serving(udp().handler(answer_questions)) as server, client_at("127.0.0.1") as sock:
        for payload in (b"", b"", b"question"):
            sock.sendto(payload, tuple(server.address))

        assert sock.recv(100) == b"answer"


def test_udp_reply_may_be_empty_and_repeated() -> None:
    def answer(datagram: Datagram, peer: Any, server: Any) -> None:
        taken.put([datagram.reply(payload) for payload in (b"one", b"", b"three")])

    taken: queue.Queue[list[bool]] = queue.Queue()
    with serving(udp().handler(answer)) as server, client_at("127.0.0.1") as sock:
        sock.sendto(b"", tuple(server.address))

        assert [sock.recv(100) for _ in range(3)] == [b"one", b"", b"three"]
        assert taken.get(timeout=PATIENCE) == [True, True, True]


def failing(call: Callable[[], object]) -> OSError:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the test looks at the errno
        call()
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_udp_reply_raises_when_it_is_too_long(host: str) -> None:
    errors: queue.Queue[OSError] = queue.Queue()

    def answer(datagram: Datagram, peer: Any, server: Any) -> None:
        errors.put(failing(lambda: datagram.reply(b"x" * 65_536)))
        datagram.reply(b"shorter")

    with serving(udp((host, 0)).handler(answer)) as server, client_at(host) as sock:
        sock.sendto(b"", tuple(server.address))

        assert errors.get(timeout=PATIENCE).errno == errno.EMSGSIZE
        assert sock.recv(100) == b"shorter"


def test_udp_reply_raises_when_the_server_is_closed() -> None:
    ready, kept = keeping(udp())
    with serving(ready) as server, client_at("127.0.0.1") as sock:
        sock.sendto(b"", tuple(server.address))
        datagram = kept.get(timeout=PATIENCE)

    assert failing(lambda: datagram.reply(b"late")).errno == errno.EBADF


def test_udp_reply_goes_out_while_the_server_drains() -> None:
    recorder, begun, may_answer = Recorder(), threading.Event(), threading.Event()

    def answer(datagram: Datagram, peer: Any, server: Any) -> None:
        begun.set()
        may_answer.wait(PATIENCE)
        datagram.reply(b"after all")

    ready = udp().threaded().observe(recorder).handler(answer)
    with serving(ready) as server, client_at("127.0.0.1") as sock:
        drain = threading.Thread(target=server.drain, args=(PATIENCE,))
        sock.sendto(b"", tuple(server.address))
        begun.wait(PATIENCE)
        drain.start()
        recorder.wait_for(Draining)
        may_answer.set()

        assert sock.recv(100) == b"after all"
        drain.join()


def test_udp_server_goes_on_when_a_client_is_gone() -> None:
    ready, kept = keeping(udp())

    with serving(ready) as server:
        for _ in range(3):  # each answer may come back as an error of the server's socket
            with client_at("127.0.0.1") as gone:
                gone.sendto(b"hello", tuple(server.address))
            kept.get(timeout=PATIENCE)
        with client_at("127.0.0.1") as sock:
            sock.sendto(b"hello", tuple(server.address))

            assert sock.recv(100) == b"ok"


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({}, "SO_REUSEADDR", 0),
        ({"reuse_address": True}, "SO_REUSEADDR", 1),
        ({"reuse_port": True}, "SO_REUSEPORT", 1),
        ({"receive_buffer_size": 30_000}, "SO_RCVBUF", 30_000),
        ({"send_buffer_size": 30_000}, "SO_SNDBUF", 30_000),
        (
            {"socket_options": [(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)]},
            *("SO_BROADCAST", 1),
        ),
    ],
)
def test_udp_option_is_set(options: dict[str, Any], name: str, value: int) -> None:
    if not hasattr(socket, name):
        pytest.skip(f"the platform has no {name}")
    number = getattr(socket, name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, number, value)
        expected = other.getsockopt(socket.SOL_SOCKET, number)  # Linux doubles some

    with udp(**options).handler(echo).build() as server:
        assert option(server, socket.SOL_SOCKET, number) == expected


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="the platform has no SO_REUSEPORT")
def test_udp_servers_share_a_port_when_all_of_them_want_it() -> None:
    def named(name: bytes, address: Any) -> Ready[Any, Any]:
        return udp(address, reuse_port=True).handler(lambda datagram, *_: datagram.reply(name))

    answers = set()
    with serving(named(b"a", LOOPBACK)) as a, serving(named(b"b", a.address)):
        for _ in range(60):  # the system chooses by the client's port
            with client_at("127.0.0.1") as sock:
                sock.sendto(b"", tuple(a.address))
                answers.add(sock.recv(100))

    assert answers == {b"a", b"b"}


def test_udp_refuses_a_port_in_use_and_says_what_to_do() -> None:
    with (
        udp().handler(echo).build() as server,
        pytest.raises(ListenError, match="another server has it") as caught,
    ):
        udp(server.address).handler(echo).build().listen()

    assert caught.value.errno == errno.EADDRINUSE
    assert f"udp://127.0.0.1:{server.address.port}" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_datagram_size": 0}, ("max_datagram_size", "1 or more", "0")),
        ({"max_datagram_size": True}, ("max_datagram_size", "True")),
        ({"max_datagram_size": None}, ("max_datagram_size", "None")),
        ({"max_datagram_size": 2**31}, ("max_datagram_size", str(2**31))),
        ({"receive_buffer_size": -1}, ("receive_buffer_size", "-1")),
        ({"send_buffer_size": "1k"}, ("send_buffer_size", "'1k'")),
        ({"socket_options": [None]}, ("socket option", "None")),
    ],
)
def test_udp_refuses_a_wrong_option_where_it_is_given(
    options: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        udp(**options)

    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("address", [None, "127.0.0.1:53", ("127.0.0.1",), ("127.0.0.1", 2**16)])
def test_udp_refuses_a_wrong_address_where_it_is_given(address: Any) -> None:
    with pytest.raises(EndpointError):
        udp(address)
