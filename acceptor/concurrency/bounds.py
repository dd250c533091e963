"""The bounds of strategies: defaults of those that may never be loaded, and checks."""

from typing import Final

import attrs

from acceptor.core.errors import ConfigurationError

DEFAULT_MAX_CHILDREN: Final = 40

# So many wait for slow clients or a database at a time in most programs; one costs the part of its
# stack that it has used. gunicorn's default is 1, waitress has 4, cheroot and Tomcat begin with 10.
DEFAULT_THREADS: Final = 16


def check_bound(instance: object, attribute: "attrs.Attribute[int]", bound: object) -> None:
    """Refuse a bound that is not a whole number above zero; an attrs validator."""
    if isinstance(bound, bool) or not isinstance(bound, int) or bound < 1:
        raise ConfigurationError(
            f"{attribute.name} must be a whole number, 1 or more, got {bound!r}"
        )


def check_length(instance: object, attribute: "attrs.Attribute[int]", length: object) -> None:
    """Refuse a length that is not a whole number, zero or above; an attrs validator."""
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise ConfigurationError(
            f"{attribute.name} must be a whole number, 0 or more, got {length!r}"
        )
