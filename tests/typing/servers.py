# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What a finished server offers, for each transport. Read by checkers."""

import socket
from typing import assert_type

from acceptor import (
    BaseHandler,
    Datagram,
    DatagramHandler,
    DrainReport,
    InetPeer,
    Peer,
    Phase,
    ProxiedPeer,
    Server,
    ServerBuilder,
    Stats,
    StreamHandler,
    TcpEndpoint,
    UdpEndpoint,
    UnixEndpoint,
    UnixgramEndpoint,
    UnixPeer,
    run,
)

builder = ServerBuilder()
tcp = builder.tcp(("", 0)).handler(StreamHandler).build()
udp = builder.udp(("", 0)).handler(DatagramHandler).build()
unix = builder.unix_stream("/run/it").handler(StreamHandler).build()
unixgram = builder.unix_datagram("/run/it").handler(DatagramHandler).build()
text = builder.listen_on("tcp://127.0.0.1:0").handler(BaseHandler).build()
stream = builder.socket(3, socket.SOCK_STREAM).handler(StreamHandler).build()
datagram = builder.socket(3, socket.SOCK_DGRAM).handler(DatagramHandler).build()
either = builder.socket(3).handler(BaseHandler).build()

assert_type(tcp, Server[socket.socket, InetPeer])
assert_type(udp, Server[Datagram, InetPeer])
assert_type(unix, Server[socket.socket, UnixPeer])
assert_type(unixgram, Server[Datagram, UnixPeer])
assert_type(
    text,
    Server[socket.socket, InetPeer]
    | Server[socket.socket, UnixPeer]
    | Server[Datagram, InetPeer]
    | Server[Datagram, UnixPeer],
)
assert_type(stream, Server[socket.socket, Peer])
assert_type(datagram, Server[Datagram, Peer])
assert_type(either, Server[socket.socket, Peer] | Server[Datagram, Peer])
assert_type(
    builder.listen_on(TcpEndpoint("", 0)).handler(StreamHandler).build(),
    Server[socket.socket, InetPeer],
)
assert_type(
    builder.listen_on(UdpEndpoint("", 0)).handler(DatagramHandler).build(),
    Server[Datagram, InetPeer],
)
assert_type(
    builder.listen_on(UnixEndpoint("@it")).handler(StreamHandler).build(),
    Server[socket.socket, UnixPeer],
)
assert_type(
    builder.listen_on(UnixgramEndpoint("@it")).handler(DatagramHandler).build(),
    Server[Datagram, UnixPeer],
)

assert_type(tcp.address, InetPeer)
assert_type(tcp.address.port, int)
host, port = tcp.address
assert_type(host, str)
assert_type(port, int)
assert_type(unix.address, UnixPeer)
assert_type(unix.address.path, str)
assert_type(unix.address.uid, int | None)
assert_type(text.address, InetPeer | UnixPeer)

assert_type(tcp.listen(), Server[socket.socket, InetPeer])
assert_type(tcp.start(), Server[socket.socket, InetPeer])
assert_type(tcp.handle_request(timeout=1.0), bool)
assert_type(tcp.wait(1.0), bool)
assert_type(tcp.drain(None), DrainReport)
assert_type(tcp.stop(), DrainReport)
assert_type(tcp.run(grace=None), DrainReport)
assert_type(tcp.phase, Phase)
assert_type(tcp.stats, Stats)
assert_type(tcp.stats.accepted, int)
assert_type(tcp.fileno(), int)
assert_type(run(tcp, udp, text, grace=1.0), tuple[DrainReport, ...])

with udp as entered:
    assert_type(entered, Server[Datagram, InetPeer])


# A function about servers in general takes any of them.
def describe(server: Server) -> str:
    return f"{server.phase} at {assert_type(server.address, Peer | ProxiedPeer[Peer])}"


for server in (tcp, udp, unix, unixgram, stream, datagram):
    describe(server)
