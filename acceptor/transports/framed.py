"""Streams whose connections are held, and cut into messages."""

import sys
from typing import Any

import attrs

from acceptor.core.budget import descriptors_to_spare
from acceptor.core.interfaces import Concurrency, HasRelay, Listener, Transport, Workplace
from acceptor.core.job import Service
from acceptor.core.message import Message
from acceptor.core.path import Step
from acceptor.core.waiting import Waiter
from acceptor.transports.handed import HandedHolding
from acceptor.transports.held import HeldConnection, HeldIncoming, open_socket
from acceptor.transports.holding import Holding
from acceptor.transports.stream import StreamListener
from acceptor.transports.way import Way

if sys.platform == "linux":
    from acceptor.transports.crewed import CrewHolding


@attrs.frozen
class FramedTransport(Transport[Any, Any]):
    """A stream transport that yields messages; connections at rest cost no thread."""

    transport: Transport[Any, Any]
    way: Way

    @property
    def steps(self) -> tuple[Step, ...]:
        """What stands between accept and handler."""
        return (*self.way.steps, self.way.framed, *self.way.rules)

    @property
    def endpoint(self) -> object:
        """What is listened on."""
        return getattr(self.transport, "endpoint", self.transport)

    @property
    def request_type(self) -> type:
        """What handlers are given."""
        return Message

    @property
    def job_type(self) -> type[HeldConnection]:
        """What is made of each client."""
        return HeldConnection

    @property
    def most(self) -> int:
        """As many as there are descriptors for."""
        return descriptors_to_spare()

    def listen(self) -> Listener[Any, Any]:
        """Bind and listen; the caller closes the listener.

        Raises:
            ListenError: As the transport itself.
        """
        listener = self.transport.listen()
        if isinstance(listener, StreamListener):
            listener.socket_of = open_socket
            listener.incoming = HeldIncoming
        return listener

    def hold(
        self,
        service: Service[Any, Any],
        waiter: Waiter,
        concurrency: Concurrency,
        workplace: Workplace,
    ) -> Holding:
        """Return what holds the connections of one server."""
        if getattr(concurrency, "runs_inline", False):
            return Holding(service, waiter, self.way)
        if sys.platform == "linux" and isinstance(concurrency, HasRelay):
            holding = CrewHolding(service, waiter, self.way)
            holding.man(concurrency)
            return holding
        dispatcher = concurrency.start(workplace)
        return HandedHolding(
            service,
            waiter,
            self.way,
            dispatcher=dispatcher,
            limit=concurrency.limit,
            relays=getattr(dispatcher, "in_processes", False),
        )
