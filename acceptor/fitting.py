"""Whether handler and policy fit the transport: what the types say, checked at run time too."""

import functools
import inspect
import sys
import typing
from typing import Any

from acceptor.core.callables import is_coroutine_function
from acceptor.core.datagram import Datagram
from acceptor.core.errors import ConfigurationError, HandlerMismatchError
from acceptor.core.message import Message
from acceptor.handlers.stream import StreamHandler


def check_handler(handler: Any, request_type: type | None) -> None:
    """Refuse a handler that cannot work on requests of this type; None means any.

    Raises:
        HandlerMismatchError: It is no callable of three arguments, is a coroutine function, or
            is a class for the other kind of transport.
    """
    if not callable(handler):
        raise HandlerMismatchError(
            f"a handler must be callable with (request, client_address, server), got {handler!r}"
        )
    function = _innermost(handler)
    if is_coroutine_function(handler):
        raise HandlerMismatchError(
            f"handler {handler!r} is a coroutine function, which nothing would await; "
            "write it as a plain function"
        )
    _check_signature(handler)
    if isinstance(function, type) and request_type is not None:
        _check_class(function, request_type)


def _innermost(function: Any) -> Any:
    """Return what partials and type parameters were put around."""
    while isinstance(function, functools.partial):
        function = function.func
    return typing.get_origin(function) or function


def _check_signature(handler: Any) -> None:
    try:
        signature = inspect.signature(handler)
    except ValueError as error:
        if not isinstance(error.__cause__, TypeError):  # some callables written in C do not tell
            return
        raise HandlerMismatchError(  # a partial whose own arguments do not fit
            f"handler {handler!r} cannot be called with (request, client_address, server): {error}"
        ) from None
    try:
        signature.bind(None, None, None)
    except TypeError as error:
        raise HandlerMismatchError(
            f"handler {handler!r} cannot be called with (request, client_address, server): {error}"
        ) from None


def _check_class(handler: type, request_type: type) -> None:
    stream: tuple[type, ...] = (StreamHandler,)
    # Whoever has such a handler class has imported all of its module; a plain server does not.
    ours = getattr(sys.modules.get("acceptor.handlers.datagram"), "DatagramHandler", None)
    datagram: tuple[type, ...] = () if ours is None else (ours,)
    # The same with classic handler classes, whose modules we never import.
    for classic in filter(None, map(sys.modules.get, ("socketserver", "acceptor.classic"))):
        stream += (classic.StreamRequestHandler,)
        datagram += (classic.DatagramRequestHandler,)
        if request_type is Datagram and issubclass(handler, classic.DatagramRequestHandler):
            raise HandlerMismatchError(
                f"{handler.__name__} wants its request as (data, socket), and answers every "
                "datagram; derive it from acceptor's DatagramHandler"
            )
    if request_type is Message and issubclass(handler, stream + datagram):
        raise HandlerMismatchError(
            f"{handler.__name__} serves whole requests, but behind framed() there are messages; "
            "use a function of (message, client_address, server), or leave framed() out"
        )
    if issubclass(handler, stream) and request_type is Datagram:
        raise HandlerMismatchError(
            f"{handler.__name__} serves connections, but this transport yields datagrams; "
            "use a DatagramHandler, or a stream transport"
        )
    if issubclass(handler, datagram) and request_type is not Datagram:
        raise HandlerMismatchError(
            f"{handler.__name__} serves datagrams, but this transport yields connections; "
            "use a StreamHandler, or a datagram transport"
        )


def check_session(session: Any) -> None:
    """Refuse what cannot be called, without arguments, to make a session; None makes none.

    Raises:
        ConfigurationError: It is no such thing, or a coroutine function.
    """
    fits = session is None or (callable(session) and not is_coroutine_function(session))
    if fits and session is not None:
        try:
            inspect.signature(session).bind()
        except ValueError:  # some callables written in C do not tell
            pass
        except TypeError:
            fits = False
    if not fits:
        raise ConfigurationError(f"session must be callable without arguments, got {session!r}")


def check_policy(policy: Any, peer_types: tuple[type, ...] | None) -> None:
    """Refuse a policy that judges peers of another kind than the transport has; None means any.

    Raises:
        ConfigurationError: It could only ever fail, and so deny everybody.
    """
    wanted = getattr(policy, "peer_types", None)
    if wanted and peer_types and not set(wanted) & set(peer_types):
        raise ConfigurationError(
            f"{policy!r} judges {_names(wanted)}, but this transport's clients are "
            f"{_names(peer_types)}"
        )
    for part in getattr(policy, "policies", ()):
        check_policy(part, peer_types)
    if hasattr(policy, "policy"):
        check_policy(policy.policy, peer_types)


def _names(types: tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in types)
