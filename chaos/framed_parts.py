"""Parts of a framed server that raise when they are told to; what users write, and what we do."""

import socket
import threading
from collections.abc import Callable, Collection
from typing import Any, Final

from acceptor import Framing, Outcome, lines
from acceptor.transports.crewed import CrewHolding
from acceptor.transports.held import HeldConnection
from acceptor.transports.stream import StreamListener
from chaos.parts import raise_if_told

_LINES: Final = lines()

# A client that does not read shall soon be noticed; 64 KiB.
SMALL_BUFFERS: Final = ((socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16),)


class TroubledLines(Framing):
    """Lines, but with neither a limit of its own nor a short way to cut many at once."""

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        """Look for the end of the line."""
        raise_if_told("cut")
        return _LINES.cut(data, seen)

    def wrap(self, payload: bytes, /) -> bytes:
        """End the line."""
        raise_if_told("wrap")
        return _LINES.wrap(payload)


class TroubledSession:
    """Remembers nothing."""

    def __init__(self) -> None:
        raise_if_told("session")

    def opened(self, connection: object) -> None:
        """Do nothing when its connection begins."""
        raise_if_told("opened")

    def closed(self, connection: object) -> None:
        """Do nothing when its connection has ended."""
        raise_if_told("closed")


def message_policy(peer: object) -> bool:
    """Let each message be served."""
    raise_if_told("message policy")
    return True


def framed(stage: Any, names: Collection[str]) -> Any:
    """Have messages served, with these troubled parts."""
    framing = TroubledLines() if "framing" in names else _LINES
    stage = stage.framed(framing, session=TroubledSession if "session" in names else None)
    return stage.access(message_policy) if "message policy" in names else stage


def trouble_held() -> None:
    """Have those raise that take connections in, wait for them and end them, when told to.

    In their places: what holds connections takes no others, so nothing can be put around them.
    """
    accept: Callable[[Any], Any] = StreamListener.accept
    wait: Callable[[Any], Any] = CrewHolding.wait
    end: Callable[[Any, Outcome], None] = HeldConnection.end

    def troubled_accept(listener: Any) -> Any:
        raise_if_told("accept")
        return accept(listener)

    def troubled_wait(holding: Any) -> Any:
        raise_if_told("wait")
        return wait(holding)

    def troubled_end(connection: Any, outcome: Outcome) -> None:
        end(connection, outcome)
        if threading.current_thread() is not threading.main_thread():  # that is no worker
            raise_if_told("close")

    for owner, name, troubled in (
        (StreamListener, "accept", troubled_accept),
        (CrewHolding, "wait", troubled_wait),
        (HeldConnection, "end", troubled_end),
    ):
        setattr(owner, name, troubled)
