"""The errors that acceptor raises on purpose; each is also the nearest built-in error."""


class AcceptorError(Exception):
    """Base of everything acceptor raises on purpose, so that one `except` can name it."""


class ConfigurationError(AcceptorError, ValueError):
    """A value given to a builder step or a recipe cannot work; raised where it was given."""


class EndpointError(ConfigurationError):
    """An endpoint's text or value is wrong; the message names the part."""


class HandlerMismatchError(AcceptorError, TypeError):
    """The handler cannot take what the transport yields (a datagram handler on a stream, say)."""


class UnsupportedError(AcceptorError, NotImplementedError):
    """This platform lacks what was asked for (fork, Unix sockets, an option)."""


class ListenError(AcceptorError, OSError):
    """The endpoint could not be opened; `errno` is the system's, the message names the endpoint."""


class ResourceError(AcceptorError, OSError):
    """The machine gives no thread or process now; `errno` says why. Tried again with a pause."""


class LifecycleError(AcceptorError, RuntimeError):
    """The call does not fit the server's phase; the message says the phase and what to call."""


class SelfWaitError(LifecycleError):
    """A handler, or the serving thread, asked to wait for its own end; `shutdown` only asks."""


class HandshakeError(AcceptorError, ConnectionError):
    """A client did not get through the transport's handshake; concerns that client alone."""


class NoReturnAddressError(AcceptorError, OSError):
    """The datagram's sender has no address (an unbound Unix socket): it cannot be answered."""


class ForkWithThreadsWarning(RuntimeWarning):
    """A child is forked while other threads run: a lock one of them holds stays locked in it."""
