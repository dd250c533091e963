# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What each builder call makes, and that the steps keep it, in any order. Read by checkers."""

import os
import socket
from collections.abc import Collection
from pathlib import Path
from typing import assert_type

from acceptor import (
    Concurrency,
    Datagram,
    Dispatcher,
    Event,
    InetPeer,
    Job,
    Listener,
    Message,
    NeedsHandler,
    Peer,
    Pooled,
    Ready,
    Server,
    ServerBuilder,
    StreamHandler,
    StreamNeedsHandler,
    Sync,
    TcpEndpoint,
    TcpTransport,
    Threaded,
    Transport,
    UdpEndpoint,
    UdpTransport,
    UnixDatagramTransport,
    UnixEndpoint,
    UnixgramEndpoint,
    UnixPeer,
    UnixStreamTransport,
    Workplace,
    allow_networks,
    lines,
    parse_endpoint,
)

NeedsTcp = StreamNeedsHandler[InetPeer]
NeedsUdp = NeedsHandler[Datagram, InetPeer]
NeedsUnix = StreamNeedsHandler[UnixPeer]
NeedsUnixgram = NeedsHandler[Datagram, UnixPeer]

builder = ServerBuilder()

# The four transports, with each way to write an address and each option.
tcp = assert_type(builder.tcp(("127.0.0.1", 0)), StreamNeedsHandler[InetPeer])
udp = assert_type(builder.udp(("127.0.0.1", 0)), NeedsHandler[Datagram, InetPeer])
unix = assert_type(builder.unix_stream("/run/it"), StreamNeedsHandler[UnixPeer])
unixgram = assert_type(builder.unix_datagram("/run/it"), NeedsHandler[Datagram, UnixPeer])

assert_type(builder.tcp(("fe80::1", 0, 0, 2)), NeedsTcp)
assert_type(builder.udp(("fe80::1", 0, 0, 2)), NeedsUdp)
assert_type(builder.unix_stream(b"/run/it"), NeedsUnix)
assert_type(builder.unix_stream(Path("/run/it")), NeedsUnix)
assert_type(builder.unix_datagram(Path("/run/it")), NeedsUnixgram)
assert_type(
    builder.tcp(
        ("", 0),
        backlog=10,
        reuse_address=None,
        reuse_port=True,
        no_delay=False,
        keep_alive=False,
        receive_buffer_size=4096,
        send_buffer_size=None,
        socket_options=[(1, 2, 3), (1, 2, b"eth0")],
    ),
    NeedsTcp,
)
assert_type(
    builder.udp(
        ("", 0),
        max_datagram_size=512,
        reuse_address=True,
        reuse_port=True,
        receive_buffer_size=4096,
        send_buffer_size=4096,
        socket_options=(),
    ),
    NeedsUdp,
)
assert_type(
    builder.unix_stream("@it", backlog=1, mode=0o600, owner="root", group=0, socket_options=()),
    NeedsUnix,
)
assert_type(
    builder.unix_datagram(
        "@it", max_datagram_size=1, mode=None, owner=0, group="root", receive_buffer_size=1
    ),
    NeedsUnixgram,
)

# Endpoints: a value says what it is, text can be any of the four.
assert_type(builder.listen_on(TcpEndpoint("::1", 0)), NeedsTcp)
assert_type(builder.listen_on(UdpEndpoint("::1", 0)), NeedsUdp)
assert_type(builder.listen_on(UnixEndpoint("/run/it")), NeedsUnix)
assert_type(builder.listen_on(UnixgramEndpoint("/run/it")), NeedsUnixgram)
text = assert_type(
    builder.listen_on("tcp://127.0.0.1:0"), NeedsTcp | NeedsUnix | NeedsUdp | NeedsUnixgram
)
assert_type(text.threaded(4), NeedsTcp | NeedsUnix | NeedsUdp | NeedsUnixgram)
assert_type(
    parse_endpoint("tcp://[::1]:0"), TcpEndpoint | UdpEndpoint | UnixEndpoint | UnixgramEndpoint
)

# Ready sockets.
NeedsStream = StreamNeedsHandler[Peer]
NeedsDatagram = NeedsHandler[Datagram, Peer]
given = socket.socket()
assert_type(builder.socket(given), NeedsStream | NeedsDatagram)
assert_type(builder.socket(3), NeedsStream | NeedsDatagram)
assert_type(builder.socket(given, socket.SOCK_STREAM), NeedsStream)
assert_type(builder.socket(3, socket.SOCK_DGRAM), NeedsDatagram)
assert_type(builder.socket(3, type=socket.SOCK_DGRAM), NeedsDatagram)
listening = builder.socket(3, socket.SOCK_STREAM, socket.AF_INET)
assert_type(listening, StreamNeedsHandler[InetPeer])
assert_type(
    listening.access(allow_networks("10.0.0.0/8")).framed(lines()),
    NeedsHandler[Message[None], InetPeer],
)
assert_type(builder.socket(3, socket.SOCK_DGRAM, socket.AF_INET6), NeedsHandler[Datagram, InetPeer])


