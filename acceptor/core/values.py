"""`attrs.frozen` and `attrs.define`, with classes that are cheap to declare.

Of the methods that attrs writes for a class, `__init__` is called all the time and worth its
compilation; `__repr__`, `__eq__` and `__hash__` hardly ever, and compiling them took half of the
time that attrs takes for a class. So these are the same functions for all.
"""

import reprlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import attrs

__all__ = ["define", "frozen"]


@reprlib.recursive_repr()
def _repr(self: Any) -> str:
    shown: list[str] = []
    for field in attrs.fields(type(self)):
        if field.repr is not False:
            words = repr if field.repr is True else field.repr
            shown.append(f"{field.name}={words(getattr(self, field.name, attrs.NOTHING))}")
    return f"{type(self).__qualname__.rsplit('>.', 1)[-1]}({', '.join(shown)})"


def _compared(value: Any) -> tuple[Any, ...]:
    return tuple(getattr(value, field.name) for field in attrs.fields(type(value)) if field.eq)


def _eq(self: Any, other: Any) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: Any) -> int:
    return hash((type(self), _compared(self)))


_OF_ALL: dict[str, Callable[..., Any]] = {"__repr__": _repr}
_OF_VALUES: dict[str, Callable[..., Any]] = {**_OF_ALL, "__eq__": _eq, "__hash__": _hash}


def _declared(
    declare: Callable[..., Any], shared: dict[str, Callable[..., Any]], cls: type, **options: Any
) -> type:
    given = {name: method for name, method in shared.items() if name not in vars(cls)}
    made: type = declare(cls, **options, repr=False, eq=False)
    for name, method in given.items():
        setattr(made, name, method)
    return made


def _frozen(cls: type | None = None, /, *, kw_only: bool = False) -> Any:
    """Do what `attrs.frozen` does; a method that the class has itself stays."""
    if cls is None:
        return lambda cls: _frozen(cls, kw_only=kw_only)
    return _declared(attrs.frozen, _OF_VALUES, cls, kw_only=kw_only)


def _define(*, eq: Literal[False]) -> Any:
    """Do what `attrs.define(eq=False)` does, which is all that is used of it here."""
    return lambda cls: _declared(attrs.define, _OF_ALL, cls)


if TYPE_CHECKING:
    from attrs import define, frozen
else:
    define, frozen = _define, _frozen
