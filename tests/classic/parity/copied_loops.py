"""Loops that programs have copied from the standard module, and the event beside them."""

import selectors
import threading
from typing import Any

from tests.classic.parity.clients import ask
from tests.classic.parity.kit import (
    LOOPBACK,
    STYLES,
    Module,
    derived,
    handler_for,
    happens,
    idle,
    running,
    scenario,
    scenario_for,
    within_patience,
)


def copied_loop(module: Module, done: list[str]) -> Any:
    """Return the loop that some programs have copied from the standard module."""

    def serve_forever(self: Any, poll_interval: float = 0.5) -> None:
        self._BaseServer__is_shut_down.clear()
        try:
            with module._ServerSelector() as selector:
                selector.register(self, selectors.EVENT_READ)
                while not self._BaseServer__shutdown_request:
                    ready = selector.select(poll_interval)
                    if self._BaseServer__shutdown_request:
                        break
                    if ready:
                        self._handle_request_noblock()
                    self.service_actions()
        finally:
            self._BaseServer__shutdown_request = False
            done.append("loop over")
            self._BaseServer__is_shut_down.set()

    return serve_forever


@scenario_for(STYLES)
def a_copied_loop_serves_and_is_shut_down(module: Module, style: str) -> object:
    done: list[str] = []
    server_class = derived(module, "tcp", style, serve_forever=copied_loop(module, done))
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server:
        for _ in range(2):
            loop = running(lambda: server.serve_forever(0.01))
            heard = ask(server), ask(server)
            done.append(within_patience(server.shutdown))
            done.append(loop.join())
    return heard, done


@scenario
def shutdown_waits_for_a_copied_loop(module: Module) -> object:
    done: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def service_actions(self: Any) -> None:
        inside.set()
        happens(go_on)

    server_class = derived(
        module,
        "tcp",
        "sync",
        serve_forever=copied_loop(module, done),
        service_actions=service_actions,
    )
    with server_class(LOOPBACK, idle) as server:
        loop = running(lambda: server.serve_forever(0.01))
        happens(inside)
        end = running(server.shutdown)
        too_early = end.ended_within(0.1)
        go_on.set()
        return too_early, end.join(), loop.join(), done


@scenario
def an_event_of_the_programs_own(module: Module) -> object:
    calls: list[str] = []

    class Event(threading.Event):
        def set(self) -> None:
            calls.append("set")
            super().set()

        def clear(self) -> None:
            calls.append("clear")
            super().clear()

    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        server._BaseServer__is_shut_down = Event()
        loop = running(lambda: server.serve_forever(0.005))
        return ask(server), within_patience(server.shutdown), loop.join(), calls
