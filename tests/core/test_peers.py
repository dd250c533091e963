"""Peers: typed values that are still the classic pair."""

import copy
import pickle
from typing import Any

import pytest

from acceptor import InetPeer, IPv4Peer, IPv6Peer, Peer, UnixPeer
from acceptor.core.peers import inet_peer, unix_path

PEERS: list[tuple[Peer, tuple[str, int]]] = [
    (IPv4Peer("127.0.0.1", 80), ("127.0.0.1", 80)),
    (IPv6Peer("::1", 80), ("::1", 80)),
    (IPv6Peer("fe80::1%2", 80), ("fe80::1%2", 80)),
    (UnixPeer("/run/it.sock", 1, 2, 3), ("/run/it.sock", 0)),
    (UnixPeer("@name"), ("@name", 0)),
    (UnixPeer("", 1, 2, 3), ("unix:pid=1,uid=2,gid=3", 0)),
    (UnixPeer(), ("unix:", 0)),
]


@pytest.fixture(params=PEERS, ids=lambda pair: repr(pair[0]))
def peer_and_pair(request: pytest.FixtureRequest) -> tuple[Peer, tuple[str, int]]:
    found: tuple[Peer, tuple[str, int]] = request.param
    return found


def test_peer_unpacks_and_indexes_as_the_classic_pair(
    peer_and_pair: tuple[Peer, tuple[str, int]],
) -> None:
    peer, pair = peer_and_pair

    host, port = peer

    assert (host, port) == (peer[0], peer[1]) == (peer.host, peer.port) == pair
    assert len(peer) == 2
    assert f"{peer[0]}:{peer[1]}" == "%s:%d" % pair  # noqa: UP031 - how old handlers log it


def test_peer_compares_and_hashes_as_the_classic_pair(
    peer_and_pair: tuple[Peer, tuple[str, int]],
) -> None:
    peer, pair = peer_and_pair

    assert peer == pair
    assert {pair: "known"}[peer] == "known"
    assert peer != (pair[0], pair[1] + 1)


def test_peers_sort_by_host_and_port() -> None:
    second, first = IPv4Peer("127.0.0.1", 2), IPv4Peer("127.0.0.1", 1)

    assert sorted([second, first]) == [first, second]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_peer_survives_pickling(peer_and_pair: tuple[Peer, tuple[str, int]], protocol: int) -> None:
    peer, _ = peer_and_pair

    restored = pickle.loads(pickle.dumps(peer, protocol))

    assert type(restored) is type(peer)
    assert repr(restored) == repr(peer)


def test_peer_survives_copying(peer_and_pair: tuple[Peer, tuple[str, int]]) -> None:
    peer, _ = peer_and_pair

    for copied in (copy.copy(peer), copy.deepcopy(peer)):
        assert type(copied) is type(peer)
        assert repr(copied) == repr(peer)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (IPv4Peer("127.0.0.1", 80), "127.0.0.1:80"),
        (IPv6Peer("::1", 80), "[::1]:80"),
        (IPv6Peer("fe80::1%2", 80), "[fe80::1%2]:80"),
        (UnixPeer("/run/it.sock", 1, 2, 3), "/run/it.sock"),
        (UnixPeer("", 1, 2, 3), "unix:pid=1,uid=2,gid=3"),
        (UnixPeer("", None, 2, 3), "unix:pid=None,uid=2,gid=3"),
        (UnixPeer(), "unix:"),
    ],
)
def test_peer_prints_what_a_log_wants(peer: Peer, text: str) -> None:
    assert str(peer) == f"{peer}" == text


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        (IPv4Peer("127.0.0.1", 80), "IPv4Peer(host='127.0.0.1', port=80)"),
        (IPv6Peer("::1", 80), "IPv6Peer(host='::1', port=80)"),
        (UnixPeer("/a", 1, 2, 3), "UnixPeer(path='/a', pid=1, uid=2, gid=3)"),
    ],
)
def test_peer_shows_its_type_and_parts(peer: Peer, text: str) -> None:
    assert repr(peer) == text


@pytest.mark.parametrize(
    ("sockaddr", "peer"),
    [
        (("127.0.0.1", 80), IPv4Peer("127.0.0.1", 80)),
        (("::1", 80, 0, 0), IPv6Peer("::1", 80)),
        (("::ffff:127.0.0.1", 80, 0, 0), IPv4Peer("127.0.0.1", 80)),
        (("::ffff:10.0.0.1", 80, 0, 0), IPv4Peer("10.0.0.1", 80)),
        (("fe80::1", 80, 0, 2), IPv6Peer("fe80::1%2", 80)),
        (("fe80::1%2", 80, 0, 2), IPv6Peer("fe80::1%2", 80)),
        (("2001:db8::1", 80, 7, 0), IPv6Peer("2001:db8::1", 80)),
        # Of another network altogether, although it looks similar.
        (("::ffff:0:1", 80, 0, 0), IPv6Peer("::ffff:0:1", 80)),
    ],
)
def test_inet_peer_has_the_type_of_its_family(sockaddr: tuple[Any, ...], peer: InetPeer) -> None:
    found = inet_peer(sockaddr)

    assert type(found) is type(peer)
    assert found == peer


@pytest.mark.parametrize(("host", "scope"), [("fe80::1%2", 2), ("fe80::1", 0), ("::1", 0)])
def test_ipv6_peer_keeps_the_scope_of_a_link_local_address(host: str, scope: int) -> None:
    assert IPv6Peer(host, 80).scope_id == scope


@pytest.mark.parametrize(
    ("sockaddr", "path"),
    [
        (None, ""),
        ("", ""),
        (b"", ""),
        ("/run/it.sock", "/run/it.sock"),
        (b"\0name", "@name"),
        (b"\0\xff", "@\udcff"),
        ("\0name", "@name"),
        (b"\0", "@"),
    ],
)
def test_unix_path_is_text_whatever_the_system_tells(
    sockaddr: str | bytes | None, path: str
) -> None:
    assert unix_path(sockaddr) == path


def test_unix_peer_knows_what_the_system_told() -> None:
    told, untold = UnixPeer("/a", 1, 2, 3), UnixPeer("/a")

    assert (told.path, told.pid, told.uid, told.gid) == ("/a", 1, 2, 3)
    assert (untold.path, untold.pid, untold.uid, untold.gid) == ("/a", None, None, None)


def test_unix_peers_of_other_processes_differ_even_under_the_same_path() -> None:
    one, other = UnixPeer("/run/it.sock", 1, 0, 0), UnixPeer("/run/it.sock", 2, 0, 0)

    assert one != other
    assert one == UnixPeer("/run/it.sock", 1, 0, 0)
    assert len({one, other, UnixPeer("/run/it.sock", 1, 0, 0)}) == 2
