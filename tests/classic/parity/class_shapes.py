"""Servers with unusual bases, and with hooks that call past them."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import abc
import threading
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    LOOPBACK,
    STYLES,
    Module,
    address_for,
    derived,
    handler_for,
    happens,
    idle,
    outcome_of,
    place,
    scenario,
    scenario_for,
    serving,
    within_patience,
)


@scenario_for(STYLES)
def process_request_of_the_other_mix_in(module: Module, style: str) -> object:
    # A subclass that calls one base by its name, past what is between them.
    def process_request(self: Any, request: Any, client_address: Any) -> None:
        module.BaseServer.process_request(self, request, client_address)

    where: list[object] = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        where.append(threading.current_thread().name)

    server_class = derived(module, "tcp", style, process_request=process_request)
    with server_class(LOOPBACK, handler) as server, client_of(server) as client:
        outcome = within_patience(server.handle_request)
        return outcome, where, client.hear()


@scenario
def a_diamond_of_servers(module: Module) -> object:
    calls: list[str] = []

    class Named(module.TCPServer):
        def server_bind(self) -> None:
            calls.append("named")
            super().server_bind()
            self.server_name = "me"

    class UnixNamed(module.UnixStreamServer, Named):
        def get_request(self) -> tuple[Any, Any]:
            request, _ = super().get_request()
            return request, ("unix", 1)

    bases = [base.__name__ for base in UnixNamed.__mro__]
    with place() as folder:
        address = address_for("unix", folder)
        with UnixNamed(address, handler_for(module, "tcp")) as server, serving(server):
            return calls, server.server_name, bases, ask(server)


@scenario
def a_server_that_is_a_thread(module: Module) -> object:
    class Own(module.ThreadingTCPServer, threading.Thread):
        def __init__(self) -> None:
            module.ThreadingTCPServer.__init__(self, LOOPBACK, handler_for(module, "tcp"))
            threading.Thread.__init__(self, daemon=True)

        def run(self) -> None:
            self.serve_forever(0.005)

    with Own() as server:
        server.start()
        heard = ask(server), ask(server)
        end = within_patience(server.shutdown)
        server.join(10)
        return heard, end, server.is_alive()


@scenario
def a_server_that_is_abstract(module: Module) -> object:
    class Abstract(abc.ABC, module.TCPServer):
        @abc.abstractmethod
        def name(self) -> str: ...

    class Concrete(Abstract):
        def name(self) -> str:
            return "concrete"

    with Concrete(LOOPBACK, idle) as server:
        return server.name(), outcome_of(lambda: Abstract(LOOPBACK, idle))[:15]


@scenario
def a_server_that_waits_in_get_request(module: Module) -> object:
    # As warcprox does: it waits for a free slot before it accepts.
    slot, entered = threading.Event(), threading.Event()

    def get_request(self: Any) -> Any:
        entered.set()
        happens(slot)
        return super(server_class, self).get_request()

    server_class = derived(module, "tcp", "threading", get_request=get_request)
    with (
        server_class(LOOPBACK, handler_for(module, "tcp")) as server,
        client_of(server) as client,
        serving(server),
    ):
        client.ask()
        happens(entered)
        slot.set()
        return client.hear()
