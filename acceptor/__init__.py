"""The typed, composable successor of `socketserver`.

A server is put together from parts: a transport, a concurrency strategy, access policies and a
handler, by `ServerBuilder`.
"""

from acceptor.core.lazily import lazy_names

# What is here, for checkers and editors, says `__init__.pyi`.
__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "builder": "ServerBuilder",
        "concurrency.fork": "Forked",
        "concurrency.pool": "Pooled",
        "concurrency.sync": "Sync",
        "concurrency.thread": "Threaded",
        "core.access": "AllowAll Policy allow_networks deny_networks",
        "core.asking": "explain",
        "core.bans": "Bans ban_after",
        "core.datagram": "Datagram",
        "core.deadlines": "Clock Timeouts",
        "core.dry_run": "DryRun",
        "core.endpoint": (
            "Endpoint TcpEndpoint UdpEndpoint UnixEndpoint UnixgramEndpoint parse_endpoint"
        ),
        "core.errors": (
            "AcceptorError ConfigurationError DeadlineError DescriptorBudgetError "
            "DescriptorBudgetWarning EndpointError ForkWithThreadsWarning "
            "HandlerMismatchError HandshakeError LifecycleError ListenError "
            "NoReturnAddressError ResourceError SelfWaitError SystemRefusedError "
            "UnknownOptionError UnsupportedError"
        ),
        "core.events": (
            "Accepted AcceptPaused AcceptResumed Closed Draining DrainReport Event Full "
            "HandlerFailed HandshakeFailed HandshakeFailure Listening LiveRequest "
            "MessageFault MessageRefused MessageServed Observer Outcome RefusalReason "
            "Refused Reloaded ReloadFailed RequestState RoomAgain Started Stats StopCause "
            "Stopped"
        ),
        "core.framing": "Framing FramingError",
        "core.framings": "delimited fixed length_prefixed lines",
        "core.interfaces": (
            "AccessPolicy Concurrency Dispatcher Incoming Job Leave Listener "
            "RememberingPolicy Traffic Transport Workplace"
        ),
        "core.lifecycle": "Phase",
        "core.limits": "Close Limits Overflow Refusal Reply Reset Wait",
        "core.message": "Connection Message",
        "core.networks_file": "allow_networks_in deny_networks_in",
        "core.peer_limit": "limit_per_peer",
        "core.peers": "InetPeer IPv4Peer IPv6Peer Peer UnixPeer",
        "core.plan": "Plan",
        "core.proxied": "ProxiedPeer ProxyCommand ProxyHeader",
        "core.proxied_access": "of_client of_hop",
        "core.proxy_tlvs": "ProxyTls Tlv",
        "core.rate_limit": "limit_rate",
        "core.reporting": "access_log",
        "core.runner": "run",
        "core.secured": "Certificate Secured TlsView allow_certificates tls_view",
        "core.server": "Server",
        "core.unix_access": "allow_groups allow_users",
        "handlers.base": "BaseHandler",
        "handlers.datagram": "DatagramHandler",
        "handlers.replying": "replying",
        "handlers.stream": "StreamHandler",
        "stages": ("NeedsHandler ProxiedNeedsHandler Ready SecuredNeedsHandler StreamNeedsHandler"),
        "transports.tcp": "TcpTransport",
        "transports.udp": "UdpTransport",
        "transports.unix_datagram": "UnixDatagramTransport",
        "transports.unix_stream": "UnixStreamTransport",
    },
)
