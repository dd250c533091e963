"""Who is on the other side: one typed value per address family, each still the classic pair."""

from typing import Any, NamedTuple, Self, TypeAlias

_MAPPED_PREFIX = "::ffff:"


class Pair(NamedTuple):
    """The classic pair that every peer is."""

    host: str
    port: int


class IPv4Peer(Pair):
    """An IPv4 address and port, equal to the plain tuple `(host, port)`."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class IPv6Peer(Pair):
    """An IPv6 address and port, equal to the plain tuple `(host, port)`.

    A link-local address keeps its scope behind a percent sign, `fe80::1%2`, so that the pair
    alone is enough to connect back. Source: RFC 4007, section 11.2 (numeric zone ids).
    """

    __slots__ = ()

    @property
    def scope_id(self) -> int:
        """Index of the interface a link-local address belongs to; 0 for every other address."""
        return int(self.host.partition("%")[2] or 0)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}"


class UnixPeer(Pair):
    """The other end of a Unix socket: its path and, where the system tells, its process.

    `path` is "" for an unbound socket and starts with "@" for an abstract name. `pid`, `uid` and
    `gid` are None where they are not known (always so for datagrams). As a pair it is
    `(str(peer), 0)`: what logs print in the place of a host, and no port.
    """

    path: str
    pid: int | None = None
    uid: int | None = None
    gid: int | None = None

    def __new__(
        cls, path: str = "", pid: int | None = None, uid: int | None = None, gid: int | None = None
    ) -> Self:
        """Make the pair from the path, or from the credentials of a socket without one."""
        host = path or ("unix:" if uid is None else f"unix:pid={pid},uid={uid},gid={gid}")
        self = tuple.__new__(cls, (host, 0))  # one step for each accept, where `super` takes three
        self.path = path
        if uid is not None:
            self.pid, self.uid, self.gid = pid, uid, gid
        return self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, UnixPeer):
            return self.__getnewargs__() == other.__getnewargs__()
        return tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.path, self.pid, self.uid, self.gid

    def __str__(self) -> str:
        return self.host

    def __repr__(self) -> str:
        return f"UnixPeer(path={self.path!r}, pid={self.pid}, uid={self.uid}, gid={self.gid})"


InetPeer: TypeAlias = IPv4Peer | IPv6Peer
Peer: TypeAlias = IPv4Peer | IPv6Peer | UnixPeer


def inet_peer(sockaddr: tuple[Any, ...]) -> InetPeer:
    """Turn what the socket module reports for AF_INET or AF_INET6 into a peer.

    An IPv4 client of a dual-stack socket is seen as the IPv4 client it is, never as `::ffff:…`.
    """
    if len(sockaddr) == 2:
        return tuple.__new__(IPv4Peer, sockaddr)
    host, port, _flowinfo, scope_id = sockaddr
    if host.startswith(_MAPPED_PREFIX) and "." in host:
        return IPv4Peer(host[len(_MAPPED_PREFIX) :], port)
    return IPv6Peer(f"{host}%{scope_id}" if scope_id and "%" not in host else host, port)


def unix_path(sockaddr: str | bytes | None) -> str:
    """Return a Unix socket's name as text, with "@" in the place of Linux's leading NUL byte."""
    if not sockaddr:
        return ""
    text = sockaddr.decode("utf-8", "surrogateescape") if isinstance(sockaddr, bytes) else sockaddr
    first = text[0]
    if first == "@":  # a file in the current folder, and no abstract name
        return f"./{text}"
    return "@" + text[1:] if first == "\0" else text
