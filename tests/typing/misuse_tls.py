# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Misuse of TLS, of the PROXY protocol and of policies at their places; see `misuse.py`."""

import socket
import ssl

from acceptor import (
    InetPeer,
    Secured,
    ServerBuilder,
    allow_certificates,
    allow_networks,
    allow_users,
    tls_view,
)

tcp = ServerBuilder().tcp(("", 0))
udp = ServerBuilder().udp(("", 0))
unixgram = ServerBuilder().unix_datagram("/run/it")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
secured = tcp.tls(context)
proxied = tcp.proxy_protocol(trusted="10.0.0.0/8")

# Each of the two at most once, in this order, and on streams.
secured.tls(context)  # type: ignore[attr-defined]
udp.tls(context)  # type: ignore[attr-defined]
unixgram.tls(context)  # type: ignore[attr-defined]
udp.proxy_protocol(trusted="10.0.0.0/8")  # type: ignore[attr-defined]
secured.proxy_protocol(trusted="10.0.0.0/8")  # type: ignore[attr-defined]
proxied.proxy_protocol(trusted="10.0.0.0/8")  # type: ignore[attr-defined]
secured.build()  # type: ignore[attr-defined]
proxied.build()  # type: ignore[attr-defined]


# Policies where what they judge is not known yet, or is another thing.
def by_certificate(client: Secured[InetPeer]) -> bool:
    return client.tls.certificate is not None


tcp.access(allow_certificates())  # type: ignore[arg-type]
tcp.access(by_certificate)  # type: ignore[arg-type]
proxied.access(allow_certificates())  # type: ignore[arg-type]
tcp.access(lambda peer: peer.tls.alpn == "h2")  # type: ignore[union-attr]
proxied.access(allow_users("root"))  # type: ignore[arg-type]
tcp.proxy_protocol(trusted=allow_users("root"))  # type: ignore[arg-type]
allow_certificates() & allow_networks("::/0")  # type: ignore[operator]

# Options.
tcp.tls()  # type: ignore[call-overload]
tcp.tls(3)  # type: ignore[call-overload]
tcp.tls(context, "key.pem")  # type: ignore[call-overload]
tcp.tls(context, keyfile="key.pem")  # type: ignore[call-overload]
tcp.tls("cert.pem", certificate="x")  # type: ignore[call-overload]
tcp.tls("cert.pem", client_certificate="maybe")  # type: ignore[call-overload]
tcp.proxy_protocol()  # type: ignore[call-arg]
tcp.proxy_protocol(trusted=["10.0.0.0/8"], versions=2)  # type: ignore[arg-type]
allow_certificates("device-7")  # type: ignore[call-arg]
tls_view(socket.socket())  # type: ignore[arg-type]


# Handlers of another kind of connection.
def of_datagrams(request: bytes, client_address: InetPeer, server: object) -> None: ...


secured.handler(of_datagrams)  # type: ignore[arg-type]
