"""The PROXY protocol as a step on a connection's way: who the real client is."""

from collections.abc import Iterable
from typing import ClassVar

import attrs

from acceptor.core.errors import ConfigurationError
from acceptor.core.path import Layer
from acceptor.core.proxied import ProxiedPeer
from acceptor.core.values import frozen
from acceptor.transports.layered import LayeredIncoming
from acceptor.transports.proxy_wire import read_header


def _versions(versions: Iterable[int]) -> frozenset[int]:
    try:
        found = frozenset(versions)
    except TypeError:
        found = frozenset()
    if not found or not found <= {1, 2}:
        raise ConfigurationError(f"versions must be some of (1, 2), got {versions!r}")
    return found


@frozen
class ProxyProtocol(Layer):
    """Reads the header, which must be there: nothing is guessed. Source: proxy-protocol.txt."""

    peer_types: ClassVar[tuple[type, ...]] = (ProxiedPeer,)

    versions: frozenset[int] = attrs.field(default=frozenset({1, 2}), converter=_versions)

    def negotiate(self, connection: LayeredIncoming, /) -> None:
        """Read it; from here on the peer is the real client, with the hop beside it."""
        header = read_header(connection.live.recv, self.versions)
        connection.peer = ProxiedPeer(connection.peer, header)

    def __repr__(self) -> str:
        return f"proxy_protocol(versions={sorted(self.versions)})"
