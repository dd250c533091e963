"""Where a transport sits its exam: listeners and clients that are surely gone afterwards."""

import contextlib
import selectors
import socket
import struct
import sys
from abc import abstractmethod
from collections.abc import Callable, Generator
from typing import Any, Final, Protocol, TypeAlias

import attrs

from acceptor.core.deadlines import Timeouts
from acceptor.core.interfaces import Incoming, Listener, Transport
from acceptor.testing.connecting import connect
from acceptor.testing.exam.paper import Aside, in_time, leaving_nothing, promised, require

HELLO: Final = b"examination\n"
"""What each client sends first."""

_RESET: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Client(Protocol):
    """What the exam needs of the client's end; a `socket.socket` has it."""

    @abstractmethod
    def sendall(self, data: bytes, /) -> Any:
        """Send."""

    @abstractmethod
    def recv(self, bufsize: int, /) -> bytes:
        """Receive."""

    @abstractmethod
    def close(self) -> Any:
        """Leave."""


NewTransport: TypeAlias = Callable[[], Transport[Any, Any]]
Connect: TypeAlias = Callable[[Any], Client]


@attrs.define(eq=False)
class Room:
    """One question's listener, and the clients that come to it."""

    listener: Listener[Any, Any]
    _connect: Connect | None
    patience: float
    _leaving: contextlib.ExitStack

    def come(self, *, silent: bool = False) -> Any:
        """Have a client come, and send something unless it is silent; return its end."""
        with promised("a client must be able to come while the listener is open"):
            client: Any = in_time(self._new_client, "connect() must return", self.patience)
        self._leaving.callback(client.close)
        if hasattr(client, "settimeout"):
            client.settimeout(self.patience)
        if not silent:
            # Aside, because with some transports it waits for the handshake.
            sender = Aside(lambda: client.sendall(HELLO))
            self._leaving.callback(sender.ends_within, self.patience)
        return client

    def _new_client(self) -> Client:
        if self._connect is None:
            return connect(self.listener)
        return self._connect(self.listener.address)

    def is_readable(self, timeout: float) -> bool:
        """Say whether the listener's descriptor tells of a client, within so many seconds."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener.fileno(), selectors.EVENT_READ)
            return bool(selector.select(timeout))

    def accept(self) -> Incoming[Any, Any] | None:
        """Ask the listener for a client."""
        with promised("accept() must not raise for what a client does"):
            return in_time(self.listener.accept, "accept() must not wait", self.patience)

    def take(self) -> Incoming[Any, Any]:
        """Wait for a client that has come, and take it."""
        require(
            self.is_readable(self.patience),
            "the listener's descriptor must become readable when a client waits",
        )
        incoming = self.accept()
        if incoming is None:
            raise AssertionError("accept() must return a client that waits, returned None")
        self._leaving.callback(_close, incoming)
        return incoming

    def shake(self, incoming: Incoming[Any, Any], **seconds: float) -> tuple[Any, list[int]]:
        """Return the request, and where its bytes are counted."""
        traffic = [0, 0]
        timeouts = attrs.evolve(Timeouts(), **seconds)
        with promised("handshake() must succeed with a client that means well"):
            request = in_time(
                lambda: incoming.handshake(timeouts, traffic),
                "handshake() must return when the client has sent its part",
                self.patience,
            )
        return request, traffic

    def served(self, **seconds: float) -> tuple[Any, Incoming[Any, Any], Any]:
        """Have a client come and be served; return its end, the incoming and the request."""
        client = self.come()
        incoming = self.take()
        request, _ = self.shake(incoming, **seconds)
        return client, incoming, request


def _close(incoming: Incoming[Any, Any]) -> None:
    with promised("close() must never raise, and may be repeated"):
        incoming.close(patient=False)


@contextlib.contextmanager
def room(
    new_transport: NewTransport, new_client: Connect | None, patience: float
) -> Generator[Room, None, None]:
    """Open a listener for the length of the block, and see that it leaves nothing behind."""
    with leaving_nothing("the transport", patience), contextlib.ExitStack() as leaving:
        transport = new_transport()
        with promised("listen() must open the listener, also after an earlier one was closed"):
            listener = transport.listen()

        def close() -> None:
            with promised("the listener's close() must never raise, and may be repeated"):
                listener.close()
                listener.close()

        leaving.callback(close)
        with contextlib.ExitStack() as guests:
            yield Room(listener, new_client, patience, guests)


def vanish(client: Any) -> None:
    """Have a client leave without a word; TCP resets."""
    if isinstance(client, socket.socket):
        with contextlib.suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    client.close()
