"""Classes of values: as attrs itself makes them, but for who writes some of their methods."""

import copy
import pickle
from typing import Any

import attrs
import pytest

from acceptor.core.values import define, frozen


@frozen
class Point:
    """A value."""

    x: int
    y: object = 0
    _hidden: str = attrs.field(default="h", repr=False)
    cache: object = attrs.field(default=None, eq=False, repr=lambda value: f"<{value}>")


@attrs.frozen
class AsAttrs:
    """The same, by attrs alone."""

    x: int
    y: object = 0
    _hidden: str = attrs.field(default="h", repr=False)
    cache: object = attrs.field(default=None, eq=False, repr=lambda value: f"<{value}>")


@frozen(kw_only=True)
class Named(Point):
    """A value with one more field, which must be named, and words of its own."""

    name: str

    def __repr__(self) -> str:
        return self.name


@define(eq=False)
class Live:
    """A live thing."""

    number: int
    other: object = None
    later: int = attrs.field(init=False)


@pytest.mark.parametrize("values", [(1,), (1, 2), (1, (2, "z"), "secret"), (1, 2, "h", [3])])
def test_value_prints_as_with_attrs(values: tuple[Any, ...]) -> None:
    assert repr(Point(*values)) == repr(AsAttrs(*values)).replace("AsAttrs", "Point")


@pytest.mark.parametrize("other", [(1,), (2,), (1, 0, "h", "seen"), (1, 0, "other")])
def test_value_compares_as_with_attrs(other: tuple[Any, ...]) -> None:
    same = AsAttrs(1) == AsAttrs(*other)

    assert (Point(1) == Point(*other)) is same
    assert (Point(1) != Point(*other)) is not same
    assert (len({Point(1), Point(*other)}) == 1) is same


def test_value_is_no_value_of_another_class() -> None:
    point: object = Point(1)

    assert point != AsAttrs(1)
    assert Point(1) != Named(x=1, name="n")
    assert Point(1).__eq__(1) is NotImplemented


def test_value_is_made_once_and_for_all() -> None:
    point = Point(1)

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    assert not hasattr(point, "__dict__")
    assert attrs.evolve(point, x=2) == Point(2)
    assert pickle.loads(pickle.dumps(point)) == copy.copy(point) == point


def test_value_with_fields_to_be_named_keeps_its_own_words() -> None:
    named: Any = Named

    with pytest.raises(TypeError, match="positional"):
        named(1, 0, "h", None, "n")
    assert repr(Named(x=1, name="n")) == "n"


def test_value_that_holds_itself_can_be_printed() -> None:
    inner: list[object] = []
    point = Point(1, inner)
    inner.append(point)

    assert repr(point) == "Point(x=1, y=[...], cache=<None>)"


def test_live_thing_has_identity_and_prints_its_fields() -> None:
    live, twin = Live(1), Live(1)

    live.number = 2

    assert live != twin
    assert len({live, twin}) == 2
    assert repr(live) == "Live(number=2, other=None, later=NOTHING)"
