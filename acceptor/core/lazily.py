"""The one way in which something is imported only when it is first used.

Nothing is imported inside a function here. What a plain TCP server never uses, and would have to
wait for, is named through these two, at the head of a module; for checkers the import stands
beside it, and `tests/test_imports.py` sees that both say the same.

Whoever names a module so sees to it that it is used while a server is put together, and not when
it is under load: an import needs descriptors, memory and a lock, and may find none of them.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from sys import modules


class LazyModule:
    """Stands for a module, which is imported when one of its names is asked for."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self._name), name)

    def __repr__(self) -> str:
        return f"<lazy module {self._name!r}>"


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[list[str], Callable[[str], object], Callable[[], list[str]]]:
    """Return `__all__`, `__getattr__` and `__dir__` for a package whose names live elsewhere.

    `homes` has the names, parted by spaces, by the module of the package where they live. A name
    that was asked for is kept; threads that ask at the same time find the same thing.
    """
    places = {name: f"{package}.{home}" for home, names in homes.items() for name in names.split()}

    def find(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(places[name]), name)
        setattr(modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(modules[package]), *places})

    return sorted(places), find, names