# Transports as values: ours, a subclass of the protocol, and a class that merely fits it.
class Pipes(Transport[bytes, str]):
    def listen(self) -> Listener[bytes, str]:
        raise NotImplementedError


class Fits:
    def listen(self) -> Listener[os.PathLike[str], int]:
        raise NotImplementedError


assert_type(builder.transport(TcpTransport(endpoint=TcpEndpoint("", 0))), NeedsTcp)
assert_type(builder.transport(UdpTransport(endpoint=UdpEndpoint("", 0))), NeedsUdp)
assert_type(builder.transport(UnixStreamTransport(endpoint=UnixEndpoint("@it"))), NeedsUnix)
assert_type(
    builder.transport(UnixDatagramTransport(endpoint=UnixgramEndpoint("@it"))), NeedsUnixgram
)
assert_type(builder.transport(Pipes()), NeedsHandler[bytes, str])
assert_type(builder.transport(Fits()), NeedsHandler[os.PathLike[str], int])


# Steps keep the stage; `handler` alone changes it.
class Inline(Dispatcher):
    def submit(self, job: Job, /) -> None: ...
    def cut(self, jobs: Collection[Job], timeout: float) -> None: ...
    def close(self) -> None: ...


class FitsConcurrency:
    @property
    def limit(self) -> int:
        return 1

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return Inline()


class OwnConcurrency(Concurrency):
    @property
    def limit(self) -> int:
        return 1

    def start(self, workplace: Workplace, /) -> Inline:
        return Inline()


class Echo(StreamHandler): ...


def watch(event: Event) -> None: ...


assert_type(tcp.sync(), NeedsTcp)
assert_type(tcp.threaded(), NeedsTcp)
assert_type(tcp.threaded(max_threads=4), NeedsTcp)
assert_type(tcp.pooled(), NeedsTcp)
assert_type(tcp.pooled(threads=4, queue=2), NeedsTcp)
assert_type(unix.concurrency(Pooled(4)), NeedsUnix)
assert_type(tcp.forked(), NeedsTcp)
assert_type(tcp.forked(max_children=4), NeedsTcp)
assert_type(udp.concurrency(Threaded(4)), NeedsUdp)
assert_type(unix.concurrency(FitsConcurrency()), NeedsUnix)
assert_type(unix.concurrency(OwnConcurrency()), NeedsUnix)
assert_type(tcp.access(allow_networks("::/0")), NeedsTcp)
assert_type(unixgram.observe(watch), NeedsUnixgram)
assert_type(unixgram.observe(print).observe(lambda event: [event]), NeedsUnixgram)

ready = assert_type(tcp.handler(Echo), Ready[socket.socket, InetPeer])
assert_type(ready.sync(), Ready[socket.socket, InetPeer])
assert_type(ready.threaded(2), Ready[socket.socket, InetPeer])
assert_type(ready.pooled(2), Ready[socket.socket, InetPeer])
assert_type(ready.forked(2), Ready[socket.socket, InetPeer])
assert_type(ready.concurrency(Sync()), Ready[socket.socket, InetPeer])
assert_type(ready.access(allow_networks("::/0")), Ready[socket.socket, InetPeer])
assert_type(ready.observe(print), Ready[socket.socket, InetPeer])
assert_type(ready.handler(Echo), Ready[socket.socket, InetPeer])

# Every order, and repeated.
network = allow_networks("10.0.0.0/8")
TcpServer = Server[socket.socket, InetPeer]
assert_type(tcp.threaded().access(network).observe(print).handler(Echo).build(), TcpServer)
assert_type(tcp.handler(Echo).observe(print).access(network).threaded().build(), TcpServer)
assert_type(tcp.access(network).handler(Echo).threaded().observe(print).build(), TcpServer)
assert_type(tcp.observe(print).threaded().handler(Echo).access(network).build(), TcpServer)
assert_type(tcp.sync().threaded().forked().handler(Echo).handler(Echo).build(), TcpServer)
assert_type(tcp.access(network).access(network).handler(Echo).access(network).build(), TcpServer)
