"""The base of all handler classes: it stores what it is given and has a life to be run."""

from typing import Generic

from typing_extensions import TypeVar

from acceptor.core.interfaces import RequestHandler
from acceptor.core.message import AnyPeer
from acceptor.core.server import Server

RequestT = TypeVar("RequestT", default=object)
PeerT = TypeVar("PeerT", default=AnyPeer)


class BaseHandler(RequestHandler, Generic[RequestT, PeerT]):
    """Serves one request: `setup`, `handle`, `finish`, called by the server in this order.

    Making one does no work, so that a handler can be made and tested alone. `finish` runs
    whenever `setup` has succeeded, also when `handle` raised.
    """

    server: Server[RequestT, PeerT]

    def __init__(
        self, request: RequestT, client_address: PeerT, server: Server[RequestT, PeerT] | None
    ) -> None:
        """Store the request, the peer and the server (None in a test without one); nothing else."""
        self.request = request
        self.client_address = client_address
        self.server = server  # type: ignore[assignment]
