"""The typed builder: the one place that knows every concrete part."""

import time
from collections.abc import Callable
from socket import SOCK_STREAM, SocketKind
from socket import socket as Socket  # noqa: N812 - the method `socket` takes the name
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    overload,
)

import attrs
from typing_extensions import Unpack

from acceptor.addresses import InetAddress, UnixAddress, host_and_port, unix_path
from acceptor.concurrency.fork import DEFAULT_MAX_CHILDREN, Forked
from acceptor.concurrency.sync import Sync
from acceptor.concurrency.thread import DEFAULT_MAX_THREADS, Threaded
from acceptor.core.access import PolicyLike, as_policy
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
from acceptor.core.errors import ConfigurationError
from acceptor.core.events import Observer
from acceptor.core.interfaces import AccessPolicy, Concurrency, Transport
from acceptor.core.limits import Limits
from acceptor.core.peers import InetPeer, Peer, UnixPeer
from acceptor.core.recipe import Recipe
from acceptor.core.server import Server
from acceptor.fitting import check_handler, check_policy
from acceptor.from_classic import ClassicDatagrams, ClassicStreams, read_choices
from acceptor.options import (
    LimitOptions,
    TcpOptions,
    TimeoutOptions,
    UdpOptions,
    UnixDatagramOptions,
    UnixStreamOptions,
)
from acceptor.transports.adopted import (
    AdoptedDatagramTransport,
    AdoptedStreamTransport,
    socket_kind,
)
from acceptor.transports.tcp import TcpTransport
from acceptor.transports.udp import UdpTransport
from acceptor.transports.unix_datagram import UnixDatagramTransport
from acceptor.transports.unix_stream import UnixStreamTransport

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

if TYPE_CHECKING:
    from socketserver import BaseServer as ClassicServer

    class ThisServer(Server[RequestT, PeerT], ClassicServer):  # type: ignore[misc]
        """This server, which is a classic one only for the checkers.

        The standard library's handler classes say in their signature that they want a classic
        one, although they use nothing of it. One type and not a union of two callables, from
        which mypy infers nothing for a lambda.
        """

else:
    ThisServer = Server

Handler: TypeAlias = Callable[[RequestT, PeerT, ThisServer[RequestT, PeerT]], object]


