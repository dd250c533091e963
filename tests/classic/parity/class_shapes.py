"""Servers with unusual bases, and with hooks that call past them."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import abc
import os
import re
import threading
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    LOOPBACK,
    STYLES,
    Module,
    address_for,
    bases_of,
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


@scenario_for(("threading", "forking"))
def a_mix_in_behind_the_server(module: Module, style: str) -> object:
    mix_in, server_base = bases_of(module, "tcp", style)
    where: list[object] = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        where.append((os.getpid() == home, threading.current_thread().name))

    home = os.getpid()
    server_class = type("Behind", (server_base, mix_in), {})
    with server_class(LOOPBACK, handler) as server, client_of(server) as client:
        seen = within_patience(server.handle_request), client.hear(), where
        with serving(server):
            return seen, ask(server, question=b""), getattr(server, "active_children", "none")


@scenario_for(("threads first", "children first"))
def both_mix_ins(module: Module, order: str) -> object:
    home = os.getpid()
    mix_ins = [module.ThreadingMixIn, module.ForkingMixIn]
    if order == "children first":
        mix_ins.reverse()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        in_child = os.getpid() != home
        name = re.sub(r"\d+", "N", threading.current_thread().name)
        request.sendall(repr((in_child, name)).encode())

    server_class = type("Both", (*mix_ins, module.TCPServer), {})
    with server_class(LOOPBACK, handler) as server:
        with client_of(server) as client:
            once = within_patience(server.handle_request), client.hear()
        with serving(server):
            heard = ask(server, question=b"")
        return once, heard.split(b",")[0], server.timeout, type(server._threads).__name__


@scenario
def a_server_with_nothing_to_wait_for(module: Module) -> object:
    server = module.BaseServer("nowhere", idle)
    ends = [within_patience(lambda: server.serve_forever(0.01)) for _ in range(2)]
    return [end.partition("<")[0] for end in ends], server._BaseServer__is_shut_down.is_set()
