"""The order of the hooks for one request, with an error at each place where one can be."""

import os
from collections.abc import Callable
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.journal import Faults, Journal, recording_pair
from tests.classic.parity.kit import (
    FAMILIES,
    STYLES,
    Module,
    address_for,
    outcome_of,
    place,
    quiet,
    running,
    scenario_for,
    within_patience,
)

FAULTS = (
    "no fault",
    "get_request:OSError once",
    "get_request:ValueError",
    "get_request:KeyboardInterrupt",
    "verify_request:False",
    "verify_request:ValueError",
    "verify_request:SystemExit",
    "process_request:ValueError",
    "process_request:OSError",
    "process_request:KeyboardInterrupt",
    "finish_request:ValueError",
    "finish_request:SystemExit",
    "setup:ValueError",
    "setup:SystemExit",
    "handle:ValueError",
    "handle:OSError",
    "handle:SystemExit",
    "handle:KeyboardInterrupt",
    "handle:GeneratorExit",
    "finish:ValueError",
    "handle:ValueError + finish:RuntimeError",
    "handle:ValueError + handle_error:RuntimeError",
    "handle:ValueError + handle_error:SystemExit",
    "handle:ValueError + shutdown_request:RuntimeError",
    "handle:SystemExit + shutdown_request:RuntimeError",
    "shutdown_request:ValueError",
    "shutdown_request:ValueError once",
    "shutdown_request:OSError once",
    "shutdown_request:KeyboardInterrupt",
    "close_request:ValueError",
    "close_request:ValueError once",
    "verify_request:False + shutdown_request:ValueError",
)


def drive_once(server: Any, journal: Journal) -> str:
    return outcome_of(server.handle_request)


def drive_loop(server: Any, journal: Journal) -> str:
    # Asked to end as soon as the request was got: the loop still does all of it.
    loop = running(lambda: server.serve_forever(0.005), then=journal.came.set)
    assert journal.came.wait(10), "no request was got"
    within_patience(server.shutdown)
    return loop.join()


DRIVES: dict[str, Callable[[Any, Journal], str]] = {
    "handle_request": drive_once,
    "serve_forever": drive_loop,
}


def faults_named(text: str) -> Faults:
    return dict(part.split(":") for part in text.split(" + ") if ":" in part)


@scenario_for(FAMILIES, STYLES, DRIVES, FAULTS)
def hooks_in_order(module: Module, family: str, style: str, drive: str, fault: str) -> object:
    with Journal() as journal, place() as folder, quiet(lambda a: hooked(journal, a)):
        server_class, handler = recording_pair(journal, module, family, style, faults_named(fault))
        server = server_class(address_for(family, folder), handler)
        journal.call(server, "server")
        journal.call(server.socket, "listener")
        try:
            with client_of(server, folder) as client:
                client.ask()
                outcome = DRIVES[drive](server, journal)
                journal.settle()
                listener = server.socket.fileno() >= 0
                within_patience(server.server_close)
                requests = [request.fileno() >= 0 for request in journal.requests()]
                for request in journal.requests():
                    request.close()
                heard = client.hear_all()
        finally:
            server.socket.close()
        return outcome, journal.story(), listener, requests, server.socket.fileno(), heard


def hooked(journal: Journal, args: Any) -> None:
    journal.note(f"excepthook {args.exc_type.__name__}")


@scenario_for(STYLES, ("no fault", "handle:ValueError", "verify_request:False"))
def hooks_for_three_clients_in_a_row(module: Module, style: str, fault: str) -> object:
    heard: list[list[bytes]] = []
    with Journal() as journal, place() as folder, quiet():
        server_class, handler = recording_pair(journal, module, "tcp", style, faults_named(fault))
        with server_class(address_for("tcp", folder), handler) as server:
            for _ in range(3):
                with client_of(server) as client:
                    client.ask()
                    server.handle_request()
                    heard.append(client.hear_all())
            journal.call(server, "server")
        story = journal.story()
        # The workers of three clients write at the same time.
        return heard, {who: sorted(lines) for who, lines in story.items()}, os.getpid() > 0
