"""A fixed number of threads, which take clients by themselves where they may."""

import sys

import attrs

from acceptor.concurrency.bounds import DEFAULT_THREADS, check_bound, check_length
from acceptor.concurrency.crew import Crew
from acceptor.concurrency.relay import RelayCrew
from acceptor.core.interfaces import Concurrency, Dispatcher, Relay, RelayWork, Workplace

if sys.platform == "linux":
    from acceptor.concurrency.port_crew import PortCrew


@attrs.frozen
class Pooled(Concurrency):
    """Runs jobs in `threads` threads, which are there as long as the server serves.

    `queue` more may have been taken and wait for a free thread. None unless told so: the backlog
    is made for waiting, and who waits there can still go elsewhere when the port is closed. Without
    a queue the threads take clients by themselves (on Linux), which is faster than a hand-over.
    """

    threads: int = attrs.field(default=DEFAULT_THREADS, validator=check_bound)
    queue: int = attrs.field(default=0, validator=check_length)

    @property
    def limit(self) -> int:
        """How many jobs may run, or wait for a thread, at a time."""
        return self.threads + self.queue

    def start(self, workplace: Workplace, /) -> Dispatcher:
        """Make the dispatcher for one server; its threads start when it begins to serve."""
        if sys.platform == "linux":
            return PortCrew(self.threads)
        return Crew(self.threads)

    def relay(self, work: RelayWork, /) -> Relay:
        """Make the crew for a server of messages: all threads are there from the first client on.

        Nothing is queued there: what has no thread yet stays in the system's buffers.
        """
        return RelayCrew(work, self.threads)
