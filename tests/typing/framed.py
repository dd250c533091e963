# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What `framed` makes of the types: messages, sessions, framings. Read by checkers."""

import functools
import ssl
from collections.abc import Iterator
from typing import assert_type

import attrs

from acceptor import (
    Close,
    Connection,
    Datagram,
    Forked,
    Framing,
    FramingError,
    InetPeer,
    Message,
    MessageFault,
    NeedsHandler,
    Peer,
    ProxiedPeer,
    Ready,
    Reply,
    Reset,
    Secured,
    Server,
    ServerBuilder,
    TlsView,
    UnixPeer,
    allow_networks,
    allow_users,
    delimited,
    fixed,
    length_prefixed,
    lines,
    replying,
)

builder = ServerBuilder()
tcp = builder.tcp(("", 0))
udp = builder.udp(("", 0))
unix = builder.unix_stream("/run/it")
unixgram = builder.unix_datagram("/run/it")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
secured = tcp.tls(context)
proxied = tcp.proxy_protocol(trusted="10.0.0.0/8")
both = proxied.tls(context)


@attrs.define
class Session:
    """What a connection remembers."""

    name: str = ""
    connection: "Connection[Session] | None" = None

    def opened(self, connection: "Connection[Session]") -> None:
        self.connection = connection
        assert_type(connection.id, int)
        assert_type(connection.hop, Peer | None)
        assert_type(connection.tls, TlsView | None)
        assert_type(connection.session, Session)
        assert_type(connection.session.name, str)
        assert_type(connection.reply(b"hello"), bool)
        connection.close()

    def closed(self, connection: "Connection[Session]") -> None:
        assert_type(connection.session, Session)


# The request becomes a message, the peer stays, on every stream stage.
framed = assert_type(tcp.framed(lines()), NeedsHandler[Message[None], InetPeer])
typed = assert_type(tcp.framed(lines(), session=Session), NeedsHandler[Message[Session], InetPeer])
assert_type(unix.framed(fixed(8)), NeedsHandler[Message[None], UnixPeer])
assert_type(
    unix.framed(fixed(8), session=dict[str, int]).threaded(),
    NeedsHandler[Message[dict[str, int]], UnixPeer],
)
assert_type(secured.framed(length_prefixed()), NeedsHandler[Message[None], InetPeer])
assert_type(secured.framed(lines(), session=Session), NeedsHandler[Message[Session], InetPeer])
assert_type(proxied.framed(delimited(b"\0")), NeedsHandler[Message[None], ProxiedPeer[InetPeer]])
assert_type(
    both.framed(lines(), session=Session), NeedsHandler[Message[Session], ProxiedPeer[InetPeer]]
)
assert_type(
    tcp.framed(lines(), session=functools.partial(Session, "a")),
    NeedsHandler[Message[Session], InetPeer],
)
assert_type(tcp.framed(lines(), session=None), NeedsHandler[Message[None], InetPeer])
assert_type(
    tcp.framed(lines(max_length=512, ending=b"\r\n"), refusal=Reply(b"?\n"), max_output=1024),
    NeedsHandler[Message[None], InetPeer],
)
assert_type(
    tcp.framed(length_prefixed(2, byteorder="little", max_length=9, includes_header=True)),
    NeedsHandler[Message[None], InetPeer],
)
for refusal in (Close(), Reply(b"no"), Reset()):
    tcp.framed(lines(), refusal=refusal)

# The steps that follow keep it, and those before it are kept.
assert_type(typed.sync(), NeedsHandler[Message[Session], InetPeer])
assert_type(typed.threaded(8), NeedsHandler[Message[Session], InetPeer])
assert_type(typed.pooled(8), NeedsHandler[Message[Session], InetPeer])
assert_type(typed.forked(8), NeedsHandler[Message[Session], InetPeer])
assert_type(typed.concurrency(Forked()), NeedsHandler[Message[Session], InetPeer])
assert_type(
    typed.access(allow_networks("::/0")).limits(max_connections=5).timeouts(idle=60),
    NeedsHandler[Message[Session], InetPeer],
)
assert_type(
    tcp.threaded().access(lambda peer: peer.port > 0).framed(lines()),
    NeedsHandler[Message[None], InetPeer],
)
assert_type(unix.framed(lines()).access(allow_users("root")), NeedsHandler[Message[None], UnixPeer])
assert_type(
    secured.access(lambda client: client.tls.alpn == "it").framed(lines()),
    NeedsHandler[Message[None], InetPeer],
)


