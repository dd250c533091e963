"""The names of the package, which are found when they are asked for."""

import ast
import importlib
import pickle
from pathlib import Path

import pytest

import acceptor

STUB = Path(acceptor.__file__).with_suffix(".pyi")


def _in_stub() -> dict[str, str]:
    """Return the names that checkers see, and the modules that they see them in."""
    found: dict[str, str] = {}
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name: str(node.module) for alias in node.names}
    return found


def _listed_in_stub() -> list[str]:
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            return list(ast.literal_eval(node.value))
    raise AssertionError("no __all__")


def test_every_public_name_is_there_once() -> None:
    assert len(set(acceptor.__all__)) == len(acceptor.__all__)
    assert [name for name in acceptor.__all__ if not hasattr(acceptor, name)] == []


def test_checkers_see_the_names_that_are_there() -> None:
    assert set(_listed_in_stub()) == set(acceptor.__all__)
    assert _in_stub().keys() == set(acceptor.__all__)


@pytest.mark.parametrize("name", acceptor.__all__)
def test_name_is_what_checkers_take_it_for(name: str) -> None:
    home = importlib.import_module(_in_stub()[name])

    assert getattr(acceptor, name) is getattr(home, name)


def test_no_name_is_that_of_a_module_which_would_take_its_place() -> None:
    folder = Path(acceptor.__file__).parent

    modules = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}

    assert modules & set(acceptor.__all__) == set()


def test_star_import_gives_every_name() -> None:
    names: dict[str, object] = {}

    exec("from acceptor import *", names)

    assert names.keys() >= set(acceptor.__all__)


def test_dir_has_every_name_and_what_every_module_has() -> None:
    assert {*acceptor.__all__, "__all__", "__file__"} <= set(dir(acceptor))


def test_unknown_name_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'acceptor' has no attribute 'Sever'"):
        _ = acceptor.Sever  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'Sever' from 'acceptor'"):
        exec("from acceptor import Sever")


def test_submodule_can_be_imported_from_the_package() -> None:
    names: dict[str, object] = {}

    exec("from acceptor import stages", names)

    assert names["stages"] is importlib.import_module("acceptor.stages")


def test_values_are_pickled_under_their_own_modules() -> None:
    limits = acceptor.Limits(max_connections=3)

    assert pickle.loads(pickle.dumps(limits)) == limits
    assert pickle.loads(pickle.dumps(acceptor.Started)) is acceptor.Started
