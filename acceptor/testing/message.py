"""A message that no client has sent, for handlers that are called by hand."""

from typing import Generic, cast, overload

from typing_extensions import TypeVar

from acceptor.core.message import AnyPeer, Message
from acceptor.core.secured import TlsView
from acceptor.testing.scripted import SOMEBODY

SessionT = TypeVar("SessionT", default=None)


class FakeMessage(Message[SessionT], Generic[SessionT]):
    """Keeps what is replied to it: `handler(FakeMessage(b"hello"), peer, server)`.

    Without a session its `session` is None, as in a server that makes none.
    """

    replies: list[bytes]
    """What was replied and accepted, without what a framing would put around it."""
    is_closed: bool
    """Whether `close` was called, after which no reply is accepted."""
    has_left: bool
    """Whether its client is gone; to be set."""

    @overload
    def __init__(
        self: "FakeMessage[None]",
        payload: bytes,
        *,
        peer: AnyPeer = ...,
        tls: TlsView | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self, payload: bytes, *, session: SessionT, peer: AnyPeer = ..., tls: TlsView | None = ...
    ) -> None: ...

    def __init__(
        self,
        payload: bytes,
        *,
        session: SessionT | None = None,
        peer: AnyPeer = SOMEBODY,
        tls: TlsView | None = None,
    ) -> None:
        self.payload = payload
        self.replies = []
        self.is_closed = self.has_left = False
        self._session: SessionT | None = session
        self._peer: AnyPeer = peer
        self._tls: TlsView | None = tls

    @property
    def peer(self) -> AnyPeer:
        """Who is said to have sent it."""
        return self._peer

    @property
    def tls(self) -> TlsView | None:
        """What its connection's TLS handshake is said to have agreed on."""
        return self._tls

    @property
    def session(self) -> SessionT:
        """What it was given."""
        return cast("SessionT", self._session)

    def reply(self, payload: bytes) -> bool:
        """Keep it; return whether it is accepted."""
        whole = b"" + payload  # which refuses text, as every reply does
        accepts = not (self.is_closed or self.has_left)
        if accepts:
            self.replies.append(whole)
        return accepts

    def close(self) -> None:
        """Accept no further reply."""
        self.is_closed = True

    def __repr__(self) -> str:
        return f"FakeMessage({self.payload!r}, peer={self.peer})"
