"""What the accept loop offers its dispatcher."""

from collections.abc import Callable

from acceptor.core.accept_loop import LOOPS
from acceptor.core.interfaces import Workplace
from acceptor.core.values import define
from acceptor.core.waiting import Waiter


@define(eq=False)
class AcceptThreadWorkplace(Workplace):
    """The accept thread's wait, shared with the dispatcher that hands it children to watch."""

    _waiter: Waiter

    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back from the accept thread when the descriptor becomes readable."""
        self._waiter.watch(fd, on_readable)

    def unwatch(self, fd: int) -> None:
        """End a watch; before the descriptor is closed."""
        self._waiter.unwatch(fd)

    def recheck(self, callback: Callable[[], object]) -> None:
        """Call back once from the accept thread, in a tenth of a second or earlier."""
        self._waiter.recheck(callback)

    def leave(self) -> None:
        """In a forked child: drop the ports of all servers that this process has.

        Otherwise a port that the parent closes would stay open until the child ends, and new
        clients would wait there for nobody. What the accept loop waits with is left alone: every
        object that a child touches is a page that it must copy, and `ask_to_end` needs it.
        """
        for ref in LOOPS.copy():
            loop = ref()
            if loop is not None:
                loop.listener.release()
