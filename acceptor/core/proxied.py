"""Who is behind a proxy that speaks the PROXY protocol: the real client, with the hop beside it."""

import enum
from typing import TYPE_CHECKING, Any, Generic, Self

from typing_extensions import TypeVar

from acceptor.core.lazily import LazyModule
from acceptor.core.peers import Pair, Peer
from acceptor.core.values import frozen

if TYPE_CHECKING:
    from acceptor.core import proxy_tlvs as _tlvs
else:
    _tlvs = LazyModule("acceptor.core.proxy_tlvs")

HopT_co = TypeVar("HopT_co", covariant=True, default=Peer)


class ProxyCommand(enum.Enum):
    """What a PROXY header is for."""

    PROXY = "proxy"  # the connection is made for a client
    LOCAL = "local"  # the proxy speaks for itself: a health check


@frozen(kw_only=True)
class ProxyHeader:
    """What a proxy has said of a connection before it passed anything on.

    The properties below are None if it was not told. Where a proxy tells a thing twice, the
    first counts; `tlvs` has them all.

    Raises:
        ConfigurationError: A TLV is malformed.
    """

    version: int  # 1 or 2
    command: ProxyCommand
    source: Peer | None = None  # the client; None if it is not told (UNKNOWN, UNSPEC, LOCAL)
    destination: Peer | None = None  # where the client had connected to
    tlvs: "tuple[_tlvs.Tlv, ...]" = ()  # without padding; none in version 1, none with LOCAL

    def __attrs_post_init__(self) -> None:
        # Looked at once here, so that none of them raises where it is used.
        _ = self.authority, self.unique_id, self.netns, self.tls

    @property
    def authority(self) -> str | None:
        """The host name that the client asked for: its SNI, if it speaks TLS."""
        return _tlvs.text_of(self.tlvs, _tlvs.TlvType.AUTHORITY, "utf-8")

    @property
    def alpn(self) -> bytes | None:
        """The protocol that the client and the proxy have agreed upon, `b"h2"` say."""
        return _tlvs.value_of(self.tlvs, _tlvs.TlvType.ALPN)

    @property
    def unique_id(self) -> bytes | None:
        """The proxy's own name for the connection, at most 128 bytes."""
        return _tlvs.unique_id_of(self.tlvs)

    @property
    def netns(self) -> str | None:
        """The network namespace that the proxy took the client in."""
        return _tlvs.text_of(self.tlvs, _tlvs.TlvType.NETNS)

    @property
    def tls(self) -> "_tlvs.ProxyTls | None":
        """The client's TLS connection; None also if it is told that there is none."""
        value = _tlvs.value_of(self.tlvs, _tlvs.TlvType.TLS)
        return None if value is None else _tlvs.ProxyTls.of(value)


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
