"""Private names that programs use, and what they replace in the module."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Generator
from functools import partial
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.kit import (
    FORKING,
    LOOPBACK,
    STYLES,
    Module,
    derived,
    handler_for,
    idle,
    outcome_of,
    running,
    scenario,
    scenario_for,
    within_patience,
)


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: object) -> Generator[None, None, None]:
    """Replace an attribute for the length of the block."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


class Watched(selectors.DefaultSelector):
    """A selector that says what it was used for."""

    calls: list[object]

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self.calls.append((type(fileobj).__name__, events, data))
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if "selected" not in self.calls:
            self.calls.append("selected")
        return super().select(timeout)

    def close(self) -> None:
        self.calls.append("closed")
        super().close()


POLLING: dict[str, tuple[float, ...]] = {"handle_request": (), "serve_forever": (0.005,)}


@scenario_for(POLLING, STYLES)
def a_selector_of_the_programs_own_is_used(module: Module, method: str, style: str) -> object:
    seen: list[object] = []
    selector = type("Mine", (Watched,), {"calls": seen})
    with (
        derived(module, "tcp", style)(LOOPBACK, handler_for(module, "tcp")) as server,
        replaced(module, "_ServerSelector", selector),
        client_of(server) as client,
    ):
        client.ask()
        run = running(partial(getattr(server, method), *POLLING[method]))
        heard = client.hear()
        if method == "serve_forever":
            within_patience(server.shutdown)
        return heard, run.join(), "selected" in seen, "closed" in seen


@scenario
def a_selector_is_looked_up_for_each_loop(module: Module) -> object:
    class Broken(selectors.DefaultSelector):
        def __init__(self) -> None:
            raise RuntimeError("no selector today")

    with module.TCPServer(LOOPBACK, idle) as server:
        with replaced(module, "_ServerSelector", Broken):
            first = within_patience(server.handle_request)
            second = within_patience(server.serve_forever)
            over = server._BaseServer__is_shut_down.is_set()
        server.timeout = 0
        return first, second, over, within_patience(server.handle_request)


@scenario_for(STYLES)
def flag_set_while_a_client_comes_leaves_the_client_waiting(module: Module, style: str) -> object:
    class Late(module._ServerSelector):
        def select(self, timeout: float | None = None) -> Any:
            ready = super().select(timeout)
            server._BaseServer__shutdown_request = True
            return ready

    actions: list[int] = []
    server_class = derived(module, "tcp", style, service_actions=lambda self: actions.append(1))
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server, client_of(server) as client:
        client.ask()
        with replaced(module, "_ServerSelector", Late):
            ended = within_patience(lambda: server.serve_forever(60))
        return ended, actions, within_patience(server.handle_request), client.hear()


@scenario
def the_selector_class_of_the_module_can_be_used(module: Module) -> object:
    with module.TCPServer(LOOPBACK, idle) as server, module._ServerSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        before = selector.select(0)
        with client_of(server):
            ready = selector.select(10)
        return before, len(ready), issubclass(module._ServerSelector, selectors.BaseSelector)


@scenario
def a_selector_derived_from_that_of_the_module(module: Module) -> object:
    polls: list[int] = []

    class Counting(module._ServerSelector):
        def select(self, timeout: float | None = None) -> Any:
            polls.append(1)
            return super().select(timeout)

    with (
        module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server,
        replaced(module, "_ServerSelector", Counting),
        client_of(server) as client,
    ):
        client.ask()
        return within_patience(server.handle_request), client.hear(), bool(polls)


@scenario
def the_socket_class_is_looked_up_in_the_socket_module(module: Module) -> object:
    made: list[object] = []
    real = socket.socket

    def new_socket(*arguments: Any) -> Any:
        made.append([str(argument) for argument in arguments])
        return real(*arguments)

    with replaced(module.socket, "socket", new_socket):
        module.TCPServer(LOOPBACK, idle, False).server_close()
        module.UDPServer(LOOPBACK, idle, False).server_close()
    return made


@scenario
def threads_are_made_by_the_threading_module(module: Module) -> object:
    made: list[object] = []

    class Fake:
        daemon = None

        def __init__(self, **options: Any) -> None:
            made.append((options["target"].__name__, len(options["args"]), sorted(options)))

        def start(self) -> None:
            made.append(("started", self.daemon))

        def is_alive(self) -> bool:
            return False

        def join(self) -> None:
            made.append("joined")

    with module.ThreadingTCPServer(LOOPBACK, idle) as server:
        ours, theirs = socket.socketpair()
        with ours, theirs, replaced(module.threading, "Thread", Fake):
            server.process_request(ours, "me")
            server.daemon_threads = True
            server.process_request(ours, "me")
        open_still = ours.fileno() == -1
    return made, open_still


@scenario_for(FORKING)
def forks_are_made_by_the_os_module(module: Module, style: str) -> object:
    ours, theirs = socket.socketpair()
    with derived(module, "tcp", style)(LOOPBACK, idle) as server:
        ended = os.posix_spawn("/bin/true", ["true"], {})
        with theirs, replaced(module.os, "fork", lambda: ended):
            outcome = outcome_of(lambda: server.process_request(ours, "me"))
        children = server.active_children == {ended}, ours.fileno()
    return outcome, children, server.active_children


@scenario
def placeholders_for_threads(module: Module) -> object:
    none, some = module._NoThreads(), module._Threads()
    plain, daemon, over = (threading.Thread(target=int) for _ in range(3))
    daemon.daemon = True
    over.start()
    over.join()
    none.append(plain)
    go_on = threading.Event()
    alive = threading.Thread(target=lambda: go_on.wait(10))
    alive.start()
    lengths = []
    for thread in (daemon, over, alive):
        some.append(thread)
        lengths.append(len(some))
    some.reap()
    kept = [thread is alive for thread in some]
    go_on.set()
    some.join()
    return none.join(), lengths, kept, len(some), isinstance(some, list), some.pop_all()
