"""What can be told of a callable before it is called."""

import functools
import inspect


def is_coroutine_function(function: object) -> bool:
    """Say whether calling it would return something that wants to be awaited."""
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(type(function), "__call__", None)  # noqa: B004 - how, not whether
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)
