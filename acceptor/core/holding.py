"""What a server needs of a transport that holds its connections itself."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Generator
from typing import Any, Protocol, runtime_checkable

import attrs

from acceptor.core.intake import JobIntake
from acceptor.core.interfaces import Concurrency, Dispatcher, Workplace
from acceptor.core.job import ServeRequest, Service
from acceptor.core.waiting import Waiter


class HoldsConnections(Dispatcher, Protocol):
    """A dispatcher of connections, whose messages are what is served."""

    stops_often: bool
    """Whether each wait ends when a message was begun with, so that somebody can count them."""

    @property
    @abstractmethod
    def messages(self) -> int:
        """How many messages were begun with."""

    @abstractmethod
    def dismiss(self) -> None:
        """Have connections end as soon as nothing of them is in work; from any thread."""


@runtime_checkable
class HoldingTransport(Protocol):
    """A transport whose clients are held, and served message by message."""

    @property
    @abstractmethod
    def job_type(self) -> type[ServeRequest[Any, Any]]:
        """What is made of each client."""

    @property
    @abstractmethod
    def most(self) -> int:
        """How many can be held at a time, unless the limits say less."""

    @abstractmethod
    def hold(
        self,
        service: Service[Any, Any],
        waiter: Waiter,
        concurrency: Concurrency,
        workplace: Workplace,
    ) -> HoldsConnections:
        """Return what holds the connections of one server."""


@attrs.define(eq=False)
class HoldingIntake(JobIntake[Any, Any]):
    """Lets clients in whose connections are held; each has deadlines of its own there."""

    _counted: int = attrs.field(default=0, init=False)

    @property
    def messages(self) -> int:
        """How many messages were begun with."""
        return self.holder.messages

    @contextlib.contextmanager
    def one_by_one(self) -> Generator[Callable[[int], bool], None, None]:
        """Give what says whether a message was begun with, here or between two calls."""
        self.holder.stops_often = True
        try:
            yield lambda taken: self.messages > self._counted
        finally:
            self.holder.stops_often = False
            self._counted = self.messages

    def dismiss(self) -> None:
        """Let connections go of which nothing is in work; from any thread."""
        self.holder.dismiss()

    def end_broken_off(self) -> None:
        """Do nothing: connections that are held outlast whoever serves their messages."""

    @property
    def holder(self) -> HoldsConnections:
        """What holds them."""
        holder: Any = self._dispatcher
        found: HoldsConnections = holder
        return found

    def cut_overdue(self) -> float | None:
        """Return None: whoever holds the connections knows their deadlines."""
        return None
