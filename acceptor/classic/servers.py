"""The classic servers: `BaseServer` and its four kinds."""

import selectors
import socket
import sys
import threading
import traceback
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from typing_extensions import TypeVar

from acceptor.classic.engine import take_one
from acceptor.classic.loops import HookWorkplace, LoopEnd
from acceptor.classic.parameters import Parameters
from acceptor.core.deadlines import Deadline
from acceptor.transports.accepting import accept

RequestT = TypeVar("RequestT", default=Any)
AddressT = TypeVar("AddressT", default=Any)
StreamT = TypeVar("StreamT", bound=socket.socket, default=socket.socket)

_AF_INET, _SOCK_STREAM, _SOCK_DGRAM = socket.AF_INET, socket.SOCK_STREAM, socket.SOCK_DGRAM

_Socket: TypeAlias = socket.socket
_Datagram: TypeAlias = tuple[bytes, socket.socket]

_LINE = "-" * 40

# `socketserver` stopped asking for it elsewhere in 3.12.9 and 3.13.2: since Linux 6.12.9 other
# families refuse it. Source: gh-128916.
_REUSES_ANY_PORT = sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)


def _port_option(family: int) -> int | None:
    is_inet = family in (socket.AF_INET, socket.AF_INET6)
    return getattr(socket, "SO_REUSEPORT", None) if is_inet or _REUSES_ANY_PORT else None


