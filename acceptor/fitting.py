"""Whether handler and policy fit the transport: what the types say, checked at run time too."""

import functools
import sys
import typing
from collections.abc import Iterator
from typing import Any

from acceptor.core.callables import is_coroutine_function, misfit, why_it_does_nothing
from acceptor.core.datagram import Datagram
from acceptor.core.errors import ConfigurationError, HandlerMismatchError
from acceptor.core.interfaces import RequestHandler
from acceptor.core.message import Message
from acceptor.handlers.stream import StreamHandler


def check_handler(handler: Any, request_type: type | None) -> None:
    """Refuse a handler that cannot work on requests of this type; None means any.

    Raises:
        HandlerMismatchError: It is no callable of three arguments, is a coroutine or generator
            function or a class with such methods, or is for the other kind of transport.
    """
    if not callable(handler):
        raise HandlerMismatchError(
            f"a handler must be callable with (request, client_address, server), got {handler!r}"
        )
    function = _innermost(handler)
    if what := why_it_does_nothing(handler):
        raise HandlerMismatchError(f"handler {handler!r} is {what}; write it as a plain function")
    if wrong := misfit(handler, 3):
        raise HandlerMismatchError(
            f"handler {handler!r} cannot be called with (request, client_address, server): {wrong}"
        )
    if isinstance(function, type):
        _check_methods(function)
        if request_type is not None:
            _check_class(function, request_type)


def _innermost(function: Any) -> Any:
    """Return what partials and type parameters were put around."""
    while isinstance(function, functools.partial):
        function = function.func
    return typing.get_origin(function) or function


def _loaded_classic() -> Iterator[Any]:
    """Yield the modules of classic handler classes, which we never import."""
    yield from filter(None, map(sys.modules.get, ("socketserver", "acceptor.classic")))


def _check_methods(handler: type) -> None:
    bases = (RequestHandler, *(classic.BaseRequestHandler for classic in _loaded_classic()))
    if not issubclass(handler, bases):  # it calls them itself, if it has any
        return
    for name in ("setup", "handle", "finish"):
        if what := why_it_does_nothing(getattr(handler, name, None)):
            raise HandlerMismatchError(
                f"{handler.__name__}.{name} is {what}; write it as a plain method"
            )


def _check_class(handler: type, request_type: type) -> None:
    stream: tuple[type, ...] = (StreamHandler,)
    # Whoever has such a handler class has imported all of its module; a plain server does not.
    ours = getattr(sys.modules.get("acceptor.handlers.datagram"), "DatagramHandler", None)
    datagram: tuple[type, ...] = () if ours is None else (ours,)
    for classic in _loaded_classic():
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
        ConfigurationError: It is no such thing, or a coroutine function, or a class whose `opened`
            or `closed` is one.
    """
    if session is None:
        return
    if not callable(session) or is_coroutine_function(session) or misfit(session, 0):
        raise ConfigurationError(f"session must be callable without arguments, got {session!r}")
    for name in ("opened", "closed"):
        if what := why_it_does_nothing(getattr(session, name, None)):
            raise ConfigurationError(
                f"{name} of session {session!r} is {what}; write it as a plain method"
            )


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
