"""What is imported only when it is first used."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from acceptor.core.lazily import LazyModule, lazy_names

MODULE = "import threading\nlock = threading.Lock()\nnumber = 7\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package that nobody has imported yet, with one module."""
    folder = tmp_path / "late_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "part.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder.name
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def test_lazy_module_is_imported_when_a_name_is_asked_for(package: str) -> None:
    lazy = LazyModule(f"{package}.part")
    before = f"{package}.part" in sys.modules

    number = lazy.number

    assert (before, number) == (False, 7)
    assert lazy.lock is sys.modules[f"{package}.part"].lock


def test_lazy_module_says_what_it_stands_for_without_importing_it(package: str) -> None:
    lazy = LazyModule(f"{package}.part")

    assert repr(lazy) == f"<lazy module '{package}.part'>"
    assert f"{package}.part" not in sys.modules


def test_lazy_module_raises_what_a_module_raises(package: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = LazyModule(f"{package}.part").nothing
    with pytest.raises(ModuleNotFoundError, match="missing"):
        _ = LazyModule(f"{package}.missing").anything


def test_lazy_names_keep_what_was_asked_for(package: str) -> None:
    module = sys.modules[package] = ModuleType(package)
    module.__path__ = [f"{sys.path[0]}/{package}"]
    names, find, listed = lazy_names(package, {"part": "lock number"})
    before = vars(module).get("number")

    found = find("number")

    assert (names, before, found) == (["lock", "number"], None, 7)
    assert vars(module)["number"] == 7
    assert set(listed()) == {*vars(module), "lock", "number"}


def test_lazy_names_give_the_same_to_all_threads_that_ask_at_once(package: str) -> None:
    module = sys.modules[package] = ModuleType(package)
    module.__path__ = [f"{sys.path[0]}/{package}"]
    _, find, _ = lazy_names(package, {"part": "lock"})
    together = threading.Barrier(8)

    def ask(_: int) -> object:
        together.wait()
        return find("lock")

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))

    assert len(found) == 1
