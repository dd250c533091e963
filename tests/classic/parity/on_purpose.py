"""Where the two differ, played so that the standard module can be seen to differ, too."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import os
import socket
import threading
from typing import Any

from tests.classic.parity.children import exists, has_ended
from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    FORKING,
    LOOPBACK,
    PATIENCE,
    STYLES,
    Module,
    derived,
    handler_for,
    happens,
    idle,
    is_standard,
    outcome_of,
    quiet,
    running,
    scenario,
    scenario_for,
    within_patience,
)
from tests.classic.parity.privates import replaced


class Unready(threading.Event):
    """An event that nobody can wait for: whoever tries says so instead."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append("waits")
        return True


@scenario
def shutdown_before_any_loop(module: Module) -> object:
    with module.TCPServer(LOOPBACK, idle) as server:
        server._BaseServer__is_shut_down = event = Unready()
        return within_patience(server.shutdown), event.waits


@scenario
def the_loop_after_a_shutdown_before_any_loop(module: Module) -> object:
    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        server._BaseServer__is_shut_down = Unready()
        within_patience(server.shutdown)
        with client_of(server):
            first = within_patience(lambda: server.serve_forever(60))
        flag = server._BaseServer__shutdown_request
        return first, flag


@scenario_for(("a handler", "service_actions", "verify_request"))
def shutdown_from_the_serving_thread_in(module: Module, where: str) -> object:
    event = Unready()

    def stop(self: Any, *args: Any) -> bool:
        self.shutdown()
        return True

    members = {where: stop} if where != "a handler" else {}
    server_class = derived(module, "tcp", "sync", **members)
    handler: Any = object if members else lambda request, address, server: stop(server)
    with server_class(LOOPBACK, handler) as server, quiet():
        server._BaseServer__is_shut_down = event
        with client_of(server):
            outcome = within_patience(lambda: server.serve_forever(0.01))
        return outcome, event.waits


@scenario_for(STYLES)
def shutdown_during_a_long_poll_interval(module: Module, style: str) -> object:
    asleep = threading.Event()
    server_class = derived(module, "tcp", style)
    with (
        server_class(LOOPBACK, module.BaseRequestHandler) as server,
        replaced(module, "_ServerSelector", selector_that_tells(module, asleep)),
    ):
        loop = running(lambda: server.serve_forever(60))
        happens(asleep)
        end = running(server.shutdown)
        at_once = end.ended_within(0.2 if is_standard(module) else PATIENCE)
        with client_of(server):  # wakes the one that sleeps
            return at_once, end.join(), loop.join()


def selector_that_tells(module: Module, asleep: threading.Event) -> Any:
    class Telling(module._ServerSelector):
        def select(self, timeout: float | None = None) -> Any:
            asleep.set()
            return super().select(timeout)

    return Telling


@scenario
def shutdown_in_the_wait_of_an_idle_server(module: Module) -> object:
    if is_standard(module):
        return "after the poll interval"
    turned = threading.Event()
    server_class = derived(module, "tcp", "sync", service_actions=lambda self: turned.set())
    with server_class(LOOPBACK, module.BaseRequestHandler) as server:
        loop = running(lambda: server.serve_forever(60))
        ask(server, question=b"")
        happens(turned)
        return "at once", within_patience(server.shutdown), loop.join()


@scenario_for(FORKING)
def a_child_of_the_program_at_the_maximum(module: Module, _: str) -> object:
    foreign = os.posix_spawn("/bin/true", ["true"], {})
    has_ended(foreign)
    with derived(module, "tcp", "forking", max_children=1)(LOOPBACK, idle) as server:
        with client_of(server):
            server.handle_request()
        (pid,) = server.active_children
        has_ended(pid)
        outcome = within_patience(server.collect_children)
        reaped = not exists(foreign)
        if not reaped:
            os.waitpid(foreign, 0)
        return outcome, server.active_children, "reaped" if reaped else "left alone"


@scenario_for(FORKING)
def the_loop_at_the_maximum_of_children(module: Module, _: str) -> object:
    reader, writer = socket.socketpair()
    calls = threading.Semaphore(0)

    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(b"here")
        reader.recv(1)

    def service_actions(self: Any) -> None:
        super(server_class, self).service_actions()
        if self.active_children:
            calls.release()

    members = {"max_children": 1, "service_actions": service_actions}
    server_class = derived(module, "tcp", "forking", **members)
    with reader, writer, server_class(LOOPBACK, handler) as server:
        loop = running(lambda: server.serve_forever(0.005))
        with client_of(server) as one, client_of(server) as two:
            first = one.socket.recv(4)
            patience = 0.2 if is_standard(module) else PATIENCE
            goes_on = all(calls.acquire(timeout=patience) for _ in range(3))
            writer.send(b"!!")
            heard = first, two.hear()
            seen = heard, within_patience(server.shutdown), loop.join()
    return "goes on" if goes_on else "is held up", seen, server.active_children


@scenario
def a_closed_server_that_was_asked_to_end(module: Module) -> object:
    server = module.TCPServer(LOOPBACK, idle)
    server.server_close()
    server._BaseServer__shutdown_request = True
    first = outcome_of(lambda: server.serve_forever(0.01))
    return first, server._BaseServer__shutdown_request


@scenario
def serving_without_a_constructor(module: Module) -> object:
    server = object.__new__(module.TCPServer)
    server.socket = socket.create_server(LOOPBACK)
    server.server_address = server.socket.getsockname()
    server.RequestHandlerClass = handler_for(module, "tcp")
    with server:
        if is_standard(module):
            return outcome_of(lambda: server.serve_forever(0.01))
        loop = running(lambda: server.serve_forever(0.01))
        return ask(server), within_patience(server.shutdown), loop.join()
