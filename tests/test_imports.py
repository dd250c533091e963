"""Who may import whom: the picture of the layers, held against the imports themselves."""

import ast
import graphlib
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
    "arguments": PARTS,
    "cli": PARTS | {"addresses", "arguments", "builder", "stages"},
    "__main__": {"cli"},
    "__init__": PARTS | {"builder", "stages"},
}

# Who may import what is named at run time: the one mechanism, and the command, for its user.
IMPORTERS = {"acceptor.core.lazily", "acceptor.cli"}


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

    def loads(self) -> Iterator[tuple[str, str]]:
        """Yield what it loads when it is first used: its name here, and the module's."""
        for node in ast.walk(self.tree):
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
                ) if getattr(call.func, "id", "") == "LazyModule":
                    yield name, ast.literal_eval(call.args[0])

    def aliases(self) -> Iterator[tuple[str, str]]:
        """Yield the modules that it imports: the name here, and the module's."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom | ast.Import):
                before = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                yield from (
                    (alias.asname or alias.name, before + alias.name) for alias in node.names
                )


def _is_ours(name: str) -> bool:
    return name == "acceptor" or name.startswith("acceptor.")


def _module_of(name: str) -> str:
    """Return the module that `from … import …` reads: a module itself, or where a name lives."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    is_module = path.is_dir() or path.with_suffix(".py").is_file()
    return name if is_module else name.rpartition(".")[0]


def _modules() -> list[Module]:
    found: list[Module] = []
    for path in sorted(PACKAGE.rglob("*.py*")):
        if path.suffix not in (".py", ".pyi"):
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts)
        if path.suffix == ".pyi":  # its own imports are what `__init__.py` does lazily
            found[-1].tree.body += ast.parse(path.read_text(encoding="utf-8"), str(path)).body
            continue
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


@every_module
def test_module_is_loaded_late_by_one_mechanism_only(module: Module) -> None:
    named = {node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name)}
    called = {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}

    found = {"import_module", "__import__"} & (named | called)

    assert not found or module.name in IMPORTERS


@every_module
def test_checkers_are_told_the_same_module_that_is_loaded_late(module: Module) -> None:
    # What stands for its module as Any tells them nothing: `ssl` is not on every Python.
    untold = {("_tls_socket", "acceptor.transports.tls_socket")}

    assert set(module.loads()) - untold <= set(module.aliases())


def test_some_module_is_loaded_late() -> None:
    late = {name for module in MODULES for _, name in module.loads()}

    assert late >= {"acceptor.transports.udp", "acceptor.transports.tls", "acceptor.core.access"}


def test_every_public_name_is_there_once() -> None:
    assert len(set(acceptor.__all__)) == len(acceptor.__all__)
    assert [name for name in acceptor.__all__ if not hasattr(acceptor, name)] == []
