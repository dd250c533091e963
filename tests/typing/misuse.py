# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Misuse that both checkers must refuse: an ignore that is not needed is an error.

This file has stages and handlers, `misuse_steps.py` the other steps.
"""

import functools
import http.server
import socket
import ssl
from typing import Any

from acceptor import (
    BaseHandler,
    Datagram,
    DatagramHandler,
    InetPeer,
    Peer,
    Server,
    ServerBuilder,
    StreamHandler,
    UnixPeer,
    allow_networks,
    run,
)


class Stream(StreamHandler): ...


class Letters(DatagramHandler): ...


class OverTcp(StreamHandler[socket.socket, InetPeer]): ...


class OverUnix(StreamHandler[socket.socket, UnixPeer]): ...


class Encrypted(StreamHandler[ssl.SSLSocket]): ...


class LettersOverUdp(DatagramHandler[InetPeer]): ...


class LettersOverUnix(DatagramHandler[UnixPeer]): ...


class Greeter(StreamHandler):
    def __init__(
        self, request: socket.socket, client_address: Peer, server: Server, greeting: bytes
    ) -> None: ...


def for_streams(request: socket.socket, client_address: Peer, server: Server) -> None: ...
def for_datagrams(request: Datagram, client_address: Peer, server: Server) -> None: ...
def for_unix(request: socket.socket, client_address: UnixPeer, server: Server) -> None: ...
def for_inet(request: socket.socket, client_address: InetPeer, server: Server) -> None: ...
def two(request: socket.socket, client_address: Peer) -> None: ...
def four(request: socket.socket, client_address: Peer, server: Server, more: int) -> None: ...
def own_server(request: Any, client_address: Any, server: http.server.HTTPServer) -> None: ...
def datagram_server(request: Any, client_address: Any, server: Server[Datagram]) -> None: ...
def unix_server(request: Any, client_address: Any, server: Server[Any, UnixPeer]) -> None: ...


builder = ServerBuilder()
tcp = builder.tcp(("", 0))
udp = builder.udp(("", 0))
unix = builder.unix_stream("/run/it")
unixgram = builder.unix_datagram("/run/it")
text = builder.listen_on("tcp://127.0.0.1:0")
ready = tcp.handler(Stream)

# No transport.
builder.build()  # type: ignore[attr-defined]
builder.handler(Stream)  # type: ignore[attr-defined]
builder.threaded()  # type: ignore[attr-defined]
builder.access(allow_networks("::/0"))  # type: ignore[attr-defined]
builder.observe(print)  # type: ignore[attr-defined]

# A second transport.
tcp.udp(("", 0))  # type: ignore[attr-defined]
ready.tcp(("", 0))  # type: ignore[attr-defined]

# No handler.
tcp.build()  # type: ignore[attr-defined]
udp.build()  # type: ignore[attr-defined]
unix.build()  # type: ignore[attr-defined]
unixgram.build()  # type: ignore[attr-defined]
text.build()  # type: ignore[union-attr]
tcp.threaded().access(allow_networks("::/0")).build()  # type: ignore[attr-defined]
builder.socket(3, socket.SOCK_STREAM).build()  # type: ignore[attr-defined]
tcp.serve_forever()  # type: ignore[attr-defined]
ready.serve_forever()  # type: ignore[attr-defined]

# Steps that there are not.
udp.tls(ssl.create_default_context())  # type: ignore[attr-defined]
ready.tls(ssl.create_default_context())  # type: ignore[attr-defined]
tcp.thread()  # type: ignore[attr-defined]

# Stream handlers on datagrams, and the other way round.
udp.handler(Stream)  # type: ignore[arg-type]
udp.handler(StreamHandler)  # type: ignore[arg-type]
unixgram.handler(Stream)  # type: ignore[arg-type]
tcp.handler(Letters)  # type: ignore[arg-type]
tcp.handler(DatagramHandler)  # type: ignore[arg-type]
unix.handler(Letters)  # type: ignore[arg-type]
udp.handler(for_streams)  # type: ignore[arg-type]
unixgram.handler(for_streams)  # type: ignore[arg-type]
tcp.handler(for_datagrams)  # type: ignore[arg-type]
unix.handler(for_datagrams)  # type: ignore[arg-type]
udp.handler(http.server.SimpleHTTPRequestHandler)  # type: ignore[arg-type]
unixgram.handler(http.server.SimpleHTTPRequestHandler)  # type: ignore[arg-type]
# mypy does not look into a partial; there the builder is who refuses it, when it runs.
udp.handler(functools.partial(Greeter, greeting=b""))  # pyright: ignore[reportArgumentType]
ready.handler(Letters)  # type: ignore[arg-type]
builder.socket(3, socket.SOCK_DGRAM).handler(Stream)  # type: ignore[arg-type]
builder.socket(3, socket.SOCK_STREAM).handler(Letters)  # type: ignore[arg-type]
tcp.handler(lambda request, peer, server: request.reply(b""))  # type: ignore[attr-defined]
udp.handler(lambda request, peer, server: request.sendall(b""))  # type: ignore[attr-defined]

# Endpoints as text may be of either kind, and so may a socket that says nothing.
text.handler(Stream)  # type: ignore[arg-type]
text.handler(Letters)  # type: ignore[arg-type]
text.access(allow_networks("::/0"))  # type: ignore[arg-type]
builder.socket(3).handler(Stream)  # type: ignore[arg-type]

# Handlers for other peers, requests or servers.
tcp.handler(OverUnix)  # type: ignore[arg-type]
unix.handler(OverTcp)  # type: ignore[arg-type]
tcp.handler(Encrypted)  # type: ignore[arg-type]
udp.handler(LettersOverUnix)  # type: ignore[arg-type]
unixgram.handler(LettersOverUdp)  # type: ignore[arg-type]
builder.socket(3, socket.SOCK_STREAM).handler(OverTcp)  # type: ignore[arg-type]
tcp.handler(for_unix)  # type: ignore[arg-type]
unix.handler(for_inet)  # type: ignore[arg-type]
tcp.handler(own_server)  # type: ignore[arg-type]
tcp.handler(datagram_server)  # type: ignore[arg-type]
tcp.handler(unix_server)  # type: ignore[arg-type]
tcp.handler(lambda request, peer, server: peer.uid)  # type: ignore[union-attr]
tcp.handler(lambda request, peer, server: server.drained())  # type: ignore[attr-defined]

# What is no handler.
tcp.handler(None)  # type: ignore[arg-type]
tcp.handler(3)  # type: ignore[arg-type]
tcp.handler()  # type: ignore[call-arg]
tcp.handler(two)  # type: ignore[arg-type]
tcp.handler(four)  # type: ignore[arg-type]
tcp.handler(Greeter)  # type: ignore[arg-type]
tcp.handler(functools.partial(Greeter, farewell=b""))  # type: ignore[call-arg]
tcp.handler(BaseHandler(socket.socket(), tcp.handler(Stream).build().address, ready.build()))  # type: ignore[arg-type]

# Stages and servers are not to be changed, and not to be run unbuilt.
tcp.build = None  # type: ignore[attr-defined]
run(ready)  # type: ignore[arg-type]
ready.build().stats = ready.build().stats  # type: ignore[misc]
ready.build().drain("soon")  # type: ignore[arg-type]
