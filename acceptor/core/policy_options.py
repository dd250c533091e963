"""The options that policies take: how they are checked, and how they print."""

import math
from typing import Any

import attrs

from acceptor.core.errors import ConfigurationError


def check_count(instance: object, attribute: "attrs.Attribute[Any]", count: object) -> None:
    """Refuse what is no whole number above zero; an attrs validator."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigurationError(
            f"{attribute.name} must be a whole number, 1 or more, got {count!r}"
        )


def check_positive(instance: object, attribute: "attrs.Attribute[Any]", number: object) -> None:
    """Refuse what is no finite number above zero; an attrs validator."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        raise ConfigurationError(
            f"{attribute.name} must be a number above 0, and finite, got {number!r}"
        )


def check_clock(instance: object, attribute: object, clock: object) -> None:
    """Refuse what cannot be called for the time; an attrs validator."""
    if not callable(clock):
        raise ConfigurationError(f"a clock must return seconds when called, got {clock!r}")


def written(function: str, *arguments: object, **options: tuple[object, object]) -> str:
    """Return a call as it was written: keywords, given as (value, default), only where they differ.

    A default of `...` says that there is none.
    """
    given = [repr(argument) for argument in arguments]
    given += [
        f"{name}={value!r}"
        for name, (value, default) in options.items()
        if default is ... or value != default
    ]
    return f"{function}({', '.join(given)})"
