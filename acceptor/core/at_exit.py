"""What becomes of servers that still run when the interpreter exits."""

import atexit
import weakref
from abc import abstractmethod
from typing import Final, Protocol

from acceptor.core.errors import SelfWaitError
from acceptor.core.events import DrainReport, StopCause
from acceptor.core.reporting import LOGGER


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
        try:
            server.drain(cause=StopCause.EXIT)
        except SelfWaitError:  # a handler in the main thread has ended it all
            pass
        except Exception:  # the others have requests in work all the same
            LOGGER.exception("a server could not be drained when the interpreter exited")
