"""What dies when: programs count on sockets being closed by the last reference."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import contextlib
import gc
import os
import warnings
import weakref
from collections.abc import Generator
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    FAMILIES,
    LOOPBACK,
    STREAMS,
    STYLES,
    Module,
    address_for,
    bases_of,
    derived,
    handler_base,
    handler_for,
    idle,
    outcome_of,
    place,
    quiet,
    running,
    scenario,
    scenario_for,
    within_patience,
)
from tests.support import open_descriptors


@contextlib.contextmanager
def counting_references() -> Generator[None, None, None]:
    """Leave it to the counts of references, and let sockets be closed by them."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            yield
    finally:
        if enabled:
            gc.enable()


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def in_a_loop(server: Any, folder: Any) -> None:
    loop = running(lambda: server.serve_forever(0.005))
    ask(server, folder)
    within_patience(server.shutdown)
    loop.join()


def in_single_requests(server: Any, folder: Any) -> None:
    for _ in range(2):
        with client_of(server, folder) as client:
            client.ask()
            server.handle_request()
            client.hear()


def in_both(server: Any, folder: Any) -> None:
    in_single_requests(server, folder)
    in_a_loop(server, folder)


USES: dict[str, Any] = {
    "never used": lambda server, folder: None,
    "single requests": in_single_requests,
    "a loop": in_a_loop,
    "both": in_both,
}


@scenario_for(FAMILIES, STYLES, USES)
def a_server_dies_with_its_last_reference(
    module: Module, family: str, style: str, use: str
) -> object:
    with place() as folder, counting_references():
        server_class = derived(module, family, style)
        server = server_class(address_for(family, folder), handler_for(module, family))
        USES[use](server, folder)
        if style == "forking":
            server.collect_children(blocking=True)
        if style == "threading":
            server._threads.join()
        died, descriptor = weakref.ref(server), server.fileno()
        before = is_open(descriptor)
        del server
        return before, died() is None, is_open(descriptor)


@scenario_for(STYLES)
def a_server_whose_handlers_fail_dies_too(module: Module, style: str) -> object:
    def fails(request: Any, client_address: Any, server: Any) -> None:
        raise ValueError("on purpose")

    with counting_references(), quiet():
        server = derived(module, "tcp", style)(LOOPBACK, fails)
        in_single_requests(server, None)
        in_a_loop(server, None)
        if style == "forking":
            server.collect_children(blocking=True)
        if style == "threading":
            server._threads.join()
        died = weakref.ref(server)
        del server
        return died() is None


@scenario_for(STREAMS, STYLES[:2], ("well", "with an error"))
def handlers_and_requests_die_after_the_request(
    module: Module, family: str, style: str, ends: str
) -> object:
    refs: list[Any] = []

    def handle(self: Any) -> None:
        refs.extend((weakref.ref(self), weakref.ref(self.request), weakref.ref(self.wfile)))
        if ends == "with an error":
            raise ValueError("on purpose")

    handler = type("Handler", (handler_base(module, family),), {"handle": handle})
    with place() as folder, counting_references(), quiet():
        with derived(module, family, style)(address_for(family, folder), handler) as server:
            loop = running(lambda: server.serve_forever(0.005))
            with client_of(server) as client:
                client.hear_all()
            within_patience(server.shutdown)
            loop.join()
        return [ref() is None for ref in refs]


@scenario
def requests_die_after_the_request_while_the_loop_waits(module: Module) -> object:
    refs: list[Any] = []

    class Handler(module.StreamRequestHandler):
        def handle(self) -> None:
            refs.append(weakref.ref(self.request))

    with counting_references(), module.TCPServer(LOOPBACK, Handler) as server:
        loop = running(lambda: server.serve_forever(0.005))
        ask(server)
        ask(server)  # the first is over for certain
        first = refs[0]() is None
        within_patience(server.shutdown)
        loop.join()
        return first


@scenario_for(STREAMS, STYLES)
def a_refused_request_dies(module: Module, family: str, style: str) -> object:
    refs: list[Any] = []

    def verify_request(self: Any, request: Any, client_address: Any) -> bool:
        refs.append(weakref.ref(request))
        return False

    with place() as folder, counting_references():
        server_class = derived(module, family, style, verify_request=verify_request)
        with server_class(address_for(family, folder), idle) as server, client_of(server):
            server.handle_request()
            return [ref() is None for ref in refs]


@scenario
def a_request_that_was_never_shut_down_is_closed_by_its_last_reference(module: Module) -> object:
    server_class = derived(module, "tcp", "sync", shutdown_request=lambda self, request: None)
    with counting_references(), server_class(LOOPBACK, idle) as server, client_of(server) as client:
        outcome = within_patience(server.handle_request)
        return outcome, client.hear_all()


@scenario_for(FAMILIES, STYLES, ("server_bind", "server_activate"))
def a_server_that_failed_to_start_dies(
    module: Module, family: str, style: str, hook: str
) -> object:
    refs: list[Any] = []

    def fails(self: Any) -> None:
        refs.append(weakref.ref(self))
        raise OSError("on purpose")

    with place() as folder, counting_references():
        server_class = type("Server", bases_of(module, family, style), {hook: fails})
        outcome = outcome_of(lambda: server_class(address_for(family, folder), idle))
        return outcome, [ref() is None for ref in refs]


@scenario_for(STYLES)
def descriptors_after_many_requests(module: Module, style: str) -> object:
    with derived(module, "tcp", style)(LOOPBACK, handler_for(module, "tcp")) as server:
        in_single_requests(server, None)
        in_a_loop(server, None)
        settle(server, style)
        before = open_descriptors()
        for _ in range(10):
            in_single_requests(server, None)
        in_a_loop(server, None)
        settle(server, style)
        return open_descriptors() - before


@scenario_for(STYLES)
def descriptors_after_a_server_was_forgotten(module: Module, style: str) -> object:
    before = open_descriptors()
    with counting_references():
        server = derived(module, "tcp", style)(LOOPBACK, handler_for(module, "tcp"))
        in_single_requests(server, None)
        children = set(getattr(server, "active_children", None) or ())
        if style == "threading":
            server._threads.join()
        del server
        for pid in children:
            os.waitpid(pid, 0)
    gc.collect()  # what belongs to a child may be in a cycle
    return open_descriptors() - before


def settle(server: Any, style: str) -> None:
    if style == "forking":
        server.collect_children(blocking=True)
    if style == "threading":
        server._threads.join()
