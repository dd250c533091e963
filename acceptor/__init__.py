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
    HandlerFailed,
    HandshakeFailed,
    Listening,
    Observer,
    Outcome,
    Refused,
    Stats,
    Stopped,
)
from acceptor.core.interfaces import (
    AccessPolicy,
    Concurrency,
    Dispatcher,
    Incoming,
    Job,
    Listener,
    Transport,
    Workplace,
)
from acceptor.core.lifecycle import Phase
from acceptor.core.peers import InetPeer, IPv4Peer, IPv6Peer, Peer, UnixPeer
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
    "Closed",
    "Concurrency",
    "ConfigurationError",
    "Datagram",
    "DatagramHandler",
    "Dispatcher",
    "DrainReport",
    "Draining",
    "Endpoint",
    "EndpointError",
    "Event",
    "ForkWithThreadsWarning",
    "Forked",
    "HandlerFailed",
    "HandlerMismatchError",
    "HandshakeError",
    "HandshakeFailed",
    "IPv4Peer",
    "IPv6Peer",
    "Incoming",
    "InetPeer",
    "Job",
    "LifecycleError",
    "ListenError",
    "Listener",
    "Listening",
    "NeedsHandler",
    "NoReturnAddressError",
    "Observer",
    "Outcome",
    "Peer",
    "Phase",
    "Policy",
    "Ready",
    "Refused",
    "ResourceError",
    "SelfWaitError",
    "Server",
    "ServerBuilder",
    "Stats",
    "Stopped",
    "StreamHandler",
    "Sync",
    "SystemRefusedError",
    "TcpEndpoint",
    "TcpTransport",
    "Threaded",
    "Transport",
    "UdpEndpoint",
    "UdpTransport",
    "UnixDatagramTransport",
    "UnixEndpoint",
    "UnixPeer",
    "UnixStreamTransport",
    "UnixgramEndpoint",
    "UnsupportedError",
    "Workplace",
    "allow_groups",
    "allow_networks",
    "allow_users",
    "deny_networks",
    "parse_endpoint",
    "run",
]
