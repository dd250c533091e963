"""What a constructor does, in which order, and what is left of it when it fails."""

import gc
import itertools
import os
import socket
import threading
from typing import Any

from tests.classic.parity.journal import ERRORS, Journal, recording_server
from tests.classic.parity.kit import (
    FAMILIES,
    LOOPBACK,
    STYLES,
    Module,
    address_for,
    bases_of,
    derived,
    outcome_of,
    outcomes_of,
    place,
    scenario,
    scenario_for,
    without_numbers,
)
from tests.support import open_descriptors


@scenario_for(FAMILIES, STYLES, ("at once", "later"))
def constructor_calls_the_hooks(module: Module, family: str, style: str, when: str) -> object:
    with Journal() as journal, place() as folder:
        server_class = recording_server(journal, bases_of(module, family, style))
        server = server_class(address_for(family, folder), object, when == "at once")
        journal.note(f"bound: {bool(server.socket.getsockname())}")
        if when == "later":
            server.server_bind()
            server.server_activate()
        server.server_close()
        return journal.story(), server.socket.fileno(), server.RequestHandlerClass is object


@scenario_for(
    FAMILIES,
    STYLES,
    ("server_bind", "server_activate"),
    ("OSError", "ValueError", "KeyboardInterrupt", "SystemExit", "GeneratorExit"),
)
def constructor_fails(module: Module, family: str, style: str, hook: str, error: str) -> object:
    made: list[Any] = []

    def keep(self: Any) -> None:
        made.append(self.socket)
        super(keeping, self).server_close()

    with Journal() as journal, place() as folder:
        keeping: Any = type("Keeping", bases_of(module, family, style), {"server_close": keep})
        server_class = recording_server(journal, (keeping,), {hook: error})
        outcome = outcome_of(lambda: server_class(address_for(family, folder), object))
        return outcome, journal.story(), [one.fileno() for one in made]


@scenario
def constructor_raises_the_very_error(module: Module) -> object:
    error = ERRORS["ValueError"]("mine")

    def server_bind(self: Any) -> None:
        raise error

    try:
        derived(module, "tcp", "sync", server_bind=server_bind)(LOOPBACK, object)
    except ValueError as caught:
        return caught is error, caught.__context__, caught.__cause__
    return "no error"


@scenario
def closing_fails_after_a_failed_constructor(module: Module) -> object:
    def server_bind(self: Any) -> None:
        raise ValueError("first")

    def server_close(self: Any) -> None:
        self.socket.close()
        raise RuntimeError("second")

    server_class = derived(
        module, "tcp", "sync", server_bind=server_bind, server_close=server_close
    )
    try:
        server_class(LOOPBACK, object)
    except RuntimeError as caught:
        return str(caught), repr(caught.__context__)
    return "no error"


@scenario
def addresses_that_cannot_be_bound(module: Module) -> object:
    bad: dict[str, tuple[Any, ...]] = {
        "TCPServer": (("127.0.0.1", -1), ("127.0.0.1", 70000), ("127.0.0.1", "a"), "text", None),
        "UDPServer": (("127.0.0.1", -1), ("127.0.0.1",), 7, ("192.0.2.1", 0)),
        "UnixStreamServer": ("x" * 200, "/nowhere/it.sock", LOOPBACK, None),
        "UnixDatagramServer": ("x" * 200, "/nowhere/it.sock", 7),
    }
    return {
        f"{name} {address}": outcome_of(lambda: getattr(module, name)(address, object))  # noqa: B023
        for name, addresses in bad.items()
        if hasattr(module, name)
        for address in addresses
    }


@scenario
def address_in_use(module: Module) -> object:
    with module.TCPServer(LOOPBACK, object) as first:
        return without_numbers(outcome_of(lambda: module.TCPServer(first.server_address, object)))


@scenario_for(FAMILIES, STYLES)
def a_hundred_failing_constructors_leak_nothing(module: Module, family: str, style: str) -> object:
    def server_activate(self: Any) -> None:
        raise OSError("no")

    with place() as folder:
        server_class = derived(module, family, style, server_activate=server_activate)
        before = open_descriptors()
        for _ in range(100):
            outcome_of(lambda: server_class(address_for(family, folder), object))
        return open_descriptors() - before


@scenario_for(FAMILIES, STYLES)
def descriptors_of_a_server(module: Module, family: str, style: str) -> object:
    with place() as folder:
        gc.collect()
        counts = [open_descriptors()]
        server = derived(module, family, style)(address_for(family, folder), object)
        counts.append(open_descriptors())
        server.server_close()
        counts.append(open_descriptors())
        server.server_close()
        counts.append(open_descriptors())
        return [later - first for first, later in itertools.pairwise(counts)]


@scenario_for(FAMILIES, STYLES)
def attributes_of_a_new_server(module: Module, family: str, style: str) -> object:
    with place() as folder:
        address = address_for(family, folder)
        server = derived(module, family, style)(address, object, False)
        with server:
            unbound = server.server_address is address
            server.server_bind()
            mine = {name: value for name, value in vars(server).items() if name[0] != "_"}
            return (
                unbound,
                sorted(mine),
                {name: name in vars(server) for name in PRIVATE},
                server.server_address == server.socket.getsockname(),
                type(server.server_address).__name__,
                type(server.socket) is socket.socket,
                server.socket.gettimeout(),
                server.socket.get_inheritable(),
                os.get_blocking(server.fileno()),
                server._BaseServer__is_shut_down.is_set(),
                isinstance(server._BaseServer__is_shut_down, threading.Event),
                server._BaseServer__shutdown_request,
            )


PRIVATE = ("_BaseServer__is_shut_down", "_BaseServer__shutdown_request", "_threads")


@scenario
def private_attributes_are_mangled(module: Module) -> object:
    with module.ThreadingTCPServer(LOOPBACK, object) as server:
        return [name for name in vars(server) if name[0] == "_" and "__" not in name[1:]]


@scenario
def base_server_alone(module: Module) -> object:
    server = module.BaseServer("anywhere", int)
    shown = {name: value for name, value in vars(server).items() if name[0] != "_"}
    calls = (
        lambda: server.verify_request(1, 2),
        lambda: server.shutdown_request(1),
        lambda: server.close_request(1),
        lambda: server.__enter__() is server,
        lambda: server.__exit__(None, None, None),
    )
    there = ("server_activate", "server_close", "service_actions", "handle_timeout")
    missing = ("server_bind", "fileno", "get_request", "handle_request")
    return shown, [outcome_of(call) for call in calls], outcomes_of(server, *there, *missing)


@scenario
def arguments_by_name(module: Module) -> object:
    server = module.TCPServer(
        server_address=LOOPBACK, RequestHandlerClass=object, bind_and_activate=False
    )
    with server:
        return server.server_address, server.RequestHandlerClass


@scenario
def wrong_arguments(module: Module) -> object:
    wrong: tuple[tuple[Any, ...], ...] = ((), (1,), (1, 2, 3, 4))
    return [
        outcome_of(lambda: kind(*arguments))  # noqa: B023
        for kind in (module.TCPServer, module.BaseRequestHandler)
        for arguments in wrong
    ]
