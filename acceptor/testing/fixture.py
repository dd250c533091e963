"""What the fixture `acceptor_serve` is, for the annotations of tests; without pytest."""

import contextlib
from abc import abstractmethod
from typing import Any, Protocol, TypeVar

from acceptor.core.deadlines import Clock
from acceptor.testing.serving import GRACE, Servable, Serving, serve

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")


class ServeFixture(Protocol):
    """Starts a server that ends with the test; takes what `serve` takes."""

    @abstractmethod
    def __call__(
        self,
        what: Servable[RequestT, PeerT],
        /,
        *,
        client: bool = False,
        clock: Clock | None = None,
        may_fail: bool = False,
        grace: float = GRACE,
    ) -> Serving[RequestT, PeerT]:
        """Start it."""


def starter(stack: contextlib.ExitStack) -> ServeFixture:
    """Return what starts servers that end when the stack does."""

    def start(what: Servable[Any, Any], /, **options: Any) -> Serving[Any, Any]:
        return stack.enter_context(serve(what, **options))

    return start
