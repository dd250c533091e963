"""What a message handler is given: one message, and the way back to whoever sent it."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias

from typing_extensions import TypeVar

from acceptor.core.lazily import LazyModule
from acceptor.core.peers import Peer

if TYPE_CHECKING:
    from acceptor.core import proxied as _proxied
    from acceptor.core import secured as _secured
else:  # only what is said of types needs them
    _proxied = LazyModule("acceptor.core.proxied")
    _secured = LazyModule("acceptor.core.secured")

AnyPeer: TypeAlias = "Peer | _proxied.ProxiedPeer[Peer]"

SessionT_co = TypeVar("SessionT_co", covariant=True, default=object)


class Message(Generic[SessionT_co]):
    """One message: a line, a frame, a datagram.

    The same handler serves messages of every transport. Those of one connection come in their
    order, one at a time; the next one when the handler has returned.
    """

    __slots__ = ()

    payload: bytes
    """What was sent, without what its framing has put around it."""

    @property
    @abstractmethod
    def peer(self) -> AnyPeer:
        """Who sent it; behind the PROXY protocol the real client."""

    @property
    def hop(self) -> Peer | None:
        """The proxy that has passed it on; None if there is none."""
        return getattr(self.peer, "hop", None)

    @property
    def tls(self) -> "_secured.TlsView | None":
        """What its connection's TLS handshake has agreed on; None without TLS."""
        return None

    @property
    @abstractmethod
    def session(self) -> SessionT_co:
        """What `.framed(session=...)` has made for its connection; None if it makes none."""

    @abstractmethod
    def reply(self, payload: bytes) -> bool:
        """Send a message back; any number of times, from any thread, until the connection ends.

        Returns whether it was accepted: as with every network, that does not mean received.
        """

    @abstractmethod
    def close(self) -> None:
        """End the connection once all replies so far have gone out; of a datagram, do nothing."""


class Connection(Protocol[SessionT_co]):
    """One framed connection, as its session sees it when it begins and when it has ended."""

    @property
    def id(self) -> int:
        """Its number, as in its events."""
        ...

    @property
    def peer(self) -> AnyPeer:
        """Who is on the other side; behind the PROXY protocol the real client."""
        ...

    @property
    def hop(self) -> Peer | None:
        """The proxy between; None if there is none."""
        ...

    @property
    def tls(self) -> "_secured.TlsView | None":
        """What its TLS handshake has agreed on; None without TLS."""
        ...

    @property
    def session(self) -> SessionT_co:
        """What was made for it."""
        ...

    def reply(self, payload: bytes) -> bool:
        """Send a message, as `Message.reply`; it may be kept and used as long as one likes."""
        ...

    def close(self) -> None:
        """End it once all that was accepted has gone out."""
