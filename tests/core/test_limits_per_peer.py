"""How many one peer may have in work: by IPv4 address, IPv6 prefix, Unix user."""

import os
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Accepted,
    Closed,
    IPv4Peer,
    IPv6Peer,
    Limits,
    RefusalReason,
    Refused,
    Reply,
    Server,
    ServerBuilder,
    UnixPeer,
)
from tests.core.kit import (
    STREAMS,
    WORKERS,
    Gate,
    connect_from,
    ending,
    leave,
    sender,
    stage_of,
    wait_for_active,
)
from tests.fakes import FakeIncoming, held, hold, let_go, scripted, tcp
from tests.support import Recorder, connect, serving

each_strategy = pytest.mark.parametrize("strategy", WORKERS)
ONLY_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@each_strategy
def test_per_peer_counts_by_ipv4_address(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().limits(per_peer=2).observe(recorder)
    with serving(stage.handler(hold)) as server:
        mine = [held(server.address) for _ in range(2)]

        with connect(server.address) as third:
            assert ending(third) == b""
        with connect_from("127.0.0.2", server.address) as another:
            assert another.recv(1) == b"!"
            leave(another)

        let_go(mine.pop())
        wait_for_active(server, 1)
        assert let_go(held(server.address)) == b"?"
        let_go(mine.pop())
    assert [event.reason for event in recorder.of(Refused)] == [RefusalReason.PEER_FULL]
    assert recorder.of(Refused)[0].peer.host == "127.0.0.1"  # type: ignore[attr-defined]


@pytest.mark.parametrize("transport", STREAMS)
def test_one_too_many_of_a_peer_is_turned_away_as_the_overflow_says(
    transport: str, tmp_path: Path
) -> None:
    stage = stage_of(transport, "threaded", tmp_path)
    stage = stage.limits(per_peer=1, overflow=Reply(b"one at a time\n"))
    with serving(stage.handler(hold)) as server:
        first = held(server.address)

        with connect(server.address) as second:
            assert ending(second) == b"one at a time\n"

        let_go(first)


@each_strategy
def test_per_peer_counts_datagrams_by_address(strategy: str, tmp_path: Path) -> None:
    recorder = Recorder()
    with Gate.shut() as gate:

        def answer(request: Any, client_address: object, server: Server[Any, Any]) -> None:
            gate.wait()
            request.reply(request.payload)

        stage = stage_of("udp", strategy, tmp_path).limits(per_peer=1).observe(recorder)
        with (
            serving(stage.handler(answer)) as server,
            sender(server.address, tmp_path) as client,
            sender(server.address, tmp_path, "127.0.0.2") as another,
        ):
            client.send(b"first")
            client.send(b"second")
            [refused] = recorder.wait_for(Refused)
            another.send(b"hello")
            recorder.wait_for(Accepted, 2)
            gate.let(2)

            assert client.recv(100) == b"first"
            assert another.recv(100) == b"hello"
    assert refused.reason is RefusalReason.PEER_FULL


@each_strategy
def test_per_peer_counts_unix_datagrams_by_path(strategy: str, tmp_path: Path) -> None:
    recorder = Recorder()
    with Gate.shut() as gate:

        def answer(request: Any, client_address: object, server: Server[Any, Any]) -> None:
            gate.wait()
            request.reply(request.payload)

        stage = stage_of("unix_datagram", strategy, tmp_path).limits(per_peer=1)
        with (
            serving(stage.observe(recorder).handler(answer)) as server,
            sender(server.address, tmp_path) as client,
            sender(server.address, tmp_path) as another,
        ):
            client.send(b"first")
            client.send(b"second")
            recorder.wait_for(Refused)
            another.send(b"hello")
            recorder.wait_for(Accepted, 2)
            gate.let(2)

            assert client.recv(100) == b"first"
            assert another.recv(100) == b"hello"
    assert len(recorder.of(Refused)) == 1


@ONLY_ROOT
@each_strategy
def test_per_peer_counts_by_unix_user(strategy: str, tmp_path: Path) -> None:
    # An abstract name: no folder stands in the other user's way.
    stage = getattr(ServerBuilder().unix_stream(f"@{tmp_path}"), strategy)()
    with serving(stage.limits(per_peer=1).handler(hold)) as server:
        first = held(server.address)

        with connect(server.address) as second:
            assert ending(second) == b""
        os.seteuid(65534)
        try:
            another = connect(server.address)
        finally:
            os.seteuid(0)
        with another:
            assert another.recv(1) == b"!"

        let_go(first)


def test_per_peer_counts_by_ipv6_prefix() -> None:
    recorder = Recorder()
    peers = [IPv6Peer(host, 1) for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")]
    incoming: list[Any] = [FakeIncoming(peer=peer) for peer in peers]
    _, stage = scripted(*incoming)
    with Gate.shut() as gate:
        stage = stage.threaded().limits(per_peer=1).observe(recorder)
        with serving(stage.handler(lambda *_: gate.wait())):
            recorder.wait_for(Accepted, 2)

            gate.let(2)

            recorder.wait_for(Closed, 2)
    assert [event.peer for event in recorder.of(Refused)] == [peers[1]]
    assert [event.peer for event in recorder.of(Accepted)] == [peers[0], peers[2]]


SAME = [
    (IPv4Peer("192.0.2.1", 1), IPv4Peer("192.0.2.1", 2)),
    (IPv6Peer("2001:db8::1", 1), IPv6Peer("2001:db8::ffff:ffff:ffff:ffff", 2)),
    (UnixPeer("", 1, 1000, 7), UnixPeer("/run/other", 2, 1000, 8)),
    (UnixPeer("/run/same"), UnixPeer("/run/same")),
]
DIFFERENT = [
    (IPv4Peer("192.0.2.1", 1), IPv4Peer("192.0.2.2", 1)),
    (IPv6Peer("2001:db8::1", 1), IPv6Peer("2001:db8:0:1::1", 1)),
    (IPv6Peer("fe80::1%1", 1), IPv6Peer("fe80::1%2", 1)),
    (UnixPeer("", 1, 1000, 7), UnixPeer("", 1, 1001, 7)),
    (UnixPeer("/run/one"), UnixPeer("/run/two")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_limits_count_these_as_one_peer(one: object, other: object) -> None:
    assert Limits().key_of(one) == Limits().key_of(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_limits_tell_these_apart(one: object, other: object) -> None:
    assert Limits().key_of(one) != Limits().key_of(other)


def test_prefix_by_which_ipv6_peers_are_told_apart_can_be_chosen() -> None:
    near, far = IPv6Peer("2001:db8::1", 1), IPv6Peer("2001:db8:0:ff::1", 1)

    assert Limits(ipv6_prefix=56).key_of(near) == Limits(ipv6_prefix=56).key_of(far)
    assert Limits(ipv6_prefix=128).key_of(near) != Limits(ipv6_prefix=128).key_of(
        IPv6Peer("2001:db8::2", 1)
    )
