"""The check that every bounded strategy makes of its bound."""

import attrs

from acceptor.core.errors import ConfigurationError


def check_bound(instance: object, attribute: "attrs.Attribute[int]", bound: object) -> None:
    """Refuse a bound that is not a whole number above zero; an attrs validator."""
    if isinstance(bound, bool) or not isinstance(bound, int) or bound < 1:
        raise ConfigurationError(
            f"{attribute.name} must be a whole number, 1 or more, got {bound!r}"
        )
