"""`serve_forever`: how it starts, goes on, ends, and starts again."""

import threading
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    FAMILIES,
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
    running,
    scenario,
    scenario_for,
    serving,
    within_patience,
)


def flags(server: Any) -> tuple[bool, bool]:
    return server._BaseServer__shutdown_request, server._BaseServer__is_shut_down.is_set()


@scenario_for(FAMILIES, STYLES)
def served_stopped_and_served_again(module: Module, family: str, style: str) -> object:
    seen: list[object] = []
    with place() as folder:
        server_class = derived(module, family, style)
        with server_class(address_for(family, folder), handler_for(module, family)) as server:
            seen.append(flags(server))
            for _ in range(2):
                loop = running(lambda: server.serve_forever(0.005))
                seen.append((ask(server, folder), flags(server)))
                seen.append(within_patience(server.shutdown))
                seen.append((flags(server), loop.join(), server.fileno() >= 0))
    return seen


@scenario_for(("0", "0.001", "None", "60", "-1", "1"))
def poll_intervals(module: Module, poll_interval: str) -> object:
    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        loop = running(lambda: server.serve_forever(eval(poll_interval)))
        first = ask(server)
        server._BaseServer__shutdown_request = True
        with client_of(server):  # ends the wait; a flag alone does not
            return first, loop.join(), flags(server)


@scenario
def poll_interval_of_a_wrong_type(module: Module) -> object:
    with module.TCPServer(LOOPBACK, idle) as server:
        outcome = within_patience(lambda: server.serve_forever("soon"))
        return outcome.partition(":")[0], flags(server)


@scenario_for(("by position", "by name", "not at all"))
def poll_interval_given(module: Module, how: str) -> object:
    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        calls = {
            "by position": lambda: server.serve_forever(0.01),
            "by name": lambda: server.serve_forever(poll_interval=0.01),
            "not at all": server.serve_forever,
        }
        loop = running(calls[how])
        return ask(server), within_patience(server.shutdown), loop.join()


@scenario
def service_actions_run_after_each_request(module: Module) -> object:
    done: list[str] = []

    def service_actions(self: Any) -> None:
        done.append("actions")
        if done.count("actions") == 3:
            self._BaseServer__shutdown_request = True

    def handler(request: Any, client_address: Any, server: Any) -> None:
        done.append("request")

    server_class = derived(module, "tcp", "sync", service_actions=service_actions)
    with (
        server_class(LOOPBACK, handler) as server,
        client_of(server),
        client_of(server),
        client_of(server),
        client_of(server),
    ):
        outcome = within_patience(lambda: server.serve_forever(None))
        return outcome, done


@scenario_for(STYLES)
def service_actions_run_without_requests(module: Module, style: str) -> object:
    thrice = threading.Event()
    calls: list[int] = []

    def service_actions(self: Any) -> None:
        super(server_class, self).service_actions()
        calls.append(1)
        if len(calls) == 3:
            thrice.set()

    server_class = derived(module, "tcp", style, service_actions=service_actions)
    with server_class(LOOPBACK, idle) as server, serving(server, 0.001):
        happens(thrice)
    return True


@scenario_for(("ValueError", "KeyboardInterrupt", "SystemExit", "OSError"))
def service_actions_raise(module: Module, error: str) -> object:
    kind = getattr(__import__("builtins"), error)
    seen: list[object] = []

    def service_actions(self: Any) -> None:
        if len(seen) < 2:
            raise kind("enough")

    server_class = derived(module, "tcp", "sync", service_actions=service_actions)
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server:
        for _ in range(2):
            outcome = within_patience(lambda: server.serve_forever(0.001))
            seen.append((outcome, flags(server), server.fileno() >= 0))
        with serving(server):
            seen.append(ask(server))
    return seen


@scenario
def timeout_of_the_server_is_ignored(module: Module) -> object:
    calls: list[int] = []
    server_class = derived(
        module, "tcp", "sync", timeout=0.0, handle_timeout=lambda self: calls.append(1)
    )
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server, serving(server):
        return ask(server), ask(server), calls


@scenario_for(FAMILIES, STYLES)
def closed_while_serving(module: Module, family: str, style: str) -> object:
    again = threading.Event()
    with place() as folder:
        server_class = derived(module, family, style, service_actions=lambda self: again.set())
        server = server_class(address_for(family, folder), handler_for(module, family))
        loop = running(lambda: server.serve_forever(0.005))
        heard = ask(server, folder)
        server.server_close()
        again.clear()
        happens(again)
        seen = heard, within_patience(server.shutdown), loop.join(), flags(server)
        within_patience(server.server_close)  # for a child forked after the first
        return seen, server.fileno(), outcome_of(lambda: server.serve_forever(0.01)), flags(server)
