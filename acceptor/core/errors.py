"""The errors that acceptor raises on purpose; each is also the nearest built-in error."""

import threading
from typing import Final, Self

from acceptor.core.events import HandshakeFailure


class AcceptorError(Exception):
    """Base of everything acceptor raises on purpose, so that one `except` can name it."""


class ConfigurationError(AcceptorError, ValueError):
    """A value given to a builder step or a recipe cannot work; raised where it was given."""


class UnknownOptionError(ConfigurationError, TypeError):
    """There is no option of that name; the message has those that there are."""


class EndpointError(ConfigurationError):
    """An endpoint's text or value is wrong; the message names the part."""


class HandlerMismatchError(AcceptorError, TypeError):
    """The handler cannot take what the transport yields (a datagram handler on a stream, say)."""


class UnsupportedError(AcceptorError, NotImplementedError):
    """This platform lacks what was asked for (fork, Unix sockets, an option)."""


class SystemRefusedError(AcceptorError, OSError):
    """The system said no; `errno` is its number, the message ours."""

    def __str__(self) -> str:
        """Return the message, without the number that every other `OSError` puts before it."""
        return str(self.strerror)


class ListenError(SystemRefusedError):
    """The endpoint could not be opened; the message names it and the way out."""


class ResourceError(SystemRefusedError):
    """The machine gives no thread or process now. Tried again after a pause."""


class LifecycleError(AcceptorError, RuntimeError):
    """The call does not fit the server's phase; the message says the phase and what to call."""


class SelfWaitError(LifecycleError):
    """A handler, or the serving thread, asked to wait for its own end; `shutdown` only asks."""


class HandshakeError(AcceptorError, ConnectionError):
    """A client did not get through the transport's handshake; concerns that client alone."""

    def __init__(
        self, message: str = "", reason: HandshakeFailure = HandshakeFailure.OTHER
    ) -> None:
        super().__init__(message or reason.value)
        self.reason: Final = reason

    def __reduce__(self) -> tuple[type[Self], tuple[str, HandshakeFailure]]:
        """Pickle it as it was made."""
        return type(self), (str(self), self.reason)


class DeadlineError(AcceptorError, TimeoutError):
    """A client kept its connection waiting too long; the message says which limit it was."""


class NoReturnAddressError(SystemRefusedError):
    """The datagram's sender has no address (an unbound Unix socket): it cannot be answered."""


class DescriptorBudgetError(ListenError):
    """The process may not open as many descriptors as its connections could need."""


class DescriptorBudgetWarning(RuntimeWarning):
    """The process may not open as many descriptors as its connections could need."""


class ForkWithThreadsWarning(RuntimeWarning):
    """A child is forked while other threads run: a lock one of them holds stays locked in it."""


def is_ctrl_c(error: BaseException) -> bool:
    """Whether it is meant for the program, and not for the request that it happened to meet."""
    return (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
    )
