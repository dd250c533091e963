"""Who may import whom: the picture of the layers, held against the imports themselves."""

import ast
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

import acceptor

PACKAGE = Path(acceptor.__file__).parent

PARTS = {"core", "transports", "concurrency", "handlers"}

# For each folder, and each module beside them, what of ours it may import besides itself.
MAY_IMPORT = {
    "core": set[str](),
    "transports": {"core"},
    "concurrency": {"core"},
    "handlers": {"core"},
    "testing": {"core"},
    "addresses": {"core"},
    "fitting": {"core", "handlers"},
    "from_classic": {"core"},
    "options": {"core", "transports"},
    "stages": PARTS | {"fitting", "options"},
    "builder": PARTS | {"addresses", "from_classic", "options", "stages"},
    "classic": {"core", "transports", "concurrency"},
    "cli": PARTS | {"addresses", "builder", "stages"},
    "__main__": {"cli"},
    "__init__": PARTS | {"builder", "stages"},
}

# What a program that only serves has no use for.
NOT_IMPORTED = {
    "acceptor.classic",
    "acceptor.cli",
    "acceptor.testing",
    "argparse",
    "asyncio",
    "ctypes",
    "http",
    "logging.config",
    "multiprocessing",
    "pytest",
    "socketserver",
    "ssl",
}


@attrs.frozen
class Module:
    """One file of the package, and what of ours it imports."""

    name: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        """The folder, or for a module beside the folders the module itself."""
        return self.name.split(".")[1]

    def imports(self) -> Iterator[str]:
        """Yield the full names of our modules that it imports, also those only for checkers."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if _is_ours(alias.name))
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"a relative import in {self.name}, line {node.lineno}"
                if _is_ours(node.module or ""):
                    yield from {_module_of(f"{node.module}.{alias.name}") for alias in node.names}


def _is_ours(name: str) -> bool:
    return name == "acceptor" or name.startswith("acceptor.")


def _module_of(name: str) -> str:
    """Return the module that `from … import …` reads: a module itself, or where a name lives."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    is_module = path.is_dir() or path.with_suffix(".py").is_file()
    return name if is_module else name.rpartition(".")[0]


def _modules() -> list[Module]:
    found: list[Module] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts)
        if parts[-1] == "__init__" and len(parts) > 2:
            name = ".".join(parts[:-1])
        found.append(Module(name, ast.parse(path.read_text(encoding="utf-8"), str(path))))
    return found


MODULES = _modules()
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


@every_module
def test_module_imports_only_what_its_layer_may(module: Module) -> None:
    assert module.layer in MAY_IMPORT, f"say in MAY_IMPORT what {module.layer} may import"
    allowed = MAY_IMPORT[module.layer] | {module.layer}

    # `import acceptor` alone would be the whole package, from inside it.
    layers = {name: f"{name}.__init__".split(".")[1] for name in module.imports()}

    assert {name: layer for name, layer in layers.items() if layer not in allowed} == {}


@every_module
def test_module_imports_nothing_inside_a_function(module: Module) -> None:
    functions = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    late = {
        f"{module.name}:{node.lineno}"
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert late == set()


def test_modules_import_one_another_in_no_circle() -> None:
    graph = {module.name: set(module.imports()) - {module.name} for module in MODULES}

    order = list(graphlib.TopologicalSorter(graph).static_order())  # a circle raises CycleError

    assert set(order) >= {module.name for module in MODULES}
    assert order.index("acceptor.core.interfaces") < order.index("acceptor.builder")


def test_every_layer_of_the_picture_is_there() -> None:
    assert {module.layer for module in MODULES} == MAY_IMPORT.keys()
    # Or a mistake in this file would leave all of the above with nothing to look at.
    assert sum(len(list(module.imports())) for module in MODULES) > len(MODULES)


def test_importing_the_package_imports_little_else() -> None:
    program = (
        "import sys; before = set(sys.modules); import acceptor; "
        "print(*sorted(set(sys.modules) - before))"
    )
    # Coverage's measuring of subprocesses would import some of them first.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}

    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    imported = set(result.stdout.split())
    assert "acceptor.builder" in imported
    assert imported & NOT_IMPORTED == set()


def test_every_public_name_is_there_once() -> None:
    assert len(set(acceptor.__all__)) == len(acceptor.__all__)
    assert [name for name in acceptor.__all__ if not hasattr(acceptor, name)] == []
