"""What can be told of a callable before it is called."""

import functools
import inspect
from typing import Any, Final

_AWAITED: Final = "a coroutine function, which nothing would await"
_ITERATED: Final = "a generator function, which nothing would iterate over"


def is_coroutine_function(function: object) -> bool:
    """Say whether calling it would return something that wants to be awaited."""
    return any(inspect.iscoroutinefunction(called) for called in _called(function))


def why_it_does_nothing(function: object) -> str | None:
    """Say what it is, if a call runs nothing of it and returns what would; None for all others."""
    if is_coroutine_function(function):
        return _AWAITED
    kinds = (inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    is_generator = any(kind(called) for called in _called(function) for kind in kinds)
    return _ITERATED if is_generator else None


def _called(function: object) -> tuple[object, object]:
    """Return what partials were put around, and what a call of an object calls."""
    while isinstance(function, functools.partial):
        function = function.func
    return function, getattr(type(function), "__call__", None)  # noqa: B004 - how, not whether


def misfit(function: Any, arguments: int) -> str | None:
    """Say why it cannot be called with so many arguments; None if it can, or does not tell."""
    try:
        # Its own: what a decorator is put around may get more arguments, or fewer, from that.
        signature = inspect.signature(function, follow_wrapped=False)
    except ValueError as error:
        # Some callables written in C do not tell; but those that a partial has may not fit.
        return str(error) if isinstance(error.__cause__, TypeError) else None
    except Exception:  # an object that has any attribute, or an annotation that has no value here
        return None
    try:
        signature.bind(*[None] * arguments)
    except TypeError as error:
        return str(error)
    return None
