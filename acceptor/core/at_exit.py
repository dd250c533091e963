"""What becomes of servers that still run when the interpreter exits."""

import atexit
import contextlib
import weakref
from abc import abstractmethod
from typing import Final, Protocol

from acceptor.core.errors import SelfWaitError
from acceptor.core.events import DrainReport, StopCause


class _Drainable(Protocol):
    @abstractmethod
    def drain(self, *, cause: StopCause) -> DrainReport: ...


_SERVERS: Final["weakref.WeakSet[_Drainable]"] = weakref.WeakSet()


def drain_at_exit(server: _Drainable) -> None:
    """Have it drained when the interpreter exits, unless it is closed or forgotten by then.

    With its own timeout, so an exit never hangs; a second Ctrl-C ends that, too.
    """
    _SERVERS.add(server)


@atexit.register
def _drain_all() -> None:
    for server in list(_SERVERS):
        with contextlib.suppress(SelfWaitError):  # a handler in the main thread has ended it all
            server.drain(cause=StopCause.EXIT)
