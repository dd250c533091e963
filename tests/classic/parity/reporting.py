"""What is said about errors, where, and in which circumstances."""

import io
import logging
import os
import re
import sys
import traceback
import warnings
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    FAMILIES,
    FORKING,
    LOOPBACK,
    STYLES,
    Module,
    address_for,
    derived,
    idle,
    outcome_of,
    place,
    quiet,
    scenario,
    scenario_for,
    serving,
    within_patience,
    without_numbers,
)


def fails(request: Any, client_address: Any, server: Any) -> None:
    raise ValueError("on purpose")


def report_of(text: str) -> list[str]:
    """Return a report without the lines that say where the code of the module is."""
    lines = [line for line in text.splitlines() if line[:1] != " "]
    return [re.sub(r"/\S+\.sock", "PATH", without_numbers(line)) for line in lines]


@scenario_for(FAMILIES, STYLES[:2])
def report_of_an_error(module: Module, family: str, style: str) -> object:
    with place() as folder, quiet() as printed:
        with (
            derived(module, family, style)(address_for(family, folder), fails) as server,
            client_of(server, folder) as client,
        ):
            client.ask()
            outcome = within_patience(server.handle_request)
        text = printed.getvalue()
    return outcome, report_of(text), "in fails" in text, "in finish_request" in text


@scenario
def report_by_hand(module: Module) -> object:
    server = module.BaseServer("anywhere", fails)
    seen: list[object] = []
    for client_address in (("127.0.0.1", 80), "", b"\0path", None, object):
        with quiet() as printed:
            try:
                fails(None, None, None)
            except ValueError:
                seen.append(outcome_of(lambda: server.handle_error(None, client_address)))  # noqa: B023
        seen.append(report_of(printed.getvalue()))
    with quiet() as printed:
        seen.append(outcome_of(lambda: server.handle_error(None, "nobody")))
    return seen, report_of(printed.getvalue())


@scenario
def report_of_a_chain_of_errors(module: Module) -> object:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        try:
            fails(request, client_address, server)
        except ValueError as error:
            raise RuntimeError("after it") from error

    with (
        module.UDPServer(LOOPBACK, handler) as server,
        quiet() as printed,
        client_of(server) as client,
    ):
        client.ask()
        server.handle_request()
    return report_of(printed.getvalue())


@scenario
def nothing_is_printed_on_standard_output(module: Module) -> object:
    before, sys.stdout = sys.stdout, io.StringIO()
    try:
        with module.UDPServer(LOOPBACK, fails) as server, quiet(), client_of(server) as client:
            client.ask()
            server.handle_request()
        return sys.stdout.getvalue()
    finally:
        sys.stdout = before


class Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(0)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@scenario_for(STYLES[:2])
def nothing_is_logged(module: Module, style: str) -> object:
    records, root = Records(), logging.getLogger()
    level = root.level
    root.addHandler(records)
    root.setLevel(0)
    try:
        with derived(module, "tcp", style)(LOOPBACK, fails) as server, quiet(), serving(server):
            ask(server)
    finally:
        root.removeHandler(records)
        root.setLevel(level)
    return records.messages


@scenario_for(STYLES)
def nobody_is_warned(module: Module, style: str) -> object:
    with warnings.catch_warnings(record=True) as caught, quiet():
        warnings.simplefilter("always")
        server_class = derived(module, "tcp", style)
        with server_class(LOOPBACK, module.BaseRequestHandler) as server, serving(server):
            heard = ask(server)
    # Python itself warns of a fork while threads run, from 3.12 on.
    return heard, [str(it.message) for it in caught if it.category is not DeprecationWarning]


@scenario_for(STYLES)
def an_error_is_being_handled_in_handle_error(module: Module, style: str) -> object:
    def handle_error(self: Any, request: Any, client_address: Any) -> None:
        kind, error, at = sys.exc_info()
        frames = [frame.name for frame in traceback.extract_tb(at)]
        chained = repr(getattr(error, "__context__", "no error"))
        words = (kind, error is sys.exception(), chained, frames[-1])
        request.sendall(repr((words, "ValueError" in traceback.format_exc())).encode())

    server_class = derived(module, "tcp", style, handle_error=handle_error)
    with server_class(LOOPBACK, fails) as server, client_of(server) as client:
        return within_patience(server.handle_request), client.hear()


@scenario_for(STYLES, ("handle_request", "serve_forever", "_handle_request_noblock"))
def handle_error_raises_what_is_being_handled(module: Module, style: str, method: str) -> object:
    hooked: list[str] = []
    requests: list[Any] = []

    def handle_error(self: Any, request: Any, client_address: Any) -> None:
        requests.append(request)
        raise  # noqa: PLE0704 - what is being handled

    def excepthook(args: Any) -> None:
        hooked.append(f"{args.exc_type.__name__}: {args.exc_value}")

    server_class = derived(module, "tcp", style, handle_error=handle_error)
    with server_class(LOOPBACK, fails) as server, quiet(excepthook):
        with client_of(server) as client:
            if method == "serve_forever" and style != "sync":
                with serving(server):
                    outcome, heard = "went on", client.hear_all()
            else:
                outcome, heard = within_patience(getattr(server, method)), None
        server.server_close()
    left = [request.fileno() >= 0 for request in requests]
    for request in requests:
        request.close()
    return outcome, heard, hooked, left


@scenario_for(STYLES[:2])
def no_error_is_being_handled_afterwards(module: Module, style: str) -> object:
    seen: list[object] = []

    def service_actions(self: Any) -> None:
        seen.append(sys.exception())

    def shutdown_request(self: Any, request: Any) -> None:
        seen.append(type(sys.exception()).__name__)
        super(server_class, self).shutdown_request(request)

    members = {"service_actions": service_actions, "shutdown_request": shutdown_request}
    server_class = derived(module, "tcp", style, **members)
    with server_class(LOOPBACK, fails) as server, quiet(), serving(server):
        heard = ask(server)
    return heard, sorted({str(one) for one in seen})


@scenario_for(("verify_request", "process_request", "finish_request"))
def errors_know_nothing_of_others(module: Module, hook: str) -> object:
    seen: list[object] = []

    def raise_it(self: Any, request: Any, client_address: Any) -> None:
        raise KeyboardInterrupt("from a hook")

    with (
        derived(module, "udp", "sync", **{hook: raise_it})(LOOPBACK, idle) as server,
        client_of(server) as client,
    ):
        client.ask()
        try:
            server.handle_request()
        except KeyboardInterrupt as error:
            seen += [str(error), error.__context__, error.__cause__, error.__suppress_context__]
    return seen


@scenario_for(FORKING)
def buffered_output_of_a_child(module: Module, _: str) -> object:
    # What a handler itself flushes comes out once, whatever was in the buffer before.
    reader, writer = os.pipe()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        with os.fdopen(os.dup(writer), "w") as out:
            out.write("from a child")

    with derived(module, "tcp", "forking")(LOOPBACK, handler) as server, client_of(server):
        server.handle_request()
    os.close(writer)
    with os.fdopen(reader) as heard:
        return heard.read()
