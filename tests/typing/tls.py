# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What TLS, the PROXY protocol and the place of a policy make of the types. Read by checkers."""

import socket
import ssl
from pathlib import Path
from typing import assert_type

from acceptor import (
    AccessPolicy,
    Certificate,
    InetPeer,
    Peer,
    ProxiedNeedsHandler,
    ProxiedPeer,
    Ready,
    Secured,
    SecuredNeedsHandler,
    Server,
    ServerBuilder,
    StreamHandler,
    TlsView,
    UnixPeer,
    allow_certificates,
    allow_networks,
    allow_users,
    tls_view,
)

tcp = ServerBuilder().tcp(("", 0))
unix = ServerBuilder().unix_stream("/run/it")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

# The request becomes a TLS socket; the peer stays.
secured = assert_type(tcp.tls(context), SecuredNeedsHandler[InetPeer])
assert_type(tcp.tls("cert.pem"), SecuredNeedsHandler[InetPeer])
assert_type(tcp.tls(Path("cert.pem"), "key.pem"), SecuredNeedsHandler[InetPeer])
assert_type(tcp.tls("cert.pem", keyfile="key.pem"), SecuredNeedsHandler[InetPeer])
assert_type(unix.tls(context), SecuredNeedsHandler[UnixPeer])
assert_type(
    tcp.tls(
        "cert.pem",
        "key.pem",
        password=b"secret",
        client_ca=Path("ca.pem"),
        client_certificate="optional",
        alpn=("h2", "http/1.1"),
        sni={"a.example.org": context, "*.example.org": ("cert.pem", Path("key.pem"))},
    ),
    SecuredNeedsHandler[InetPeer],
)

# The peer becomes the client, with its hop.
proxied = assert_type(
    tcp.proxy_protocol(trusted="10.0.0.0/8"), ProxiedNeedsHandler[ProxiedPeer[InetPeer]]
)
both = assert_type(proxied.tls(context), SecuredNeedsHandler[ProxiedPeer[InetPeer]])
assert_type(
    unix.proxy_protocol(trusted=allow_users("haproxy"), versions=[2]),
    ProxiedNeedsHandler[ProxiedPeer[UnixPeer]],
)


# Handlers are given just that.
def over_tls(request: ssl.SSLSocket, client_address: InetPeer, server: object) -> None:
    view = assert_type(tls_view(request), TlsView)
    assert_type(view.certificate, Certificate | None)


def through_a_proxy(
    request: ssl.SSLSocket, client_address: ProxiedPeer[InetPeer], server: object
) -> None:
    assert_type(client_address.hop, InetPeer)


class Secure(StreamHandler[ssl.SSLSocket, InetPeer]):
    def handle(self) -> None:
        assert_type(self.request, ssl.SSLSocket)
        assert_type(self.start_tls(context), ssl.SSLSocket)


# Without parameters they fit behind every step.
def loose(request: ssl.SSLSocket, client_address: ProxiedPeer, server: Server) -> None:
    assert_type(client_address.hop, Peer)
    assert_type(server.address.port, int)


class Plain(StreamHandler):
    def handle(self) -> None:
        assert_type(self.client_address.host, str)


assert_type(both.handler(loose), Ready[ssl.SSLSocket, ProxiedPeer[InetPeer]])
assert_type(both.handler(Plain), Ready[ssl.SSLSocket, ProxiedPeer[InetPeer]])
assert_type(proxied.handler(Plain), Ready[socket.socket, ProxiedPeer[InetPeer]])
assert_type(secured.handler(Plain), Ready[ssl.SSLSocket, InetPeer])
servers: list[Server] = [both.handler(loose).build(), proxied.handler(Plain).build()]

ready = assert_type(secured.handler(over_tls), Ready[ssl.SSLSocket, InetPeer])
assert_type(ready.build(), Server[ssl.SSLSocket, InetPeer])
assert_type(secured.handler(Secure), Ready[ssl.SSLSocket, InetPeer])
assert_type(both.handler(through_a_proxy), Ready[ssl.SSLSocket, ProxiedPeer[InetPeer]])


# Policies behind TLS: functions see what TLS tells, policy objects say what they judge.
class ByName(AccessPolicy[Secured[InetPeer]]):
    def allows(self, peer: Secured[InetPeer], /) -> bool:
        return assert_type(peer.tls, TlsView).server_name == "a.example.org"


def is_modern(client: Secured) -> bool:
    return client.tls.version == "TLSv1.3" and client.peer.port > 0


class ByPort(AccessPolicy[InetPeer]):
    def allows(self, peer: InetPeer, /) -> bool:
        return peer.port < 1024


assert_type(secured.access(allow_certificates(common_names=["a"])), SecuredNeedsHandler[InetPeer])
assert_type(secured.access(allow_networks("::/0")), SecuredNeedsHandler[InetPeer])
assert_type(secured.access(ByName()), SecuredNeedsHandler[InetPeer])
assert_type(secured.access(ByPort()), SecuredNeedsHandler[InetPeer])
assert_type(secured.access(is_modern), SecuredNeedsHandler[InetPeer])
assert_type(both.access(is_modern), SecuredNeedsHandler[ProxiedPeer[InetPeer]])
assert_type(
    secured.access(lambda client: client.tls.alpn == "h2" and client.peer.port > 0),
    SecuredNeedsHandler[InetPeer],
)
assert_type(
    both.access(lambda client: client.peer.hop.port > 0),
    SecuredNeedsHandler[ProxiedPeer[InetPeer]],
)
assert_type(
    secured.threaded().observe(print).timeouts(handshake=5.0), SecuredNeedsHandler[InetPeer]
)
assert_type(
    proxied.access(lambda client: client.hop.port > 0), ProxiedNeedsHandler[ProxiedPeer[InetPeer]]
)
