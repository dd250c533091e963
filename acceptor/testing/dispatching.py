"""Stand-ins for what runs jobs: a strategy that waits for the test, and where it works."""

import selectors
from collections.abc import Callable, Collection

import attrs

from acceptor.core.interfaces import Concurrency, Dispatcher, Job, Workplace


@attrs.define(eq=False)
class FakeDispatcher(Concurrency, Dispatcher):
    """Keeps the jobs it is given until `end_all`; a strategy and its dispatcher in one.

    `submit` raises instead what it was told to, one of `errors` for each call. With `by_itself`
    nobody need call `end_all`: the accept thread does at its next wait.
    """

    limit: int = 10  # pyright: ignore[reportIncompatibleMethodOverride]
    errors: list[Exception] = attrs.field(factory=list[Exception])
    jobs: list[Job] = attrs.field(factory=list[Job])
    """Those that have not been run."""
    history: list[str] = attrs.field(factory=list[str])
    by_itself: bool = False
    _workplace: Workplace | None = attrs.field(default=None, init=False, repr=False)

    def start(self, workplace: Workplace, /) -> Dispatcher:
        """Return itself."""
        self._workplace = workplace
        return self

    def submit(self, job: Job, /) -> None:
        """Keep the job, or raise."""
        if self.errors:
            raise self.errors.pop(0)
        self.jobs.append(job)
        if self.by_itself and self._workplace is not None:
            self._workplace.recheck(self.end_all)

    def end_all(self) -> None:
        """Run all jobs now, in the calling thread."""
        while self.jobs:
            self.jobs.pop(0).run(patient=False)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Cut each of them."""
        self.history.append("cut")
        for job in jobs:
            job.cut()

    def close(self) -> None:
        """Note it."""
        self.history.append("closed")


@attrs.define(eq=False)
class FakeWorkplace(Workplace):
    """The accept thread's wait without an accept loop: `turn` waits once and calls back."""

    left: bool = attrs.field(default=False, init=False)
    """Whether a child has called `leave`; only that child sees it."""
    _selector: selectors.BaseSelector = attrs.field(
        factory=selectors.DefaultSelector, init=False, repr=False
    )
    _rechecks: list[Callable[[], object]] = attrs.field(
        factory=list[Callable[[], object]], init=False, repr=False
    )

    @property
    def watched(self) -> int:
        """How many descriptors are watched."""
        return len(self._selector.get_map())

    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back from `turn` when the descriptor is readable."""
        self._selector.register(fd, selectors.EVENT_READ, on_readable)

    def unwatch(self, fd: int) -> None:
        """End a watch, if there is one."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def recheck(self, callback: Callable[[], object]) -> None:
        """Call back once, from the next `turn`."""
        self._rechecks.append(callback)

    def leave(self) -> None:
        """Note it."""
        self.left = True

    def turn(self, timeout: float) -> None:
        """Wait once, for up to so many seconds, and call back whom that concerns."""
        for key, _ in self._selector.select(timeout):
            # Whoever was called before may have ended the watch.
            if key.fd in self._selector.get_map():
                key.data()
        rechecks, self._rechecks = self._rechecks, []
        for recheck in rechecks:
            recheck()

    def close(self) -> None:
        """Let go of the descriptor that it waits with."""
        self._selector.close()
