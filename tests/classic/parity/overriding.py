"""Each hook overridden alone, in each way that there is, and some that do not do their part."""

import contextlib
import threading
import types
from collections.abc import Callable, Generator
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.journal import Journal
from tests.classic.parity.kit import (
    LOOPBACK,
    STYLES,
    Module,
    address_for,
    derived,
    handler_for,
    outcome_of,
    place,
    quiet,
    running,
    scenario_for,
    within_patience,
)

ALONE = (
    "server_bind",
    "server_activate",
    "server_close",
    "fileno",
    "get_request",
    "verify_request",
    "process_request",
    "process_request_thread",
    "finish_request",
    "shutdown_request",
    "close_request",
    "handle_error",
    "service_actions",
    "handle_timeout",
    "collect_children",
    "_handle_request_noblock",
    "serve_forever",
    "shutdown",
    "handle_request",
)
# How often these run is not laid down.
UNCOUNTED = ("fileno", "service_actions", "collect_children")
Hook = Callable[..., Any]


def noting(journal: Journal, name: str, original: Hook) -> Hook:
    """Return a hook that writes down that it was called, and does its part."""

    def hook(self: Any, *args: Any, **options: Any) -> Any:
        journal.note(f"{name}({', '.join(type(arg).__name__ for arg in args)})")
        answer = original(self, *args, **options)
        if name == "get_request":
            journal.came.set()
        return answer

    return hook


@contextlib.contextmanager
def by_subclass(journal: Journal, server_class: Any, name: str) -> Generator[Any, None, None]:
    yield type("Sub", (server_class,), {name: noting(journal, name, getattr(server_class, name))})


@contextlib.contextmanager
def by_mix_in(journal: Journal, server_class: Any, name: str) -> Generator[Any, None, None]:
    def original(self: Any, *args: Any, **options: Any) -> Any:
        return getattr(super(mix_in, self), name)(*args, **options)

    mix_in: Any = type("MixIn", (), {name: noting(journal, name, original)})
    yield type("Sub", (mix_in, server_class), {})


@contextlib.contextmanager
def by_instance(journal: Journal, server_class: Any, name: str) -> Generator[Any, None, None]:
    def constructor(self: Any, *args: Any) -> None:
        hook = noting(journal, name, getattr(server_class, name))
        setattr(self, name, types.MethodType(hook, self))
        server_class.__init__(self, *args)

    yield type("Sub", (server_class,), {"__init__": constructor})


@contextlib.contextmanager
def by_class_patch(journal: Journal, server_class: Any, name: str) -> Generator[Any, None, None]:
    owner = next(kind for kind in server_class.__mro__ if name in vars(kind))
    original = vars(owner)[name]
    setattr(owner, name, noting(journal, name, original))
    try:
        yield server_class
    finally:
        setattr(owner, name, original)


WAYS = {
    "a subclass": by_subclass,
    "a mix-in": by_mix_in,
    "the instance": by_instance,
    "a patch": by_class_patch,
}


@scenario_for(ALONE, ("tcp", "udp"), STYLES)
def one_hook_overridden(module: Module, hook: str, family: str, style: str) -> object:
    if not hasattr(derived(module, family, style), hook):
        return "no such hook"
    return {way: overridden(module, hook, way, family, style) for way in WAYS}


def overridden(module: Module, hook: str, way: str, family: str, style: str) -> object:
    with Journal() as journal, place() as folder, quiet():
        with WAYS[way](journal, derived(module, family, style), hook) as server_class:
            server = server_class(address_for(family, folder), handler_for(module, family))
            with server, client_of(server, folder) as client:
                heard = [serve_once(server, client), serve_in_loop(server, client)]
                outcome = None
                if family == "udp":  # streams have a scenario of their own
                    server.RequestHandlerClass = fails
                    client.ask()
                    outcome = outcome_of(server.handle_request)
        story = journal.story()
    lines = {who: sorted(set(said)) if hook in UNCOUNTED else said for who, said in story.items()}
    return heard, outcome, sorted(lines.items())


def fails(request: Any, client_address: Any, server: Any) -> None:
    raise ValueError("on purpose")


def serve_once(server: Any, client: Any) -> object:
    client.ask()
    return within_patience(server.handle_request), client.hear()


def serve_in_loop(server: Any, client: Any) -> object:
    if client.is_stream:  # served already
        with client_of(server) as other:
            return in_loop(server, other)
    return in_loop(server, client)


def in_loop(server: Any, client: Any) -> object:
    client.ask()
    loop = running(lambda: server.serve_forever(0.005))
    heard = client.hear()
    return heard, within_patience(server.shutdown), loop.join()


@scenario_for(STYLES, ("once", "loop"))
def a_failing_handler_with_one_hook_overridden(module: Module, style: str, drive: str) -> object:
    seen = []
    for name in ("handle_error", "shutdown_request", "close_request", "finish_request"):
        with Journal() as journal, quiet():
            with (
                by_subclass(journal, derived(module, "tcp", style), name) as server_class,
                server_class(LOOPBACK, fails) as server,
                client_of(server) as client,
            ):
                if drive == "once":
                    outcome = within_patience(server.handle_request)
                else:
                    loop = running(lambda: server.serve_forever(0.005))
                    client.hear_all()
                    outcome = within_patience(server.shutdown) + loop.join()
                heard = client.hear_all()
            seen.append((name, outcome, heard, sorted(journal.story().items())))
    return seen


@scenario_for(STYLES, ("shutdown_request", "close_request", "process_request"))
def a_request_that_the_program_keeps(module: Module, style: str, hook: str) -> object:
    kept: list[Any] = []
    given = threading.Event()

    def keep(self: Any, request: Any, client_address: Any = None) -> None:
        kept.append(request)
        given.set()

    server_class = derived(module, "tcp", style, **{hook: keep})
    with server_class(LOOPBACK, module.BaseRequestHandler) as server, client_of(server) as client:
        outcome = within_patience(server.handle_request)
        if style != "forking" or hook == "process_request":
            given.wait(10)
        open_still = [request.fileno() >= 0 for request in kept[:1]]
        if hook != "close_request" and kept:
            kept[0].sendall(b"still here")
            heard = client.socket.recv(100)
        else:
            heard = b""
        for request in kept:
            request.close()
    return outcome, open_still, heard


@scenario_for(("1", "0", "'yes'", "''", "None", "[]", "[0]", "float('nan')"))
def what_verify_request_returns(module: Module, answer: str) -> object:
    server_class = derived(module, "udp", "sync", verify_request=lambda self, *_: eval(answer))
    with server_class(LOOPBACK, handler_for(module, "udp")) as server, client_of(server) as client:
        client.ask()
        return within_patience(server.handle_request), client.hear_all()
