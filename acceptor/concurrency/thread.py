"""A thread for each request, with a bound, and threads used again while they are warm."""

import sys
from typing import TYPE_CHECKING, Final

import attrs

from acceptor.concurrency import warm_threads
from acceptor.concurrency.bounds import check_bound
from acceptor.core.interfaces import Concurrency, Dispatcher, Relay, RelayWork, Workplace
from acceptor.core.lazily import LazyModule

if TYPE_CHECKING:
    from acceptor.concurrency import relay as _relay
else:  # for messages only
    _relay = LazyModule("acceptor.concurrency.relay")

if sys.platform == "linux":
    from acceptor.concurrency.port_threads import PortThreads

DEFAULT_MAX_THREADS: Final = 1000


@attrs.frozen
class Threaded(Concurrency):
    """Runs each job in a thread of its own, at most `max_threads` at a time.

    Clients beyond that wait in the backlog. A thread that has served one takes the next by itself
    (on Linux, where nothing forbids it), without a hand-over.
    """

    max_threads: int = attrs.field(default=DEFAULT_MAX_THREADS, validator=check_bound)

    @property
    def limit(self) -> int:
        """How many jobs may run at a time."""
        return self.max_threads

    def start(self, workplace: Workplace, /) -> Dispatcher:
        """Make the dispatcher for one server."""
        if sys.platform == "linux":
            return PortThreads(self.max_threads)
        return warm_threads.ThreadDispatcher()

    def relay(self, work: RelayWork, /) -> Relay:
        """Make the crew for a server of messages: threads come as they are needed."""
        return _relay.RelayCrew(work, self.max_threads, warm_threads.KEEP_WARM)
