"""The checks that bounded strategies make of their bounds."""

import attrs

from acceptor.core.errors import ConfigurationError


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
