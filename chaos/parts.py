"""Parts of a server that raise when they are told to."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import attrs

from acceptor import Event, Incoming, Listener, Transport

RAISING: Final[dict[str, tuple[BaseException, ...]]] = {}
"""Which part raises now, and what."""

STRUCK: Final[Counter[str]] = Counter()
"""How often something was refused, or a part has raised, by what that was."""

_TURNS: Final[Iterator[int]] = itertools.count()


def raise_if_told(part: str) -> None:
    """Raise what this part shall raise now, the errors in turn; nothing if nothing.

    Raises:
        BaseException: What was told.
    """
    errors = RAISING.get(part)
    if errors:
        STRUCK[part] += 1
        raise errors[next(_TURNS) % len(errors)].with_traceback(None)


def policy(peer: object) -> bool:
    """Let all in."""
    raise_if_told("policy")
    return True


def observer(event: Event) -> None:
    """Do nothing with any event."""
    raise_if_told("observer")


@attrs.frozen
class TroubledTransport(Transport[Any, Any]):
    """A transport whose listener raises, and whose clients do when they are closed."""

    _inner: Transport[Any, Any]

    @property
    def request_type(self) -> type:
        """What the transport's handlers take."""
        kind: type = getattr(self._inner, "request_type", object)
        return kind

    def listen(self) -> "Listener[Any, Any]":
        """Open it."""
        listener: Any = TroubledListener(self._inner.listen())
        return listener  # type: ignore[no-any-return]


@attrs.define(eq=False)
class TroubledListener:
    """Is what it holds, but for `accept`."""

    _inner: Listener[Any, Any]

    def __getattr__(self, name: str) -> Any:
        """Return what the listener has."""
        return getattr(self._inner, name)

    def accept(self) -> Any:
        """Raise, or accept."""
        raise_if_told("accept")
        incoming = self._inner.accept()
        return None if incoming is None else TroubledIncoming(incoming)


@attrs.define(eq=False)
class TroubledIncoming:
    """Is what it holds, but for `close`."""

    _inner: Incoming[Any, Any]

    def __getattr__(self, name: str) -> Any:
        """Return what the client has."""
        return getattr(self._inner, name)

    def close(self, *, patient: bool) -> None:
        """Close, then raise."""
        self._inner.close(patient=patient)
        raise_if_told("close")
