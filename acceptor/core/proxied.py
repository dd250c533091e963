"""Who is behind a proxy that speaks the PROXY protocol: the real client, with the hop beside it."""

import enum
from typing import Any, Generic, Self, TypeVar

import attrs

from acceptor.core.peers import Pair, Peer

HopT_co = TypeVar("HopT_co", covariant=True)


class ProxyCommand(enum.Enum):
    """What a PROXY header is for."""

    PROXY = "proxy"  # the connection is made for a client
    LOCAL = "local"  # the proxy speaks for itself: a health check


@attrs.frozen(kw_only=True)
class ProxyHeader:
    """What a proxy has said of a connection before it passed anything on."""

    version: int  # 1 or 2
    command: ProxyCommand
    source: Peer | None = None  # the client; None if it is not told (UNKNOWN, UNSPEC, LOCAL)
    destination: Peer | None = None  # where the client had connected to


class ProxiedPeer(Pair, Generic[HopT_co]):
    """The real client of a proxied connection, still the classic pair of host and port.

    It is the proxy itself where that speaks for itself, or does not know its client.
    """

    client: Peer | HopT_co
    hop: HopT_co
    header: ProxyHeader

    def __new__(cls, hop: HopT_co, header: ProxyHeader) -> Self:
        """Make it of who is connected and what it has said."""
        client: Any = hop if header.source is None else header.source
        self = tuple.__new__(cls, client)
        self.client, self.hop, self.header = client, hop, header
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.hop, self.header

    def __str__(self) -> str:
        return str(self.client)

    def __repr__(self) -> str:
        return f"ProxiedPeer(client={self.client!r}, hop={self.hop!r})"
