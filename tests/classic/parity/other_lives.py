"""Servers among signals, forks and with blocks."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import os
import signal
import threading
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    LOOPBACK,
    STYLES,
    Module,
    derived,
    handler_for,
    happens,
    idle,
    outcome_of,
    running,
    scenario,
    scenario_for,
    serving,
    within_patience,
)


@scenario_for(STYLES)
def left_by_an_exception_in_a_with_block(module: Module, style: str) -> object:
    server = derived(module, "tcp", style)(LOOPBACK, idle)
    try:
        with server as entered:
            same = entered is server
            raise ValueError("mine")
    except ValueError as error:
        return same, str(error), server.fileno(), server.__exit__(), server.__exit__(1, 2, 3)


@scenario
def ended_by_a_signal_handler_that_raises(module: Module) -> object:
    class EnoughError(Exception):
        pass

    def enough(number: int, frame: object) -> None:
        raise EnoughError

    before = signal.signal(signal.SIGUSR1, enough)
    asked = threading.Event()

    def service_actions(self: Any) -> None:
        asked.set()

    server_class = derived(module, "tcp", "sync", service_actions=service_actions)

    def kill() -> None:
        happens(asked)
        os.kill(os.getpid(), signal.SIGUSR1)

    killing = running(kill, "signal")
    try:
        with server_class(LOOPBACK, idle) as server:
            outcome = outcome_of(lambda: server.serve_forever(0.05))
            over = server._BaseServer__is_shut_down.is_set()
            return outcome, killing.join(), over, signal.set_wakeup_fd(-1), server.fileno() >= 0
    finally:
        signal.signal(signal.SIGUSR1, before)


@scenario_for(("another signal", "the flag"))
def a_signal_handler_that_returns(module: Module, what: str) -> object:
    came: list[int] = []
    once = threading.Event()
    server = module.TCPServer(LOOPBACK, handler_for(module, "tcp"))

    def on_signal(number: int, frame: object) -> None:
        came.append(number)
        if what == "the flag":
            server._BaseServer__shutdown_request = True

    def client() -> object:
        happens(once)
        os.kill(os.getpid(), signal.SIGUSR1)
        if what == "the flag":
            return b""
        heard = ask(server)
        within_patience(server.shutdown)
        return heard

    before = signal.signal(signal.SIGUSR1, on_signal)
    server.service_actions = once.set
    other = running(client, "client")
    try:
        with server:
            outcome = outcome_of(lambda: server.serve_forever(0.05))
            return outcome, other.join(), len(came)
    finally:
        signal.signal(signal.SIGUSR1, before)


@scenario_for(STYLES)
def forked_before_it_serves(module: Module, style: str) -> object:
    # As a program does that has several processes accept on one socket.
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(b"served")
        server._BaseServer__shutdown_request = True

    with (
        derived(module, "tcp", style)(LOOPBACK, handler) as server,
        client_of(server) as one,
        client_of(server) as two,
    ):
        statuses = [os.waitstatus_to_exitcode(wait_for(serve_in_child(server, style)))]
        statuses.append(os.waitstatus_to_exitcode(wait_for(serve_in_child(server, style))))
        heard = one.hear(), two.hear()
    return statuses, heard


def serve_in_child(server: Any, style: str) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            if style == "sync":
                server.serve_forever(0.05)
            else:
                server.handle_request()
            server.server_close()
            os._exit(0)
        finally:
            os._exit(9)
    return pid


def wait_for(pid: int) -> int:
    return os.waitpid(pid, 0)[1]


@scenario
def a_handler_that_forks_a_child_that_closes_the_server(module: Module) -> object:
    statuses: list[int] = []

    class Forking(module.StreamRequestHandler):
        def handle(self) -> None:
            pid = os.fork()
            if pid == 0:
                self.server.server_close()
                self.wfile.write(b"from a child")
                os._exit(5)
            statuses.append(os.waitstatus_to_exitcode(wait_for(pid)))

    with module.TCPServer(LOOPBACK, Forking) as server, serving(server):
        return ask(server, question=b""), ask(server, question=b""), statuses