class BaseServer(Parameters[RequestT, AddressT]):
    """A server whose subclass says what a request is and where it comes from.

    Hooks, in the order in which one request meets them: `get_request`, `verify_request`,
    `process_request`, `finish_request`, `handle_error` if that raises, `shutdown_request`,
    `close_request`. All are looked up on the instance at each call.
    """

    timeout: float | None = None
    """Seconds that `handle_request` waits before it calls `handle_timeout`; None is for ever."""

    server_address: Any
    RequestHandlerClass: Callable[..., Any]

    if TYPE_CHECKING:  # what a subclass has to bring; programs ask for these with `hasattr`
        socket: _Socket

        def get_request(self) -> tuple[RequestT, AddressT]:
            """Return the next request and its client's address."""
            raise NotImplementedError

        def fileno(self) -> int:
            """Return the descriptor that is readable when a request waits."""
            raise NotImplementedError
    else:
        __class_getitem__ = classmethod(types.GenericAlias)

    # Defaults for servers whose `__init__` was never called.
    __shutdown_request: bool = False
    __is_shut_down: threading.Event | None = None
    __workplace: HookWorkplace | None = None
    __serving: int | None = None  # identity of the thread that is in `serve_forever`

    def __init__(
        self,
        server_address: Any,
        RequestHandlerClass: Callable[[Any, Any, Any], object],  # noqa: N803
    ) -> None:
        self.server_address = server_address
        self.RequestHandlerClass = RequestHandlerClass
        self.__is_shut_down = LoopEnd()
        self.__shutdown_request = False

    def server_activate(self) -> None:
        """Do nothing; called by the constructors of servers with a socket."""

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until `shutdown` is called; `service_actions` runs each `poll_interval` seconds.

        It may be called again afterwards. What `service_actions`, `verify_request` or
        `get_request` raises (`OSError` from the last is ignored) ends it.

        Raises:
            ValueError: The server is closed.
        """
        over = self.__over()
        over.clear()
        self.__serving = threading.get_ident()
        try:
            if not self.__shutdown_request:  # else the socket may be closed already
                self.__loop(poll_interval)
        finally:
            self.__serving = None
            self.__shutdown_request = False
            over.set()

    def __loop(self, poll_interval: float) -> None:
        with self.__our_workplace().loop_for(
            self, _selector(), self.__room(), wakeable=True
        ) as loop:
            while not self.__shutdown_request:
                ready = loop.wait_for_client(poll_interval)
                if self.__shutdown_request:
                    break
                if ready:
                    self._handle_request_noblock()
                self.service_actions()

    def __over(self) -> threading.Event:
        if self.__is_shut_down is None:  # of two threads that come at once, one makes it
            vars(self).setdefault("_BaseServer__is_shut_down", LoopEnd())
        return cast("threading.Event", self.__is_shut_down)

    def __our_workplace(self) -> HookWorkplace:
        if self.__workplace is None:
            vars(self).setdefault("_BaseServer__workplace", HookWorkplace())
        return cast("HookWorkplace", self.__workplace)

    def __room(self) -> Callable[[], bool] | None:
        return cast("Callable[[], bool] | None", getattr(self, "_ForkingMixIn__has_room", None))

    def shutdown(self) -> None:
        """End `serve_forever`, at once, and wait until it has returned.

        Called by the thread that serves, or when no loop runs, it does not wait; the next
        `serve_forever` then returns at once. Neither closes the socket nor ends handlers.
        """
        self.__shutdown_request = True
        if self.__workplace is not None:
            self.__workplace.wake()
        over = self.__over()
        serving = self.__serving or getattr(over, "awaited_in", None)
        if serving not in (None, threading.get_ident()):
            over.wait()

    def service_actions(self) -> None:
        """Do nothing; called by `serve_forever` after each wait."""

    def handle_request(self) -> Any:
        """Handle one request; wait for it up to `timeout` seconds, or the socket's if shorter.

        Returns what `handle_timeout` returns if none came, and None if one did.

        Raises:
            ValueError: The server is closed.
        """
        times = (self.socket.gettimeout(), self.timeout)
        deadline = Deadline.after(min((time for time in times if time is not None), default=None))
        with self.__our_workplace().loop_for(self, _selector(), None) as loop:
            while not loop.wait_for_client(deadline.remaining()):
                if deadline.passed:
                    return self.handle_timeout()
            return self._handle_request_noblock()

    def _handle_request_noblock(self) -> None:
        """Handle one request that waits already; also for loops that are not ours."""
        loop = None if self.__workplace is None else self.__workplace.loop
        if loop is None:
            take_one(self)
        else:
            loop.take_up_to(1)

    def handle_timeout(self) -> Any:
        """Do nothing; called by `handle_request` when the time is over."""

    def verify_request(self, request: RequestT | Any, client_address: AddressT | Any) -> bool:
        """Say whether to serve it; True unless overridden."""
        return True

    def process_request(self, request: RequestT | Any, client_address: AddressT | Any) -> None:
        """Serve a request here and now; the mix-ins do so in a thread or a process."""
        self.finish_request(request, client_address)
        self.shutdown_request(request)

    def server_close(self) -> None:
        """Do nothing; servers with a socket close it."""

    def finish_request(self, request: RequestT | Any, client_address: AddressT | Any) -> None:
        """Make an instance of the handler class, whose constructor does all the work."""
        self.RequestHandlerClass(request, client_address, self)

    def shutdown_request(self, request: RequestT | Any) -> None:
        """End a request that has been served or refused."""
        self.close_request(request)

    def close_request(self, request: RequestT | Any) -> None:
        """Do nothing; servers of connections close them."""

    def handle_error(self, request: RequestT | Any, client_address: AddressT | Any) -> None:
        """Print the error that is being handled to standard error; the server goes on."""
        if sys.stderr is not None:
            sys.stderr.write(
                f"{_LINE}\nException occurred during processing of request from {client_address}\n"
                f"{traceback.format_exc()}{_LINE}\n"
            )

    def __enter__(self) -> Self:
        return self

    if TYPE_CHECKING:

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: types.TracebackType | None,
            /,
        ) -> None:
            """Close the server."""
    else:

        def __exit__(self, *args):
            """Close the server."""
            self.server_close()


def _selector() -> type[selectors.BaseSelector]:
    # Looked up where programs replace it: in the module that they import.
    return cast(
        "type[selectors.BaseSelector]", vars(sys.modules["acceptor.classic"])["_ServerSelector"]
    )


class TCPServer(BaseServer[StreamT, AddressT]):
    """Serves connections; the attributes are options for a subclass or an instance to set.

    With `bind_and_activate` off the caller binds and activates it, and closes it if that fails.
    """

    address_family: int = _AF_INET
    socket_type: int = _SOCK_STREAM
    request_queue_size: int = 5
    """Connections that may wait in the backlog."""
    allow_reuse_address: bool = False
    allow_reuse_port: bool = False

    server_address: Any
    socket: _Socket

    def __init__(
        self,
        server_address: Any,
        RequestHandlerClass: Callable[[Any, Any, Any], object],  # noqa: N803
        bind_and_activate: bool = True,
    ) -> None:
        BaseServer.__init__(self, server_address, RequestHandlerClass)
        self.socket = socket.socket(self.address_family, self.socket_type)
        if bind_and_activate:
            try:
                self.server_bind()
                self.server_activate()
            except BaseException:
                self.server_close()
                raise

    def server_bind(self) -> None:
        """Set the options, bind the socket, and learn the address that it got."""
        if self.allow_reuse_address and hasattr(socket, "SO_REUSEADDR"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port_option = _port_option(self.address_family)
        if self.allow_reuse_port and port_option is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, port_option, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def server_activate(self) -> None:
        """Listen."""
        self.socket.listen(self.request_queue_size)

    def server_close(self) -> None:
        """Close the socket; may be repeated."""
        self.socket.close()

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 once it is closed."""
        return self.socket.fileno()

    def get_request(self) -> tuple[StreamT, AddressT]:
        """Accept a connection."""
        return cast("tuple[StreamT, AddressT]", accept(self.socket))

    def shutdown_request(self, request: StreamT | Any) -> None:
        """Shut the connection's sending side, and close it."""
        try:
            request.shutdown(socket.SHUT_WR)
        except OSError:  # the client is gone already
            pass
        self.close_request(request)

    def close_request(self, request: StreamT | Any) -> None:
        """Close the connection."""
        request.close()


class UDPServer(TCPServer[Any, AddressT]):
    """Serves datagrams: a request is the pair of the data and the server's own socket."""

    allow_reuse_address: bool = False
    allow_reuse_port: bool = False
    socket_type: int = _SOCK_DGRAM
    max_packet_size: int = 8192
    """Bytes; what is longer arrives cut."""

    def get_request(self) -> tuple[_Datagram, AddressT]:
        """Receive a datagram."""
        data, client_address = self.socket.recvfrom(self.max_packet_size)
        return (data, self.socket), client_address

    def server_activate(self) -> None:
        """Do nothing: there is no backlog."""

    def shutdown_request(self, request: _Datagram | Any) -> None:
        """Call `close_request`: there is no connection to shut."""
        self.close_request(request)

    def close_request(self, request: _Datagram | Any) -> None:
        """Do nothing: the socket is the server's."""


if sys.platform != "win32":

    class UnixStreamServer(TCPServer[StreamT, AddressT]):
        """Serves connections on a Unix socket; removing its file is the program's part."""

        address_family: int = socket.AF_UNIX

    class UnixDatagramServer(UDPServer[AddressT]):
        """Serves datagrams on a Unix socket; removing its file is the program's part."""

        address_family: int = socket.AF_UNIX
