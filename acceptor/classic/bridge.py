"""The way from a composed server to a library that expects a classic one."""

import contextlib
import socket
from collections.abc import Callable
from types import EllipsisType, TracebackType
from typing import Any, Generic, Self

from typing_extensions import TypeVar

from acceptor.core.errors import SelfWaitError, UnsupportedError
from acceptor.core.lifecycle import Phase
from acceptor.core.peers import Peer
from acceptor.core.server import Server

RequestT_co = TypeVar("RequestT_co", covariant=True, default=Any)
PeerT_co = TypeVar("PeerT_co", covariant=True, default=Peer)


class ClassicServerAdapter(Generic[RequestT_co, PeerT_co]):
    """A composed server behind the classic external methods and attributes.

    Listens while it is made, as classic servers do, unless `bind_and_activate` is off; then
    `server_bind` does, or whatever serves first.
    """

    timeout: float | None = None
    """Seconds that `handle_request` waits before it calls `handle_timeout`; None is for ever."""
    grace: float | EllipsisType | None = ...
    """Seconds that `server_close` lets running requests finish; None is for ever.

    As it stands, it is the server's own `Timeouts.drain`.
    """

    def __init__(
        self, server: Server[RequestT_co, PeerT_co], bind_and_activate: bool = True
    ) -> None:
        self.server = server
        if bind_and_activate:
            self.server_bind()

    def server_bind(self) -> None:
        """Bind and listen, unless that has been done.

        Raises:
            ListenError: The endpoint is in use, denied or unknown on this machine.
        """
        if self.server.phase is Phase.NEW:
            self.server.listen()

    def server_activate(self) -> None:
        """Do nothing: `server_bind` has made the server listen."""

    @property
    def server_address(self) -> PeerT_co:
        """What the server is bound to.

        Raises:
            LifecycleError: It has not listened yet.
        """
        return self.server.address

    @property
    def RequestHandlerClass(self) -> Callable[..., object]:  # noqa: N802
        """The handler, which is any callable of three arguments."""
        return self.server.handler

    @property
    def socket(self) -> socket.socket:
        """The listening socket: to look at, and to wait for; the server closes it.

        Raises:
            UnsupportedError: The server's transport has none, or does not tell.
        """
        found = getattr(self.server.listener, "socket", None)
        if found is None:
            raise UnsupportedError(f"{self.server.listener!r} has no socket to show")
        return found  # type: ignore[no-any-return]

    def fileno(self) -> int:
        """Return the port's descriptor; -1 once it is closed."""
        return self.server.fileno()

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until `shutdown`; nothing is polled, so the interval means nothing."""
        self.server.serve_forever()

    def handle_request(self) -> Any:
        """Serve one request; return what `handle_timeout` returns if none came in time."""
        if self.server.handle_request(self.timeout):
            return None
        return self.handle_timeout()

    def handle_timeout(self) -> Any:
        """Do nothing; for a subclass."""

    def shutdown(self) -> None:
        """End `serve_forever`, and wait until it has returned unless called from within it."""
        self.server.shutdown()
        with contextlib.suppress(SelfWaitError):
            self.server.wait()

    def server_close(self) -> None:
        """Close the port, let running requests finish within `grace`, then cut them.

        Raises:
            SelfWaitError: Called by the serving thread or a handler.
        """
        self.server.drain(self.grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the server."""
        self.server_close()
