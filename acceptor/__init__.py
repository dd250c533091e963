"""The typed, composable successor of `socketserver`.

A server is put together from parts: a transport, a concurrency strategy, access policies and a
handler, by `ServerBuilder`.
"""

from acceptor.builder import NeedsHandler, Ready, ServerBuilder
from acceptor.concurrency.fork import Forked
from acceptor.concurrency.sync import Sync
from acceptor.concurrency.thread import Threaded
from acceptor.core.access import AllowAll, Policy, allow_networks, deny_networks
from acceptor.core.datagram import Datagram
from acceptor.core.deadlines import Clock, Timeouts
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
    Observer,
    Outcome,
    RefusalReason,
    Refused,
    RequestState,
    RoomAgain,
    Started,
    Stats,
    StopCause,
    Stopped,
)
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
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer, Peer, UnixPeer
from acceptor.core.plan import Plan
from acceptor.core.proxied import ProxiedPeer, ProxyCommand, ProxyHeader
from acceptor.core.reporting import access_log
from acceptor.core.runner import run
from acceptor.core.server import Server
from acceptor.core.unix_access import allow_groups, allow_users
from acceptor.handlers.base import BaseHandler
from acceptor.handlers.datagram import DatagramHandler
from acceptor.handlers.stream import StreamHandler
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
    "BaseHandler",
    "Clock",
    "Close",
    "Closed",
    "Concurrency",
    "ConfigurationError",
    "Datagram",
    "DatagramHandler",
    "DeadlineError",
    "DescriptorBudgetError",
    "DescriptorBudgetWarning",
    "Dispatcher",
    "DrainReport",
    "Draining",
    "Endpoint",
    "EndpointError",
    "Event",
    "ForkWithThreadsWarning",
    "Forked",
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
    "NeedsHandler",
    "NoReturnAddressError",
    "Observer",
    "Outcome",
    "Overflow",
    "Peer",
    "Phase",
    "Plan",
    "Policy",
    "ProxiedPeer",
    "ProxyCommand",
    "ProxyHeader",
    "Ready",
    "Refusal",
    "RefusalReason",
    "Refused",
    "RememberingPolicy",
    "Reply",
    "RequestState",
    "Reset",
    "ResourceError",
    "RoomAgain",
    "SelfWaitError",
    "Server",
    "ServerBuilder",
    "Started",
    "Stats",
    "StopCause",
    "Stopped",
    "StreamHandler",
    "Sync",
    "SystemRefusedError",
    "TcpEndpoint",
    "TcpTransport",
    "Threaded",
    "Timeouts",
    "Traffic",
    "Transport",
    "UdpEndpoint",
    "UdpTransport",
    "UnixDatagramTransport",
    "UnixEndpoint",
    "UnixPeer",
    "UnixStreamTransport",
    "UnixgramEndpoint",
    "UnsupportedError",
    "Wait",
    "Workplace",
    "access_log",
    "allow_groups",
    "allow_networks",
    "allow_users",
    "deny_networks",
    "parse_endpoint",
    "run",
]
