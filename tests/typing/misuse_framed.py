# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Misuse of messages, framings and sessions; see `misuse.py`."""

import socket
import ssl

from acceptor import (
    Connection,
    Datagram,
    DatagramHandler,
    InetPeer,
    Message,
    Secured,
    ServerBuilder,
    StreamHandler,
    UnixPeer,
    Wait,
    delimited,
    fixed,
    length_prefixed,
    lines,
    replying,
)

tcp = ServerBuilder().tcp(("", 0))
udp = ServerBuilder().udp(("", 0))
unixgram = ServerBuilder().unix_datagram("/run/it")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class Session:
    name = ""


class Other:
    pass


framed = tcp.framed(lines())
typed = tcp.framed(lines(), session=Session)


def upper(message: Message, client_address: object, server: object) -> None:
    message.reply(message.payload.upper())


# Only streams are cut, once, behind what wraps them, and before `build` there is a handler.
udp.framed(lines())  # type: ignore[attr-defined]
unixgram.framed(lines())  # type: ignore[attr-defined]
framed.framed(lines())  # type: ignore[attr-defined]
framed.tls(context)  # type: ignore[attr-defined]
framed.proxy_protocol(trusted="10.0.0.0/8")  # type: ignore[attr-defined]
tcp.handler(StreamHandler).framed(lines())  # type: ignore[attr-defined]
framed.build()  # type: ignore[attr-defined]
typed.threaded().build()  # type: ignore[attr-defined]


# Handlers of other requests, sessions and peers.
class Stream(StreamHandler):
    pass


class Letters(DatagramHandler):
    pass


def of_streams(request: socket.socket, client_address: object, server: object) -> None: ...
def of_datagrams(request: Datagram, client_address: object, server: object) -> None: ...
def of_payloads(payload: bytes) -> None: ...
def of_session(message: Message[Session], client_address: object, server: object) -> None: ...
def of_other(message: Message[Other], client_address: object, server: object) -> None: ...
def of_unix(message: Message, client_address: UnixPeer, server: object) -> None: ...


framed.handler(Stream)  # type: ignore[arg-type]
framed.handler(Letters)  # type: ignore[arg-type]
framed.handler(of_streams)  # type: ignore[arg-type]
framed.handler(of_datagrams)  # type: ignore[arg-type]
framed.handler(of_payloads)  # type: ignore[arg-type]
framed.handler(of_session)  # type: ignore[arg-type]
typed.handler(of_other)  # type: ignore[arg-type]
framed.handler(of_unix)  # type: ignore[arg-type]
tcp.handler(upper)  # type: ignore[arg-type]
tcp.tls(context).handler(upper)  # type: ignore[arg-type]
udp.handler(of_session)  # type: ignore[arg-type]
framed.handler(lambda message, client_address, server: message.session.name)  # type: ignore[attr-defined]
typed.handler(lambda message, client_address, server: message.session.age)  # type: ignore[attr-defined]
typed.handler(lambda message, client_address, server: message.reply("text"))  # type: ignore[arg-type]


# What is no framing, or an unfinished one.
class NoWrap:
    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        return None


class WrongCut:
    def cut(self, data: bytes | bytearray, /) -> bytes:
        return b""

    def wrap(self, payload: bytes, /) -> bytes:
        return payload


tcp.framed()  # type: ignore[call-overload]
tcp.framed(lines)  # type: ignore[call-overload]
tcp.framed(b"\n")  # type: ignore[call-overload]
tcp.framed(NoWrap())  # type: ignore[call-overload]
tcp.framed(WrongCut())  # type: ignore[call-overload]

# Options.
tcp.framed(lines(), Session)  # type: ignore[call-overload]
tcp.framed(lines(), session=Session())  # type: ignore[call-overload]
tcp.framed(lines(), session=lambda connection: Session())  # type: ignore
tcp.framed(lines(), on_refusal=None)  # type: ignore[call-overload]
tcp.framed(lines(), refusal=Wait())  # type: ignore[call-overload]
tcp.framed(lines(), max_output="64k")  # type: ignore[call-overload]
tcp.framed(lines(), max_length=100)  # type: ignore[call-overload]
lines(ending="\n")  # type: ignore[arg-type]
lines(b"\n")  # type: ignore[arg-type]
lines(max_size=100)  # type: ignore[call-arg]
delimited("\0")  # type: ignore[arg-type]
delimited()  # type: ignore[call-arg]
length_prefixed("4")  # type: ignore[arg-type]
length_prefixed(byteorder="network")  # type: ignore[arg-type]
fixed()  # type: ignore[call-arg]
fixed(b"8")  # type: ignore[arg-type]


# Policies behind it judge peers, and functions for `replying` know only bytes.
def of_secured(client: Secured[InetPeer]) -> bool:
    return True


def to_text(payload: bytes) -> str:
    return payload.decode()


def of_text(payload: str) -> bytes:
    return payload.encode()


tcp.tls(context).framed(lines()).access(of_secured)  # type: ignore[arg-type]
replying(to_text)  # type: ignore[arg-type]
replying(of_text)  # type: ignore[arg-type]
replying(upper)  # type: ignore[arg-type]


def greet(connection: Connection[Session]) -> None:
    connection.reply("hello")  # type: ignore[arg-type]
    connection.reply(connection.session.age)  # type: ignore[attr-defined]
    connection.reply(connection.payload)  # type: ignore[attr-defined]