@attrs.frozen
class Steps(Generic[RequestT, PeerT]):
    """The steps that may be taken at any time once there is a transport."""

    _transport: Transport[RequestT, PeerT]
    _concurrency: Concurrency = attrs.field(factory=Sync)
    _policies: tuple[AccessPolicy[PeerT], ...] = ()
    _observers: tuple[Observer, ...] = ()
    _limits: Limits = attrs.field(factory=Limits)
    _timeouts: Timeouts = attrs.field(factory=Timeouts)
    _clock: Clock = time.monotonic

    def sync(self) -> Self:
        """Serve one request at a time, in the accept thread. This is the default."""
        return self.concurrency(Sync())

    def threaded(self, max_threads: int = DEFAULT_MAX_THREADS) -> Self:
        """Serve each request in a thread, at most so many at a time; others wait in the backlog.

        Raises:
            ConfigurationError: `max_threads` is no whole number above zero.
        """
        return self.concurrency(Threaded(max_threads))

    def forked(self, max_children: int = DEFAULT_MAX_CHILDREN) -> Self:
        """Serve each request in a child, at most so many at a time; others wait in the backlog.

        Raises:
            ConfigurationError: `max_children` is no whole number above zero.
            UnsupportedError: The platform has no fork.
        """
        return self.concurrency(Forked(max_children))

    def concurrency(self, new_concurrency: Concurrency) -> Self:
        """Run requests with any object that has the `Concurrency` protocol.

        Raises:
            ConfigurationError: It does not have it.
        """
        _require(new_concurrency, "a concurrency strategy", "start", "limit")
        return attrs.evolve(self, concurrency=new_concurrency)

    def access(self, policy: PolicyLike[PeerT]) -> Self:
        """Let in only whom the policy allows, and every other policy of this server.

        Takes an `AccessPolicy` or a function from the peer to a truth value. Runs in the accept
        thread, so it must not wait. A policy that raises denies.

        Raises:
            ConfigurationError: It is no policy, or judges peers that this transport never has.
        """
        new_policy = as_policy(policy)
        check_policy(new_policy, getattr(self._transport, "peer_types", None))
        return attrs.evolve(self, policies=(*self._policies, new_policy))

    def limits(self, new_limits: Limits | None = None, /, **changes: Unpack[LimitOptions]) -> Self:
        """Bound how many requests may be in work, and say what becomes of the others.

        Takes `Limits`, or keywords that change only what they name.

        Raises:
            ConfigurationError: A value cannot work; it says which.
        """
        limits = _given(new_limits, self._limits, Limits)
        return attrs.evolve(self, limits=_changed(limits, dict(changes)))

    def timeouts(
        self, new_timeouts: Timeouts | None = None, /, **changes: Unpack[TimeoutOptions]
    ) -> Self:
        """Say how long the server waits for its clients, and for itself when it ends.

        Takes `Timeouts`, or keywords, in seconds, that change only what they name.

        Raises:
            ConfigurationError: A value is no time; it says which.
        """
        timeouts = _given(new_timeouts, self._timeouts, Timeouts)
        return attrs.evolve(self, timeouts=_changed(timeouts, dict(changes)))

    def clock(self, new_clock: Clock) -> Self:
        """Measure time with a function that returns seconds; for tests that do not want to wait.

        Raises:
            ConfigurationError: It is not callable.
        """
        if not callable(new_clock):
            raise ConfigurationError(f"a clock must return seconds when called, got {new_clock!r}")
        return attrs.evolve(self, clock=new_clock)

    def observe(self, observer: Observer) -> Self:
        """Have a function called with each event, in the thread where it happens.

        Raises:
            ConfigurationError: It is not callable.
        """
        if not callable(observer):
            raise ConfigurationError(
                f"an observer must be callable with an event, got {observer!r}"
            )
        return attrs.evolve(self, observers=(*self._observers, observer))

    def _check_handler(self, handler: object) -> None:
        check_handler(handler, getattr(self._transport, "request_type", None))


@attrs.frozen
class NeedsHandler(Steps[RequestT, PeerT]):
    """There is a transport; `handler` is still missing before `build`."""

    def handler(self, new_handler: "Handler[RequestT, PeerT]") -> "Ready[RequestT, PeerT]":
        """Serve requests with any callable that takes `(request, client_address, server)`.

        It is called once for each request. If it returns one of our handlers (a `BaseHandler`,
        so the class itself is a handler), that is set up, run and finished.

        Raises:
            HandlerMismatchError: It cannot be called so, or is for the other kind of transport.
        """
        self._check_handler(new_handler)
        return Ready(
            self._transport,
            self._concurrency,
            self._policies,
            self._observers,
            self._limits,
            self._timeouts,
            self._clock,
            new_handler,
        )


@attrs.frozen
class Ready(Steps[RequestT, PeerT]):
    """Nothing is missing: `build` makes a server."""

    _handler: Any = attrs.field(default=None)

    def handler(self, new_handler: "Handler[RequestT, PeerT]") -> Self:
        """Serve requests with another handler instead; see `NeedsHandler.handler`."""
        self._check_handler(new_handler)
        return attrs.evolve(self, handler=new_handler)

    def build(self) -> Server[RequestT, PeerT]:
        """Make a server of these parts; it has opened nothing yet. May be called repeatedly."""
        return Server(
            Recipe(
                transport=self._transport,
                concurrency=self._concurrency,
                policies=self._policies,
                handler=self._handler,
                observers=self._observers,
                limits=self._limits,
                timeouts=self._timeouts,
                clock=self._clock,
            )
        )


AnyStage: TypeAlias = (
    NeedsHandler[Socket, InetPeer]
    | NeedsHandler[Socket, UnixPeer]
    | NeedsHandler[Datagram, InetPeer]
    | NeedsHandler[Datagram, UnixPeer]
)