# One handler for all of them.
def upper(message: Message, client_address: Peer, server: object) -> None:
    assert_type(message.payload, bytes)
    assert_type(message.session, object)
    assert_type(message.hop, Peer | None)
    assert_type(message.tls, TlsView | None)
    assert_type(message.reply(message.payload.upper()), bool)
    message.close()


assert_type(framed.handler(upper), Ready[Message[None], InetPeer])
assert_type(typed.handler(upper), Ready[Message[Session], InetPeer])
assert_type(typed.handler(upper).build(), Server[Message[Session], InetPeer])
assert_type(unix.framed(lines()).handler(upper), Ready[Message[None], UnixPeer])
assert_type(secured.framed(lines()).handler(upper), Ready[Message[None], InetPeer])
assert_type(udp.handler(upper), Ready[Datagram, InetPeer])
assert_type(unixgram.handler(upper), Ready[Datagram, UnixPeer])
of_datagram: Message[None] = Datagram(b"", UnixPeer("/run/it"))


# Handlers of a session, of a peer, of a server.
def count(
    message: Message[Session], client_address: InetPeer, server: Server[Message[Session], InetPeer]
) -> None:
    assert_type(message.session, Session)
    message.session.name += "x"


assert_type(typed.handler(count), Ready[Message[Session], InetPeer])
assert_type(typed.sync().handler(count).build(), Server[Message[Session], InetPeer])
typed.handler(lambda message, client_address, server: message.session.name)


def as_covariant(message: Message[Session]) -> Message[object]:
    return message


def behind_a_proxy(message: Message, client_address: ProxiedPeer[InetPeer], server: object) -> None:
    assert_type(client_address.hop, InetPeer)


def wherever(message: Message, client_address: object, server: object) -> None: ...


assert_type(
    both.framed(lines()).handler(behind_a_proxy), Ready[Message[None], ProxiedPeer[InetPeer]]
)
assert_type(both.framed(lines()).handler(wherever), Ready[Message[None], ProxiedPeer[InetPeer]])


# Functions that know of no server.
def shout(payload: bytes) -> bytes:
    return payload.upper()


def maybe(payload: bytes) -> bytes | None:
    return payload or None


def many(payload: bytes) -> Iterator[bytes]:
    yield payload


assert_type(framed.handler(replying(shout)), Ready[Message[None], InetPeer])
assert_type(typed.handler(replying(maybe)), Ready[Message[Session], InetPeer])
assert_type(udp.handler(replying(many)), Ready[Datagram, InetPeer])
unixgram.handler(replying(lambda payload: [payload, payload]))


# A framing of one's own: with the protocol, or just with its methods.
class Netstrings(Framing):
    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        raise FramingError("no digit", MessageFault.MALFORMED)

    def wrap(self, payload: bytes, /) -> bytes:
        return b"%d:%b," % (len(payload), payload)


class Alike:
    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        return (bytes(data), len(data)) if data else None

    def wrap(self, payload: bytes, /) -> bytes:
        return payload


assert_type(tcp.framed(Netstrings()), NeedsHandler[Message[None], InetPeer])
assert_type(tcp.framed(Alike(), session=Session), NeedsHandler[Message[Session], InetPeer])


# A function is given what TLS tells only by the stage of TLS; behind `framed` there is the peer.
def by_port(peer: InetPeer) -> bool:
    return peer.port > 0


def by_name(client: Secured[InetPeer]) -> bool:
    return client.tls.server_name == "it"


assert_type(
    secured.access(by_name).framed(lines()).access(by_port), NeedsHandler[Message[None], InetPeer]
)
