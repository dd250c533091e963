"""`handle_request`: timeouts, what it returns, what it calls and what it leaves alone."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import select
import types
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.journal import HOOKS, Journal, recording_server
from tests.classic.parity.kit import (
    FAMILIES,
    LOOPBACK,
    STREAMS,
    STYLES,
    Module,
    address_for,
    bases_of,
    derived,
    handler_for,
    idle,
    outcome_of,
    place,
    running,
    scenario,
    scenario_for,
    within_patience,
)

TIMES = {"none": None, "zero": 0, "short": 0.01, "long": 1000.0, "negative": -1.0}


@scenario_for(("none", "zero", "short", "long"), TIMES, ("a client", "nobody"))
def timeouts(module: Module, on_socket: str, on_server: str, waiting: str) -> object:
    if waiting == "nobody" and {on_socket, on_server} <= {"none", "long"}:
        return "would wait"
    with Journal() as journal:
        server_class = recording_server(journal, (module.UDPServer,), hooks=HOOKS[3:])
        with server_class(LOOPBACK, handler_for(module, "udp")) as server:
            server.socket.settimeout(TIMES[on_socket])
            server.timeout = TIMES[on_server]
            with client_of(server) as client:
                if waiting == "a client":
                    client.ask()
                outcome = within_patience(server.handle_request)
                heard = client.hear_all()
        return outcome, journal.story(), heard


@scenario
def timeout_of_the_class_is_read_each_time(module: Module) -> object:
    calls = []
    server_class = derived(module, "tcp", "sync", handle_timeout=lambda self: calls.append(1))
    with server_class(LOOPBACK, idle) as server:
        server_class.timeout = 0.001
        within_patience(server.handle_request)
        server_class.timeout = 0
        within_patience(server.handle_request)
    return calls


@scenario_for(STYLES)
def what_handle_timeout_returns_is_returned(module: Module, style: str) -> object:
    server_class = derived(
        module, "tcp", style, timeout=0, handle_timeout=lambda self: "it is late"
    )
    with server_class(LOOPBACK, idle) as server:
        return within_patience(server.handle_request)


@scenario
def handle_timeout_of_the_instance(module: Module) -> object:
    with module.UDPServer(LOOPBACK, idle) as server:
        server.timeout = 0
        server.timed_out = False

        def handle_timeout(self: Any) -> None:
            self.timed_out = True

        server.handle_timeout = types.MethodType(handle_timeout, server)
        return within_patience(server.handle_request), server.timed_out


@scenario
def handle_timeout_raises(module: Module) -> object:
    def handle_timeout(self: Any) -> None:
        raise OSError("too late")

    server_class = derived(module, "tcp", "sync", timeout=0, handle_timeout=handle_timeout)
    with server_class(LOOPBACK, idle) as server:
        return within_patience(server.handle_request)


@scenario
def what_handling_returns_is_returned(module: Module) -> object:
    def noblock(self: Any) -> str:
        super(server_class, self)._handle_request_noblock()
        return "handled"

    server_class = derived(module, "tcp", "sync", _handle_request_noblock=noblock)
    with server_class(LOOPBACK, idle) as server, client_of(server) as client:
        return within_patience(server.handle_request), client.hear_all()


@scenario_for(FAMILIES, STYLES)
def a_request_at_a_time(module: Module, family: str, style: str) -> object:
    calls: list[str] = []
    note_actions = {"service_actions": lambda self: calls.append("actions")}
    with place() as folder:
        server_class = derived(module, family, style, **note_actions)
        with (
            server_class(address_for(family, folder), handler_for(module, family)) as server,
            client_of(server, folder) as one,
            client_of(server, folder) as two,
        ):
            one.ask(b"one\n")
            two.ask(b"two\n")
            outcomes = []
            for client in one, two:
                outcomes.append(within_patience(server.handle_request))
                outcomes.append(repr(client.hear()))
    return outcomes, calls


@scenario
def a_server_that_was_asked_to_end_still_handles_a_request(module: Module) -> object:
    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        server._BaseServer__shutdown_request = True
        with client_of(server) as client:
            client.ask()
            outcome = within_patience(server.handle_request)
            return outcome, client.hear_all(), server._BaseServer__shutdown_request


@scenario_for(FAMILIES)
def a_foreign_loop_selects_and_handles(module: Module, family: str) -> object:
    with place() as folder:
        server_class = derived(module, family, "sync")
        with (
            server_class(address_for(family, folder), handler_for(module, family)) as server,
            client_of(server, folder) as client,
        ):
            idle = select.select([server], [], [], 0)[0] == []
            client.ask()
            ready = select.select([server], [], [], 10)[0] == [server]
            return idle, ready, outcome_of(server._handle_request_noblock), client.hear_all()


@scenario_for(("handle_request", "_handle_request_noblock"))
def a_handler_handles_the_next_request_itself(module: Module, method: str) -> object:
    done: list[bytes] = []

    class Nested(module.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline()
            if line == b"outer\n":
                getattr(self.server, method)()
            done.append(line)
            self.wfile.write(line)

    with (
        module.TCPServer(LOOPBACK, Nested) as server,
        client_of(server) as outer,
        client_of(server) as inner,
    ):
        outer.ask(b"outer\n")
        inner.ask(b"inner\n")
        outcome = within_patience(server.handle_request)
        return outcome, done, outer.hear(), inner.hear()


LEFT = ("get_request", "verify_request", "close_request")


@scenario_for(STREAMS, STYLES)
def a_client_that_has_left_again(module: Module, family: str, style: str) -> object:
    with place() as folder, Journal() as journal:
        bases = bases_of(module, family, style)
        server_class = recording_server(journal, bases, hooks=LEFT)
        with server_class(address_for(family, folder), module.BaseRequestHandler) as server:
            with client_of(server):
                pass
            outcome = within_patience(server.handle_request)
        story = journal.story()
        return outcome, {who: sorted(lines) for who, lines in story.items() if who != "worker"}


@scenario_for(STYLES)
def a_thread_waits_for_each_request(module: Module, style: str) -> object:
    heard = []
    with (
        derived(module, "udp", style)(LOOPBACK, handler_for(module, "udp")) as server,
        client_of(server) as client,
    ):
        for _ in range(2):
            run = running(server.handle_request)
            client.ask()
            heard.append((client.hear(), run.join()))
    return heard


@scenario_for(STYLES)
def a_closed_server_handles_no_request(module: Module, style: str) -> object:
    server = derived(module, "tcp", style)(LOOPBACK, idle)
    server.server_close()
    again = [outcome_of(server.handle_request), outcome_of(server.handle_request)]
    noblock = outcome_of(server._handle_request_noblock)
    return again, noblock, server.fileno(), outcome_of(server.server_close)
