"""What can be seen of the module without a server: names, classes, signatures, defaults."""

import inspect
import os
from collections.abc import Iterator
from typing import Any

from tests.classic.parity.kit import Module, scenario

# What programs reach through the module, beside its public names.
REACHED = (
    "__version__",
    "BufferedIOBase",
    "_NoThreads",
    "_ServerSelector",
    "_SocketWriter",
    "_Threads",
    "os",
    "selectors",
    "socket",
    "sys",
    "threading",
    "time",
)
PRIVATE_METHODS = ("_handle_request_noblock",)


def classes(module: Module) -> Iterator[tuple[str, Any]]:
    for name in sorted(module.__all__):
        yield name, getattr(module, name)


def own(kind: type) -> dict[str, Any]:
    """Return what a class itself defines for others."""
    return {
        name: value
        for name, value in sorted(vars(kind).items())
        if not name.startswith("_") or name in PRIVATE_METHODS
    }


@scenario
def public_names(module: Module) -> object:
    return sorted(module.__all__)


@scenario
def public_names_imported_by_a_star(module: Module) -> object:
    names: dict[str, Any] = {}
    exec(f"from {module.__name__} import *", names)
    return sorted(names.keys() - {"__builtins__"})


@scenario
def version(module: Module) -> object:
    return module.__version__


@scenario
def names_that_programs_reach(module: Module) -> object:
    return {
        name: (type(thing).__name__, getattr(thing, "__name__", thing))
        for name in REACHED
        for thing in [getattr(module, name)]
    }


@scenario
def modules_that_programs_patch_are_the_real_ones(module: Module) -> object:
    import selectors
    import socket
    import sys
    import threading
    import time

    reached = (module.os, module.socket, module.sys, module.threading, module.selectors)
    return reached == (os, socket, sys, threading, selectors), module.time is time.monotonic


@scenario
def method_resolution_orders(module: Module) -> object:
    return {name: [base.__name__ for base in kind.__mro__] for name, kind in classes(module)}


@scenario
def bases(module: Module) -> object:
    return {name: [base.__name__ for base in kind.__bases__] for name, kind in classes(module)}


@scenario
def metaclasses_and_slots(module: Module) -> object:
    return {
        name: (type(kind).__name__, hasattr(kind, "__slots__"), "__dict__" in dir(kind))
        for name, kind in classes(module)
    }


@scenario
def names_of_classes(module: Module) -> object:
    return {name: (kind.__name__, kind.__qualname__) for name, kind in classes(module)}


@scenario
def relations_of_classes(module: Module) -> object:
    kinds = dict(classes(module))
    return {
        name: sorted(other for other in kinds if issubclass(kind, kinds[other]))
        for name, kind in kinds.items()
    }


@scenario
def methods_defined_by_each_class(module: Module) -> object:
    return {
        name: [method for method, value in own(kind).items() if callable(value)]
        for name, kind in classes(module)
    }


@scenario
def attributes_and_defaults_of_each_class(module: Module) -> object:
    return {
        name: {key: value for key, value in own(kind).items() if not callable(value)}
        for name, kind in classes(module)
    }


@scenario
def types_of_defaults(module: Module) -> object:
    return {
        name: {key: type(value).__name__ for key, value in own(kind).items()}
        for name, kind in classes(module)
    }


@scenario
def signatures(module: Module) -> object:
    return {
        f"{name}.{method}": parameters(getattr(kind, method))
        for name, kind in classes(module)
        for method in dir(kind)
        if inspect.isfunction(getattr(kind, method))
        and (not method.startswith("_") or method in PRIVATE_METHODS or is_protocol(method))
    }


def is_protocol(method: str) -> bool:
    return method in ("__init__", "__enter__", "__exit__")


def parameters(function: Any) -> str:
    """Return what a caller sees, without the types that the standard module does not state."""
    signature = inspect.signature(function)
    bare = [it.replace(annotation=it.empty) for it in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


@scenario
def signatures_of_classes(module: Module) -> object:
    return {
        name: parameters(kind)
        for name, kind in classes(module)
        if kind.__init__ is not object.__init__
    }


@scenario
def names_that_base_server_and_mix_ins_lack(module: Module) -> object:
    names = {name for _, kind in classes(module) for name in own(kind)}
    return {
        name: sorted(missing for missing in names if not hasattr(kind, missing))
        for name, kind in classes(module)
    }


@scenario
def mix_ins_have_no_constructor(module: Module) -> object:
    return {
        name: kind.__init__ is object.__init__
        for name, kind in classes(module)
        if name.endswith("MixIn")
    }


@scenario
def methods_are_plain_functions(module: Module) -> object:
    return {
        f"{name}.{method}": inspect.isfunction(value)
        for name, kind in classes(module)
        for method, value in own(kind).items()
        if callable(value)
    }


@scenario
def methods_that_are_documented(module: Module) -> object:
    return [
        f"{name}.{method}"
        for name, kind in classes(module)
        for method, value in own(kind).items()
        if callable(value) and value.__doc__ and not getattr(kind, method).__doc__
    ]


@scenario
def threads_of_the_mix_in_are_a_placeholder(module: Module) -> object:
    threads = module.ThreadingMixIn._threads
    return type(threads) is module._NoThreads, isinstance(threads, list), threads.join()


@scenario
def classes_say_which_module_they_live_in(module: Module) -> object:
    return sorted({kind.__module__ for _, kind in classes(module)})
