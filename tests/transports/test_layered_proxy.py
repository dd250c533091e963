"""The PROXY protocol in front of real servers: who is believed, and what handlers see."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Accepted,
    Closed,
    HandshakeFailed,
    HandshakeFailure,
    Outcome,
    ProxiedPeer,
    RefusalReason,
    Refused,
    Started,
    UnixPeer,
    allow_users,
)
from tests.core.kit import ending, leave
from tests.support import Recorder, connect, serving
from tests.tls_files import handshake, pki
from tests.transports.proxy_headers import local, v1, v2
from tests.transports.tls_kit import STRATEGIES, TRANSPORTS, begin, layered, told


def _tell_peer(request: Any, client_address: Any, server: object) -> None:
    hop = client_address.hop
    where = "Unix" if isinstance(hop, UnixPeer) else hop.host
    request.sendall(f"{client_address.host} from {where}\n".encode())
    request.sendall(request.recv(100))


def _ask(address: Any, *data: bytes) -> bytes:
    with connect(address) as client:
        for piece in data:
            client.sendall(piece)
        got = ending(client)
        leave(client)
    assert isinstance(got, bytes)
    return got


@pytest.mark.parametrize("header", [v1, v2])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_handler_sees_the_client_and_the_hop(
    strategy: str, transport: str, header: Callable[[], bytes], tmp_path: Path
) -> None:
    with serving(layered("proxy", transport, strategy, tmp_path).handler(_tell_peer)) as server:
        answer = _ask(server.address, header() + b"rest")

    hop = {"tcp": "127.0.0.1", "tcp6": "::1", "unix_stream": "Unix"}[transport]
    assert answer == f"192.0.2.1 from {hop}\nrest".encode()


@pytest.mark.parametrize("header", [local(), b"PROXY UNKNOWN\r\n", v2(None)])
def test_a_proxy_that_speaks_for_itself_is_the_client(header: bytes, tmp_path: Path) -> None:
    with serving(layered("proxy", "tcp", "threaded", tmp_path).handler(_tell_peer)) as server:
        answer = _ask(server.address, header, b"rest")

    assert answer == b"127.0.0.1 from 127.0.0.1\nrest"


def test_events_name_the_client_as_soon_as_it_is_known(tmp_path: Path) -> None:
    recorder = Recorder()
    stage = layered("proxy", "tcp", "threaded", tmp_path).observe(recorder)

    with serving(stage.handler(_tell_peer)) as server:
        _ask(server.address, v2(), b"rest")
        (closed,) = recorder.wait_for(Closed)

    (accepted,), (started,) = recorder.of(Accepted), recorder.of(Started)
    assert not isinstance(accepted.peer, ProxiedPeer)
    assert isinstance(started.peer, ProxiedPeer)
    assert started.peer.hop == accepted.peer
    assert closed.peer == started.peer
    assert (closed.received, closed.sent) == (4, len("192.0.2.1 from 127.0.0.1\nrest"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", HandshakeFailure.BAD_PROXY_HEADER),
        (b"PROXY TCP4 nowhere 198.51.100.2 1 2\r\n", HandshakeFailure.BAD_PROXY_HEADER),
        (v2()[:-1] + b"", HandshakeFailure.CLIENT_LEFT),
        (b"", HandshakeFailure.CLIENT_LEFT),
    ],
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_connection_without_a_valid_header_fails(
    strategy: str, data: bytes, reason: HandshakeFailure, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = layered("proxy", "tcp", strategy, tmp_path).observe(recorder)

    with told() as hears, serving(stage.observe(hears).handler(_tell_peer)) as server:
        with connect(server.address) as client:
            client.sendall(data)
            if reason is HandshakeFailure.CLIENT_LEFT:
                leave(client)
            else:
                assert ending(client) == b""
        assert hears.hear() == f"HandshakeFailed {reason.name} 1"
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.HANDSHAKE_FAILED


@pytest.mark.parametrize(
    ("version", "header", "welcome"), [(1, v1(), True), (1, v2(), False), (2, v2(), True)]
)
def test_only_the_versions_that_were_named_are_taken(
    version: int, header: bytes, welcome: bool, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = begin("tcp", "threaded", tmp_path)
    stage = stage.proxy_protocol(trusted="127.0.0.0/8", versions=[version]).observe(recorder)

    with serving(stage.handler(_tell_peer)) as server:
        answer = _ask(server.address, header, b"rest")

    assert answer.endswith(b"rest") is welcome
    failed = [one.reason for one in recorder.of(HandshakeFailed)]
    assert failed == ([] if welcome else [HandshakeFailure.BAD_PROXY_HEADER])


def test_a_hop_that_is_not_trusted_is_refused_before_it_is_read(tmp_path: Path) -> None:
    recorder = Recorder()
    stage = begin("tcp", "threaded", tmp_path).proxy_protocol(trusted=["192.0.2.0/24"])

    with serving(stage.observe(recorder).handler(_tell_peer)) as server:
        with connect(server.address) as client:
            ending(client)
        (refused,) = recorder.wait_for(Refused)

    assert refused.reason is RefusalReason.DENIED
    assert refused.id is None
    assert recorder.of(Accepted) == []


@pytest.mark.parametrize("user", [os.getuid(), os.getuid() + 1])
def test_a_unix_hop_is_trusted_by_its_user(user: int, tmp_path: Path) -> None:
    recorder = Recorder()
    stage = begin("unix_stream", "threaded", tmp_path).proxy_protocol(trusted=allow_users(user))

    with (
        serving(stage.observe(recorder).handler(_tell_peer)) as server,
        connect(server.address) as client,
    ):
        if user == os.getuid():
            client.sendall(v1() + b"rest")
        answer = ending(client)

    welcome = user == os.getuid()
    assert (answer == b"192.0.2.1 from Unix\nrest") is welcome
    assert bool(recorder.of(Refused)) is not welcome


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_header_handshake_and_request_may_come_in_one_segment(
    strategy: str, tmp_path: Path
) -> None:
    with serving(layered("proxy+tls", "tcp", strategy, tmp_path).handler(_tell_peer)) as server:
        client = connect(server.address)
        client.sendall(v2())
        with handshake(client, pki().trusting()) as secured:
            secured.sendall(b"rest")
            answer = ending(secured)
            leave(secured)

    assert answer == b"192.0.2.1 from 127.0.0.1\nrest"
