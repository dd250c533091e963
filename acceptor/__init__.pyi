# What checkers and editors see in `acceptor`; `__init__.py` has the same names.

from acceptor.builder import ServerBuilder
from acceptor.concurrency.fork import Forked
from acceptor.concurrency.pool import Pooled
from acceptor.concurrency.sync import Sync
from acceptor.concurrency.thread import Threaded
from acceptor.core.access import AllowAll, Policy, allow_networks, deny_networks
from acceptor.core.asking import explain
from acceptor.core.bans import Bans, ban_after
from acceptor.core.datagram import Datagram
from acceptor.core.deadlines import Clock, Timeouts
from acceptor.core.dry_run import DryRun
from acceptor.core.endpoint import (
    Endpoint,
    TcpEndpoint,
    UdpEndpoint,
    UnixEndpoint,
    UnixgramEndpoint,
    parse_endpoint,
)
from acceptor.core.errors import (
    AcceptorError,
    ConfigurationError,
    DeadlineError,
    DescriptorBudgetError,
    DescriptorBudgetWarning,
    EndpointError,
    ForkWithThreadsWarning,
    HandlerMismatchError,
    HandshakeError,
    LifecycleError,
    ListenError,
    NoReturnAddressError,
    ResourceError,
    SelfWaitError,
    SystemRefusedError,
    UnknownOptionError,
    UnsupportedError,
)
from acceptor.core.events import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Closed,
    Draining,
    DrainReport,
    Event,
    Full,
    HandlerFailed,
    HandshakeFailed,
    HandshakeFailure,
    Listening,
    LiveRequest,
    MessageFault,
    MessageRefused,
    MessageServed,
    Observer,
    Outcome,
    RefusalReason,
    Refused,
    Reloaded,
    ReloadFailed,
    RequestState,
    RoomAgain,
    Started,
    Stats,
    StopCause,
    Stopped,
)
from acceptor.core.framing import Framing, FramingError
from acceptor.core.framings import delimited, fixed, length_prefixed, lines
from acceptor.core.interfaces import (
    AccessPolicy,
    Concurrency,
    Dispatcher,
    Incoming,
    Job,
    Leave,
    Listener,
    RememberingPolicy,
    Traffic,
    Transport,
    Workplace,
)
from acceptor.core.lifecycle import Phase
from acceptor.core.limits import Close, Limits, Overflow, Refusal, Reply, Reset, Wait
from acceptor.core.message import Connection, Message
from acceptor.core.networks_file import allow_networks_in, deny_networks_in
from acceptor.core.peer_limit import limit_per_peer
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer, Peer, UnixPeer
from acceptor.core.plan import Plan
from acceptor.core.proxied import ProxiedPeer, ProxyCommand, ProxyHeader
from acceptor.core.proxied_access import of_client, of_hop
from acceptor.core.proxy_tlvs import ProxyTls, Tlv
from acceptor.core.rate_limit import limit_rate
from acceptor.core.reporting import access_log
from acceptor.core.runner import run
from acceptor.core.secured import Certificate, Secured, TlsView, allow_certificates, tls_view
from acceptor.core.server import Server
from acceptor.core.unix_access import allow_groups, allow_users
from acceptor.handlers.base import BaseHandler
from acceptor.handlers.datagram import DatagramHandler
from acceptor.handlers.replying import replying
from acceptor.handlers.stream import StreamHandler
from acceptor.stages import (
    NeedsHandler,
    ProxiedNeedsHandler,
    Ready,
    SecuredNeedsHandler,
    StreamNeedsHandler,
)
from acceptor.transports.tcp import TcpTransport
from acceptor.transports.udp import UdpTransport
from acceptor.transports.unix_datagram import UnixDatagramTransport
from acceptor.transports.unix_stream import UnixStreamTransport

__all__ = [
    "AcceptPaused",
    "AcceptResumed",
    "Accepted",
    "AcceptorError",
    "AccessPolicy",
    "AllowAll",
    "Bans",
    "BaseHandler",
    "Certificate",
    "Clock",
    "Close",
    "Closed",
    "Concurrency",
    "ConfigurationError",
    "Connection",
    "Datagram",
    "DatagramHandler",
    "DeadlineError",
    "DescriptorBudgetError",
    "DescriptorBudgetWarning",
    "Dispatcher",
    "DrainReport",
    "Draining",
    "DryRun",
    "Endpoint",
    "EndpointError",
    "Event",
    "ForkWithThreadsWarning",
    "Forked",
    "Framing",
    "FramingError",
    "Full",
    "HandlerFailed",
    "HandlerMismatchError",
    "HandshakeError",
    "HandshakeFailed",
    "HandshakeFailure",
    "IPv4Peer",
    "IPv6Peer",
    "Incoming",
    "InetPeer",
    "Job",
    "Leave",
    "LifecycleError",
    "Limits",
    "ListenError",
    "Listener",
    "Listening",
    "LiveRequest",
    "Message",
    "MessageFault",
    "MessageRefused",
    "MessageServed",
    "NeedsHandler",
    "NoReturnAddressError",
    "Observer",
    "Outcome",
    "Overflow",
    "Peer",
    "Phase",
    "Plan",
    "Policy",
    "Pooled",
    "ProxiedNeedsHandler",
    "ProxiedPeer",
    "ProxyCommand",
    "ProxyHeader",
    "ProxyTls",
    "Ready",
    "Refusal",
    "RefusalReason",
    "Refused",
    "ReloadFailed",
    "Reloaded",
    "RememberingPolicy",
    "Reply",
    "RequestState",
    "Reset",
    "ResourceError",
    "RoomAgain",
    "Secured",
    "SecuredNeedsHandler",
    "SelfWaitError",
    "Server",
    "ServerBuilder",
    "Started",
    "Stats",
    "StopCause",
    "Stopped",
    "StreamHandler",
    "StreamNeedsHandler",
    "Sync",
    "SystemRefusedError",
    "TcpEndpoint",
    "TcpTransport",
    "Threaded",
    "Timeouts",
    "TlsView",
    "Tlv",
    "Traffic",
    "Transport",
    "UdpEndpoint",
    "UdpTransport",
    "UnixDatagramTransport",
    "UnixEndpoint",
    "UnixPeer",
    "UnixStreamTransport",
    "UnixgramEndpoint",
    "UnknownOptionError",
    "UnsupportedError",
    "Wait",
    "Workplace",
    "access_log",
    "allow_certificates",
    "allow_groups",
    "allow_networks",
    "allow_networks_in",
    "allow_users",
    "ban_after",
    "delimited",
    "deny_networks",
    "deny_networks_in",
    "explain",
    "fixed",
    "length_prefixed",
    "limit_per_peer",
    "limit_rate",
    "lines",
    "of_client",
    "of_hop",
    "parse_endpoint",
    "replying",
    "run",
    "tls_view",
]
