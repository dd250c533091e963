# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Misuse of single steps, policies and options; see `misuse.py`."""

import socket

from acceptor import (
    InetPeer,
    ServerBuilder,
    StreamHandler,
    Sync,
    TcpEndpoint,
    TcpTransport,
    Threaded,
    UnixPeer,
    allow_groups,
    allow_networks,
    allow_users,
    deny_networks,
)

builder = ServerBuilder()
tcp = builder.tcp(("", 0))
udp = builder.udp(("", 0))
unix = builder.unix_stream("/run/it")
unixgram = builder.unix_datagram("/run/it")
ready = tcp.handler(StreamHandler)

# Policies for peers that the transport does not have.
tcp.access(allow_users("root"))  # type: ignore[arg-type]
tcp.access(allow_groups(0))  # type: ignore[arg-type]
udp.access(allow_users("root"))  # type: ignore[arg-type]
tcp.access(~allow_users("root"))  # type: ignore[arg-type]
tcp.access(allow_users("root") | allow_groups("root"))  # type: ignore[arg-type]
unix.access(allow_networks("::/0"))  # type: ignore[arg-type]
unix.access(deny_networks("::/0"))  # type: ignore[arg-type]
unixgram.access(~allow_networks("::/0"))  # type: ignore[arg-type]
ready.access(allow_users("root"))  # type: ignore[arg-type]
tcp.access(allow_networks("::/0") & allow_users("root"))  # type: ignore[operator]
unix.access(allow_users("root") | allow_networks("::/0"))  # type: ignore[operator]


# What is no policy, or cannot judge.
def of_unix(peer: UnixPeer) -> bool:
    return True


def words(peer: InetPeer) -> str:
    return "yes"


async def later(peer: InetPeer) -> bool:
    return True


class NotQuite:
    def allow(self, peer: InetPeer) -> bool:
        return True


tcp.access(of_unix)  # type: ignore[arg-type]
tcp.access(words)  # type: ignore[arg-type]
tcp.access(later)  # type: ignore[arg-type]
tcp.access(NotQuite())  # type: ignore[arg-type]
tcp.access(True)  # type: ignore[arg-type]
tcp.access("127.0.0.0/8")  # type: ignore[arg-type]
tcp.access()  # type: ignore[call-arg]
tcp.access(lambda peer: peer.uid == 0)  # type: ignore[union-attr]
allow_networks("::/0") & of_unix  # type: ignore[operator]
allow_networks("::/0") & 3  # type: ignore[operator]
allow_networks(127)  # type: ignore[arg-type]
allow_users(0.5)  # type: ignore[arg-type]
allow_groups(None)  # type: ignore[arg-type]


# What is no observer.
def deaf() -> None: ...
def only_numbers(event: int) -> None: ...


tcp.observe(None)  # type: ignore[arg-type]
tcp.observe(deaf)  # type: ignore[arg-type]
tcp.observe(only_numbers)  # type: ignore[arg-type]

# What is no concurrency strategy, no transport, no endpoint, no socket.
tcp.threaded("many")  # type: ignore[arg-type]
tcp.threaded(max_children=3)  # type: ignore[call-arg]
tcp.pooled("many")  # type: ignore[arg-type]
tcp.pooled(max_threads=3)  # type: ignore[call-arg]
tcp.forked(0.5)  # type: ignore[arg-type]
tcp.sync(3)  # type: ignore[call-arg]
tcp.concurrency("threads")  # type: ignore[arg-type]
tcp.concurrency(Threaded)  # type: ignore[arg-type]
tcp.concurrency(TcpTransport(endpoint=TcpEndpoint("", 0)))  # type: ignore[arg-type]
builder.transport(Sync())  # type: ignore[call-overload]
builder.transport(TcpTransport)  # type: ignore[call-overload]
builder.listen_on(80)  # type: ignore[call-overload]
builder.listen_on(("", 80))  # type: ignore[call-overload]
builder.socket("3")  # type: ignore[call-overload]
builder.socket(3, socket.SOCK_RAW)  # type: ignore[call-overload]
builder.socket(3, "stream")  # type: ignore[call-overload]
builder.socket(3, socket.SOCK_STREAM, "inet")  # type: ignore[call-overload]
builder.socket(3, socket.SOCK_STREAM).access(allow_networks("::/0"))  # type: ignore[arg-type]

# Wrong addresses, misspelt options, options of another transport, options of a wrong type.
builder.tcp("127.0.0.1")  # type: ignore[arg-type]
builder.tcp(("127.0.0.1", "80"))  # type: ignore[arg-type]
builder.tcp("127.0.0.1", 80)  # type: ignore[arg-type, call-arg]
builder.tcp(80)  # type: ignore[arg-type]
builder.udp(("127.0.0.1",))  # type: ignore[arg-type]
builder.unix_stream(("127.0.0.1", 80))  # type: ignore[arg-type]
builder.unix_datagram(3)  # type: ignore[arg-type]
builder.tcp(("", 0), back_log=5)  # type: ignore[call-arg]
builder.tcp(("", 0), max_datagram_size=5)  # type: ignore[call-arg]
builder.tcp(("", 0), mode=0o600)  # type: ignore[call-arg]
builder.udp(("", 0), backlog=5)  # type: ignore[call-arg]
builder.udp(("", 0), max_size=5)  # type: ignore[call-arg]
builder.unix_stream("/run/it", reuse_port=True)  # type: ignore[call-arg]
builder.unix_stream("/run/it", perms=0o600)  # type: ignore[call-arg]
builder.unix_datagram("/run/it", backlog=5)  # type: ignore[call-arg]
builder.tcp(("", 0), backlog="long")  # type: ignore[arg-type]
builder.tcp(("", 0), reuse_port="yes")  # type: ignore[arg-type]
builder.tcp(("", 0), no_delay=None)  # type: ignore[arg-type]
builder.tcp(("", 0), keep_alive=3.5)  # type: ignore[arg-type]
builder.tcp(("", 0), socket_options=[(1, 2)])  # type: ignore[list-item]
builder.udp(("", 0), max_datagram_size=None)  # type: ignore[arg-type]
builder.udp(("", 0), receive_buffer_size="1k")  # type: ignore[arg-type]
builder.unix_stream("/run/it", mode="rw")  # type: ignore[arg-type]
builder.unix_stream("/run/it", owner=1.5)  # type: ignore[arg-type]
builder.unix_datagram("/run/it", group=b"root")  # type: ignore[arg-type]
builder.unix_datagram("/run/it", max_datagram_size="big")  # type: ignore[arg-type]
