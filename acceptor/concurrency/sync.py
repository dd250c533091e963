"""One request at a time, in the accept thread."""

from collections.abc import Collection
from typing import ClassVar

from acceptor.core.interfaces import Concurrency, Dispatcher, Job, Workplace
from acceptor.core.values import define, frozen


@frozen
class Sync(Concurrency):
    """Runs each job in the accept thread, before the next client is taken."""

    runs_inline: ClassVar[bool] = True

    @property
    def limit(self) -> int:
        """Always one."""
        return 1

    def start(self, workplace: Workplace, /) -> Dispatcher:
        """Make the dispatcher for one server."""
        return InlineDispatcher()


@define(eq=False)
class InlineDispatcher(Dispatcher):
    """Runs a job where it is submitted."""

    def submit(self, job: Job, /) -> None:
        """Run it now. Impatiently: waiting for one client to leave would hold up all others."""
        job.run(patient=False)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Shut the connection, so that the handler notices."""
        for job in jobs:
            job.cut()

    def close(self) -> None:
        """Nothing to let go."""
