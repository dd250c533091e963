"""What a handler is given for one datagram."""

from collections.abc import Callable
from typing import Any

import attrs

from acceptor.core.message import Message
from acceptor.core.peers import Peer


@attrs.define(eq=False)
class Datagram(Message[None]):
    """One datagram as it arrived, and the way back to whoever sent it."""

    payload: bytes
    peer: Peer  # pyright: ignore[reportIncompatibleMethodOverride]
    truncated: bool = False  # whether the sender's datagram was longer than `max_datagram_size`
    # Host it was sent to, where the server is bound to all of them and the system tells.
    local_host: str | None = None
    _send: Callable[[Any, bytes], bool] = attrs.field(
        repr=False, alias="send", default=lambda datagram, payload: True
    )

    def reply(self, payload: bytes) -> bool:
        """Send a datagram back, from the address that was asked; any number of times.

        Returns whether the system took it: False if the peer's queue stayed full for a second or
        nobody is there any more. As with every datagram, taken does not mean received.

        Raises:
            NoReturnAddressError: The sender is an unbound Unix socket; nobody can answer it.
            OSError: The payload cannot be sent as one datagram (`EMSGSIZE`), the server is closed.
        """
        return self._send(self, payload)

    @property
    def session(self) -> None:
        """None: nothing lasts between two datagrams."""
        return

    def close(self) -> None:
        """Do nothing: there is no connection to end."""
