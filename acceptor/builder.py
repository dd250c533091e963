"""The typed builder: the one place that knows every concrete part."""

from socket import SOCK_STREAM, AddressFamily, SocketKind
from socket import socket as Socket  # noqa: N812 - the method `socket` takes the name
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)

from typing_extensions import Unpack

from acceptor.addresses import InetAddress, UnixAddress, host_and_port, unix_path
from acceptor.core.datagram import Datagram
from acceptor.core.endpoint import (
    Endpoint,
    TcpEndpoint,
    UdpEndpoint,
    UnixEndpoint,
    UnixgramEndpoint,
    parse_endpoint,
)
from acceptor.core.errors import ConfigurationError
from acceptor.core.interfaces import Transport
from acceptor.core.lazily import LazyModule
from acceptor.core.peers import InetPeer, Peer, UnixPeer
from acceptor.core.values import frozen
from acceptor.options import (
    TcpOptions,
    UdpOptions,
    UnixDatagramOptions,
    UnixStreamOptions,
)
from acceptor.stages import NeedsHandler, Ready, StreamNeedsHandler, known, require
from acceptor.transports.tcp import TcpTransport

if TYPE_CHECKING:
    from acceptor import from_classic as _classic
    from acceptor.transports import adopted as _adopted
    from acceptor.transports import udp as _udp
    from acceptor.transports import unix_datagram as _unix_datagram
    from acceptor.transports import unix_stream as _unix_stream
else:  # each is loaded by the step that opens with it
    _classic = LazyModule("acceptor.from_classic")
    _adopted = LazyModule("acceptor.transports.adopted")
    _udp = LazyModule("acceptor.transports.udp")
    _unix_datagram = LazyModule("acceptor.transports.unix_datagram")
    _unix_stream = LazyModule("acceptor.transports.unix_stream")

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

InetFamily: TypeAlias = Literal[AddressFamily.AF_INET, AddressFamily.AF_INET6]
AnyStage: TypeAlias = (
    StreamNeedsHandler[InetPeer]
    | StreamNeedsHandler[UnixPeer]
    | NeedsHandler[Datagram, InetPeer]
    | NeedsHandler[Datagram, UnixPeer]
)


