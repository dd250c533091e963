"""What is said, written or waited for besides, where the two differ."""

import io
import os
import sys
import threading
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.kit import (
    FORKING,
    LOOPBACK,
    Module,
    derived,
    happens,
    outcome_of,
    quiet,
    running,
    scenario,
    scenario_for,
    within_patience,
)
from tests.classic.parity.privates import replaced


@scenario
def a_loop_whose_server_was_closed(module: Module) -> object:
    calls: list[str] = []
    enough = threading.Event()

    def get_request(self: Any) -> Any:
        calls.append("tries")
        return super(server_class, self).get_request()

    def service_actions(self: Any) -> None:
        self.server_close()
        calls.append("actions")
        if calls[-3:] == ["actions", "actions", "actions"] or len(calls) > 200:
            enough.set()

    server_class = derived(
        module, "tcp", "sync", get_request=get_request, service_actions=service_actions
    )
    with server_class(LOOPBACK, module.BaseRequestHandler) as server, client_of(server):
        loop = running(lambda: server.serve_forever(0.001))
        happens(enough)
        waits = calls.count("tries") < 50
        return "waits" if waits else "spins", within_patience(server.shutdown), loop.join()


class Counting(io.StringIO):
    """Counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


@scenario
def pieces_of_a_report(module: Module) -> object:
    server = module.BaseServer("anywhere", object)
    printed = Counting()
    with replaced(sys, "stderr", printed):
        try:
            raise ValueError("on purpose")
        except ValueError:
            server.handle_error(None, "somebody")
    return "one" if printed.writes == 1 else "many"


@scenario
def closing_after_a_thread_that_could_not_be_started(module: Module) -> object:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("no more threads")

    server = module.ThreadingTCPServer(LOOPBACK, module.BaseRequestHandler)
    with client_of(server), quiet(), replaced(threading.Thread, "start", refuse):
        outcome = outcome_of(server.handle_request)
    return outcome, outcome_of(server.server_close)


@scenario_for(FORKING)
def what_is_printed_before_a_fork_and_in_a_child(module: Module, _: str) -> object:
    reader, writer = os.pipe()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        sys.stdout.write("in the child, ")

    with (
        module.ForkingTCPServer(LOOPBACK, handler) as server,
        client_of(server),
        os.fdopen(writer, "w") as out,
        replaced(sys, "stdout", out),
    ):
        out.write("before, ")
        outcome = outcome_of(server.handle_request)
        server.collect_children(blocking=True)
        out.write("after")
    with os.fdopen(reader) as heard:
        return outcome, heard.read()
