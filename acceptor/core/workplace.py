"""What the accept loop offers its dispatcher."""

from collections.abc import Callable
from typing import Any

import attrs

from acceptor.core.interfaces import Listener, Workplace
from acceptor.core.waiting import Waiter


@attrs.define(eq=False)
class AcceptThreadWorkplace(Workplace):
    """The accept thread's wait, shared with the dispatcher that hands it children to watch."""

    _waiter: Waiter
    _listener: Listener[Any, Any]

    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back from the accept thread when the descriptor becomes readable."""
        self._waiter.watch(fd, on_readable)

    def unwatch(self, fd: int) -> None:
        """End a watch; before the descriptor is closed."""
        self._waiter.unwatch(fd)

    def leave(self) -> None:
        """In a forked child: drop the port.

        What the accept loop waits with stays open: closing it would cost more than it frees, since
        every object that a child touches is a page that it must copy; and `ask_to_end` needs it.
        """
        self._listener.release()
