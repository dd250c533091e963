"""What a proxy has told, and the peer that comes of it."""

import copy
import pickle
from typing import Any

import attrs
import pytest

from acceptor import (
    ConfigurationError,
    IPv4Peer,
    IPv6Peer,
    Peer,
    ProxiedPeer,
    ProxyCommand,
    ProxyHeader,
    UnixPeer,
)
from acceptor.core.proxy_tlvs import ProxyTls, Tlv
from tests.transports.proxy_headers import TlvLike, tls_tlv

HOP = IPv4Peer("10.0.0.1", 4000)
CLIENTS: list[Peer] = [IPv4Peer("192.0.2.1", 1), IPv6Peer("2001:db8::1", 2), UnixPeer("/run/it")]
LOCAL = ProxyHeader(version=2, command=ProxyCommand.LOCAL)


def header_of(*tlvs: TlvLike, source: Peer | None = None) -> ProxyHeader:
    return ProxyHeader(
        version=2,
        command=ProxyCommand.PROXY,
        source=source,
        tlvs=tuple(Tlv(*tlv) for tlv in tlvs),
    )


def proxied(client: Peer | None) -> ProxiedPeer[IPv4Peer]:
    return ProxiedPeer(HOP, header_of((0x02, b"name"), source=client))


@pytest.mark.parametrize("client", CLIENTS)
def test_proxied_peer_is_the_clients_classic_pair(client: Peer) -> None:
    peer = proxied(client)

    host, port = peer
    assert isinstance(peer, tuple)
    assert (host, port) == (peer.host, peer.port) == (peer[0], peer[1]) == tuple(client)
    assert peer == (host, port)
    assert (client == peer) is True
    assert not peer != (host, port)  # noqa: SIM202 - the operator is what is tested
    assert peer != (host, port + 1)
    assert hash(peer) == hash((host, port)) == hash(client)
    assert str(peer) == str(client)


def test_proxied_peer_names_client_and_hop_in_its_repr() -> None:
    peer = proxied(CLIENTS[0])

    assert repr(peer) == (
        "ProxiedPeer(client=IPv4Peer(host='192.0.2.1', port=1), "
        "hop=IPv4Peer(host='10.0.0.1', port=4000))"
    )


@pytest.mark.parametrize("header", [LOCAL, header_of()])
def test_proxied_peer_is_the_hop_where_no_client_is_told(header: ProxyHeader) -> None:
    peer = ProxiedPeer(HOP, header)

    assert peer == tuple(HOP)
    assert (peer.client, peer.hop, peer.header) == (HOP, HOP, header)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("client", [*CLIENTS, None])
def test_proxied_peer_survives_pickling(client: Peer | None, protocol: int) -> None:
    peer = proxied(client)

    found = pickle.loads(pickle.dumps(peer, protocol))

    assert_same(found, peer)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("client", [*CLIENTS, None])
def test_proxied_peer_survives_copying(client: Peer | None, copied: Any) -> None:
    peer = proxied(client)

    assert_same(copied(peer), peer)


def assert_same(found: ProxiedPeer[IPv4Peer], peer: ProxiedPeer[IPv4Peer]) -> None:
    assert type(found) is ProxiedPeer
    assert (found, found.client, found.hop) == (peer, peer.client, peer.hop)
    assert (type(found.client), type(found.hop)) == (type(peer.client), IPv4Peer)
    assert found.header == peer.header
    assert repr(found) == repr(peer)


def test_proxied_peer_keeps_the_type_of_a_hop_on_a_unix_socket() -> None:
    hop = UnixPeer("", 1, 2, 3)

    peer = ProxiedPeer(hop, header_of(source=CLIENTS[0]))

    assert (peer.hop.uid, peer.client) == (2, CLIENTS[0])


def test_proxy_header_has_none_of_what_was_not_told() -> None:
    header = header_of((0xE0, b"cloud"))

    assert (header.authority, header.alpn, header.unique_id) == (None, None, None)
    assert (header.netns, header.tls) == (None, None)


def test_proxy_header_takes_the_first_of_what_was_told_twice() -> None:
    header = header_of((0x02, b"first"), (0x02, b"second"))

    assert header.authority == "first"


def test_proxy_header_tells_empty_from_not_told() -> None:
    header = header_of((0x02, b""), (0x01, b""), (0x05, b""), (0x30, b""))

    assert (header.authority, header.alpn, header.unique_id, header.netns) == ("", b"", b"", "")


def test_proxy_header_compares_hashes_and_stays_as_it_is() -> None:
    header = header_of((0x02, b"name"))

    assert header == header_of((0x02, b"name")) != header_of((0x02, b"other"))
    assert len({header, header_of((0x02, b"name"))}) == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        header.tlvs = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("tlv", "what"),
    [
        ((0x02, b"\xff"), "TLV 0x02 is not utf-8"),
        ((0x30, b"\xff"), "TLV 0x30 is not ascii"),
        ((0x05, bytes(129)), "may have 128 bytes"),
        ((0x20, b"\x01"), "needs 5 bytes"),
        (tls_tlv(1, 0, [(0x25, b"\xff")]), "TLV 0x25 is not ascii"),
    ],
)
def test_proxy_header_refuses_a_malformed_tlv_where_it_is_made(tlv: TlvLike, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        header_of(tlv)


def test_proxy_header_tells_all_of_the_clients_tls() -> None:
    texts = [
        (0x21, b"TLSv1.3"),
        (0x22, "Zoë".encode()),
        (0x23, b"TLS_AES_256_GCM_SHA384"),
        (0x24, b"RSA-SHA256"),
        (0x25, b"RSA2048"),
        (0x7F, b"\xff"),
    ]

    tls = header_of(tls_tlv(7, 0, [*texts, (0x04, b"padding")])).tls

    assert tls == ProxyTls(
        verified=True,
        certificate_on_connection=True,
        certificate_in_session=True,
        version="TLSv1.3",
        common_name="Zoë",
        cipher="TLS_AES_256_GCM_SHA384",
        signature_algorithm="RSA-SHA256",
        key_algorithm="RSA2048",
        tlvs=tuple(Tlv(*text) for text in texts),
    )


def test_proxy_header_has_no_texts_of_tls_that_were_not_told() -> None:
    tls = header_of(tls_tlv(1)).tls

    assert tls is not None
    assert (tls.version, tls.common_name, tls.cipher) == (None, None, None)
    assert (tls.signature_algorithm, tls.key_algorithm, tls.tlvs) == (None, None, ())


@pytest.mark.parametrize(
    ("flags", "verify", "told"),
    [
        (0x01, 0, (False, False, False)),  # good, but nobody gave a certificate
        (0x03, 0, (True, True, False)),
        (0x05, 0, (True, False, True)),
        (0x07, 0, (True, True, True)),
        (0x07, 1, (False, True, True)),
        (0x03, 0x01000000, (False, True, False)),
        (0xFF, 0, (True, True, True)),
    ],
)
def test_proxy_tls_is_verified_only_with_a_certificate_that_was_found_good(
    flags: int, verify: int, told: tuple[bool, bool, bool]
) -> None:
    tls = header_of(tls_tlv(flags, verify)).tls

    assert tls is not None
    assert (tls.verified, tls.certificate_on_connection, tls.certificate_in_session) == told


@pytest.mark.parametrize("flags", [0x00, 0x02, 0x06, 0xFE])
def test_proxy_header_has_no_tls_where_the_client_did_not_speak_it(flags: int) -> None:
    assert header_of(tls_tlv(flags)).tls is None