@frozen
class ServerBuilder:
    """Where every server begins: choose the transport, from which all types follow.

    The stages that the steps return are frozen values: two servers may branch from one.
    """

    def tcp(
        self, address: InetAddress, **options: Unpack[TcpOptions]
    ) -> StreamNeedsHandler[InetPeer]:
        """Listen for TCP connections at `(host, port)`; port 0 lets the system choose one.

        The family follows from the host: "" means all IPv4 addresses, "::" all of both families
        (IPv4 clients are seen with their IPv4 address). Options: see `TcpTransport`.

        Raises:
            EndpointError: The address is malformed.
            ConfigurationError, UnsupportedError: An option cannot work here.
        """
        endpoint = TcpEndpoint(*host_and_port(address))
        return StreamNeedsHandler(TcpTransport(endpoint=endpoint, **known(TcpOptions, options)))

    def udp(
        self, address: InetAddress, **options: Unpack[UdpOptions]
    ) -> NeedsHandler[Datagram, InetPeer]:
        """Receive UDP datagrams at `(host, port)`, as `tcp`. Options: see `UdpTransport`."""
        endpoint = UdpEndpoint(*host_and_port(address))
        return NeedsHandler(_udp.UdpTransport(endpoint=endpoint, **known(UdpOptions, options)))

    def unix_stream(
        self, path: UnixAddress, **options: Unpack[UnixStreamOptions]
    ) -> StreamNeedsHandler[UnixPeer]:
        """Listen for connections on a Unix socket; "@name" is abstract (Linux).

        Options: see `UnixStreamTransport`.

        Raises:
            EndpointError: It is no path.
            ConfigurationError, UnsupportedError: The path is too long, or an option cannot work.
        """
        endpoint = UnixEndpoint(unix_path(path))
        return StreamNeedsHandler(
            _unix_stream.UnixStreamTransport(endpoint=endpoint, **known(UnixStreamOptions, options))
        )

    def unix_datagram(
        self, path: UnixAddress, **options: Unpack[UnixDatagramOptions]
    ) -> NeedsHandler[Datagram, UnixPeer]:
        """Receive datagrams on a Unix socket, as `unix_stream`.

        Options: see `UnixDatagramTransport`.
        """
        endpoint = UnixgramEndpoint(unix_path(path))
        return NeedsHandler(
            _unix_datagram.UnixDatagramTransport(
                endpoint=endpoint, **known(UnixDatagramOptions, options)
            )
        )

    @overload
    def listen_on(self, endpoint: TcpEndpoint) -> StreamNeedsHandler[InetPeer]: ...
    @overload
    def listen_on(self, endpoint: UdpEndpoint) -> NeedsHandler[Datagram, InetPeer]: ...
    @overload
    def listen_on(self, endpoint: UnixEndpoint) -> StreamNeedsHandler[UnixPeer]: ...
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
                return StreamNeedsHandler(TcpTransport(endpoint=found))
            case UdpEndpoint() as found:
                return NeedsHandler(_udp.UdpTransport(endpoint=found))
            case UnixEndpoint() as found:
                return StreamNeedsHandler(_unix_stream.UnixStreamTransport(endpoint=found))
            case UnixgramEndpoint() as found:
                return NeedsHandler(_unix_datagram.UnixDatagramTransport(endpoint=found))
        raise ConfigurationError(f"expected an endpoint or its text, got {endpoint!r}")

    @overload
    def socket(
        self, source: Socket | int, type: Literal[SocketKind.SOCK_STREAM], family: InetFamily
    ) -> StreamNeedsHandler[InetPeer]: ...
    @overload
    def socket(
        self, source: Socket | int, type: Literal[SocketKind.SOCK_DGRAM], family: InetFamily
    ) -> NeedsHandler[Datagram, InetPeer]: ...
    @overload
    def socket(
        self, source: Socket | int, type: Literal[SocketKind.SOCK_STREAM]
    ) -> StreamNeedsHandler[Peer]: ...
    @overload
    def socket(
        self, source: Socket | int, type: Literal[SocketKind.SOCK_DGRAM]
    ) -> NeedsHandler[Datagram, Peer]: ...
    @overload
    def socket(
        self, source: Socket | int, type: None = None
    ) -> StreamNeedsHandler[Peer] | NeedsHandler[Datagram, Peer]: ...

    def socket(
        self,
        source: Socket | int,
        type: SocketKind | None = None,
        family: AddressFamily | None = None,
    ) -> (
        StreamNeedsHandler[Peer]
        | NeedsHandler[Datagram, Peer]
        | StreamNeedsHandler[InetPeer]
        | NeedsHandler[Datagram, InetPeer]
    ):
        """Serve a socket, or its descriptor, that somebody else has bound.

        `type` (SOCK_STREAM or SOCK_DGRAM) tells the type checker what it is, `family` (AF_INET or
        AF_INET6) that its clients have Internet addresses; both are verified. From `listen` on the
        server owns the socket and closes it; it never removes its file.

        Raises:
            ConfigurationError: It is closed, not bound, or of another kind.
        """
        kind = _adopted.socket_kind(source)
        if type is not None and type != kind:
            wanted = getattr(type, "name", repr(type))
            raise ConfigurationError(f"expected a {wanted} socket, got a {kind.name} one")
        if family is not None:
            _adopted.check_family(source, family)
        if kind == SOCK_STREAM:
            return StreamNeedsHandler(_adopted.AdoptedStreamTransport(source=source))
        return NeedsHandler(_adopted.AdoptedDatagramTransport(source=source))

    @overload
    @staticmethod
    def from_classic(
        source: "type[_classic.ClassicStreams]", address: InetAddress | UnixAddress
    ) -> StreamNeedsHandler[Peer]: ...
    @overload
    @staticmethod
    def from_classic(
        source: "type[_classic.ClassicDatagrams]", address: InetAddress | UnixAddress
    ) -> NeedsHandler[Datagram, Peer]: ...
    @overload
    @staticmethod
    def from_classic(source: "_classic.ClassicStreams") -> Ready[Socket, Peer]: ...
    @overload
    @staticmethod
    def from_classic(source: "_classic.ClassicDatagrams") -> Ready[Datagram, Peer]: ...

    @staticmethod
    def from_classic(
        source: object, address: InetAddress | UnixAddress | None = None
    ) -> (
        StreamNeedsHandler[Peer]
        | NeedsHandler[Datagram, Peer]
        | Ready[Socket, Peer]
        | Ready[Datagram, Peer]
    ):
        """Take over the choices of a classic server: a class with an address, or an instance.

        Carries over the family and type of the socket, the mix-in, `max_children`,
        `request_queue_size`, `allow_reuse_address`, `allow_reuse_port`, `max_packet_size` (where
        they differ from the classic defaults) and `verify_request`; of an instance also its
        address, or its socket if that is bound, and its handler class, which finds the composed
        server in its `server`, and not the instance.

        Raises:
            ConfigurationError: It overrides what cannot be carried over; the text names each, and
                what stands in its place.
        """
        choices = _classic.read_choices(source, address)
        opened = getattr(ServerBuilder(), choices.opening)(choices.where, **choices.options)
        stage: NeedsHandler[Any, Any] = getattr(opened, choices.strategy)(*choices.bound)
        if choices.policy is not None:
            stage = stage.access(choices.policy)
        return stage if choices.handler is None else stage.handler(choices.handler)

    @overload
    def transport(self, new_transport: TcpTransport) -> StreamNeedsHandler[InetPeer]: ...
    @overload
    def transport(
        self, new_transport: "_unix_stream.UnixStreamTransport"
    ) -> StreamNeedsHandler[UnixPeer]: ...
    @overload
    def transport(
        self, new_transport: "_adopted.AdoptedStreamTransport"
    ) -> StreamNeedsHandler[Peer]: ...
    @overload
    def transport(
        self, new_transport: Transport[RequestT, PeerT]
    ) -> NeedsHandler[RequestT, PeerT]: ...

    def transport(
        self, new_transport: Transport[RequestT, PeerT]
    ) -> NeedsHandler[RequestT, PeerT] | StreamNeedsHandler[PeerT]:
        """Take clients from any object that has the `Transport` protocol.

        Raises:
            ConfigurationError: It does not have it.
        """
        require(new_transport, "a transport", "listen")
        ours = (
            TcpTransport,
            _unix_stream.UnixStreamTransport,
            _adopted.AdoptedStreamTransport,
        )
        if isinstance(new_transport, ours):
            return StreamNeedsHandler[PeerT](cast("Transport[Socket, PeerT]", new_transport))
        return NeedsHandler(new_transport)