@attrs.frozen
class ServerBuilder:
    """Where every server begins: choose the transport, from which all types follow.

    The stages that the steps return are frozen values: two servers may branch from one.
    """

    def tcp(
        self, address: InetAddress, **options: Unpack[TcpOptions]
    ) -> NeedsHandler[Socket, InetPeer]:
        """Listen for TCP connections at `(host, port)`; port 0 lets the system choose one.

        The family follows from the host: "" means all IPv4 addresses, "::" all of both families
        (IPv4 clients are seen with their IPv4 address). Options: see `TcpTransport`.

        Raises:
            EndpointError: The address is malformed.
            ConfigurationError, UnsupportedError: An option cannot work here.
        """
        endpoint = TcpEndpoint(*host_and_port(address))
        return NeedsHandler(TcpTransport(endpoint=endpoint, **options))

    def udp(
        self, address: InetAddress, **options: Unpack[UdpOptions]
    ) -> NeedsHandler[Datagram, InetPeer]:
        """Receive UDP datagrams at `(host, port)`, as `tcp`. Options: see `UdpTransport`."""
        endpoint = UdpEndpoint(*host_and_port(address))
        return NeedsHandler(UdpTransport(endpoint=endpoint, **options))

    def unix_stream(
        self, path: UnixAddress, **options: Unpack[UnixStreamOptions]
    ) -> NeedsHandler[Socket, UnixPeer]:
        """Listen for connections on a Unix socket; "@name" is abstract (Linux).

        Options: see `UnixStreamTransport`.

        Raises:
            EndpointError: It is no path.
            ConfigurationError, UnsupportedError: The path is too long, or an option cannot work.
        """
        endpoint = UnixEndpoint(unix_path(path))
        return NeedsHandler(UnixStreamTransport(endpoint=endpoint, **options))

    def unix_datagram(
        self, path: UnixAddress, **options: Unpack[UnixDatagramOptions]
    ) -> NeedsHandler[Datagram, UnixPeer]:
        """Receive datagrams on a Unix socket, as `unix_stream`.

        Options: see `UnixDatagramTransport`.
        """
        endpoint = UnixgramEndpoint(unix_path(path))
        return NeedsHandler(UnixDatagramTransport(endpoint=endpoint, **options))

    @overload
    def listen_on(self, endpoint: TcpEndpoint) -> NeedsHandler[Socket, InetPeer]: ...
    @overload
    def listen_on(self, endpoint: UdpEndpoint) -> NeedsHandler[Datagram, InetPeer]: ...
    @overload
    def listen_on(self, endpoint: UnixEndpoint) -> NeedsHandler[Socket, UnixPeer]: ...
    @overload
    def listen_on(self, endpoint: UnixgramEndpoint) -> NeedsHandler[Datagram, UnixPeer]: ...
    @overload
    def listen_on(self, endpoint: str) -> AnyStage: ...

    def listen_on(self, endpoint: str | Endpoint) -> AnyStage:
        """Listen at an endpoint given as a value or as text, such as `tcp://127.0.0.1:80`.

        Text can be of any kind, and so the type is the union of all.

        Raises:
            EndpointError: The text is malformed; it says which part.
        """
        match parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint:
            case TcpEndpoint() as found:
                return NeedsHandler(TcpTransport(endpoint=found))
            case UdpEndpoint() as found:
                return NeedsHandler(UdpTransport(endpoint=found))
            case UnixEndpoint() as found:
                return NeedsHandler(UnixStreamTransport(endpoint=found))
            case UnixgramEndpoint() as found:
                return NeedsHandler(UnixDatagramTransport(endpoint=found))
        raise ConfigurationError(f"expected an endpoint or its text, got {endpoint!r}")

    @overload
    def socket(
        self, source: Socket | int, type: Literal[SocketKind.SOCK_STREAM]
    ) -> NeedsHandler[Socket, Peer]: ...
    @overload
    def socket(
        self, source: Socket | int, type: Literal[SocketKind.SOCK_DGRAM]
    ) -> NeedsHandler[Datagram, Peer]: ...
    @overload
    def socket(
        self, source: Socket | int, type: None = None
    ) -> NeedsHandler[Socket, Peer] | NeedsHandler[Datagram, Peer]: ...

    def socket(
        self, source: Socket | int, type: SocketKind | None = None
    ) -> NeedsHandler[Socket, Peer] | NeedsHandler[Datagram, Peer]:
        """Serve a socket, or its descriptor, that somebody else has bound.

        `type` (SOCK_STREAM or SOCK_DGRAM) tells the type checker what it is, and is verified.
        From `listen` on the server owns the socket and closes it; it never removes its file.

        Raises:
            ConfigurationError: It is closed, not bound, or of another kind.
        """
        kind = socket_kind(source)
        if type is not None and type != kind:
            raise ConfigurationError(f"expected a {type.name} socket, got a {kind.name} one")
        if kind == SOCK_STREAM:
            return NeedsHandler(AdoptedStreamTransport(source=source))
        return NeedsHandler(AdoptedDatagramTransport(source=source))

    @overload
    @staticmethod
    def from_classic(
        source: type[ClassicStreams], address: InetAddress | UnixAddress
    ) -> NeedsHandler[Socket, Peer]: ...
    @overload
    @staticmethod
    def from_classic(
        source: type[ClassicDatagrams], address: InetAddress | UnixAddress
    ) -> NeedsHandler[Datagram, Peer]: ...
    @overload
    @staticmethod
    def from_classic(source: ClassicStreams) -> Ready[Socket, Peer]: ...
    @overload
    @staticmethod
    def from_classic(source: ClassicDatagrams) -> Ready[Datagram, Peer]: ...

    @staticmethod
    def from_classic(
        source: object, address: InetAddress | UnixAddress | None = None
    ) -> (
        NeedsHandler[Socket, Peer]
        | NeedsHandler[Datagram, Peer]
        | Ready[Socket, Peer]
        | Ready[Datagram, Peer]
    ):
        """Take over the choices of a classic server: a class with an address, or an instance.

        Carries over the family and type of the socket, the mix-in, `max_children`,
        `request_queue_size`, `allow_reuse_address`, `allow_reuse_port`, `max_packet_size` (where
        they differ from the classic defaults) and `verify_request`; of an instance also its
        address, or its socket if that is bound, and its handler class.

        Raises:
            ConfigurationError: It overrides what cannot be carried over; the text names each, and
                what stands in its place.
        """
        choices = read_choices(source, address)
        opened = getattr(ServerBuilder(), choices.opening)(choices.where, **choices.options)
        stage: NeedsHandler[Any, Any] = getattr(opened, choices.strategy)(*choices.bound)
        if choices.policy is not None:
            stage = stage.access(choices.policy)
        return stage if choices.handler is None else stage.handler(choices.handler)

    def transport(self, new_transport: Transport[RequestT, PeerT]) -> NeedsHandler[RequestT, PeerT]:
        """Take clients from any object that has the `Transport` protocol.

        Raises:
            ConfigurationError: It does not have it.
        """
        _require(new_transport, "a transport", "listen")
        return NeedsHandler(new_transport)


ValueT = TypeVar("ValueT", bound=Limits | Timeouts)


def _given(value: ValueT | None, present: ValueT, kind: type[ValueT]) -> ValueT:
    if value is not None and not isinstance(value, kind):
        raise ConfigurationError(f"expected {kind.__name__} or keywords, got {value!r}")
    return present if value is None else value


def _changed(value: ValueT, changes: dict[str, Any]) -> ValueT:
    known = [field.name for field in attrs.fields(type(value))]
    for name in changes:
        if name not in known:
            raise ConfigurationError(f"there is no {name}, but {', '.join(known)}")
    return attrs.evolve(value, **changes)


def _require(part: object, what: str, *names: str) -> None:
    missing = [name for name in names if not hasattr(part, name)]
    if isinstance(part, type) or missing:
        raise ConfigurationError(f"{what} needs {' and '.join(names)}, got {part!r}")
