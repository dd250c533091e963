"""What becomes of threads: their names, who keeps them, who waits for them."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import re
import threading
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    LOOPBACK,
    Module,
    derived,
    happens,
    outcome_of,
    quiet,
    running,
    scenario,
    scenario_for,
    serving,
    within_patience,
)
from tests.classic.parity.privates import replaced

YES_NO = ("True", "False")


class Held:
    """A handler that stays until it is let go."""

    def __init__(self) -> None:
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.thread: Any = None
        self.done: list[str] = []

    def __call__(self, request: Any, client_address: Any, server: Any) -> None:
        self.thread = threading.current_thread()
        self.inside.set()
        happens(self.go_on)
        self.done.append("handled")


@scenario_for(YES_NO, YES_NO)
def server_close_and_a_running_thread(module: Module, daemon: str, block: str) -> object:
    held = Held()
    server_class = derived(
        module, "tcp", "threading", daemon_threads=daemon == "True", block_on_close=block == "True"
    )
    server = server_class(LOOPBACK, held)
    with client_of(server):
        server.handle_request()
        happens(held.inside)
        kept = isinstance(vars(server).get("_threads"), list), thread_of(held)
        close = running(server.server_close, then=lambda: held.done.append("closed"))
        waits = not close.ended_within(10 if daemon == "True" or block == "False" else 0.1)
        closed = server.socket.fileno()
        held.go_on.set()
        ended = close.join()
        held.thread.join(10)
    return kept, waits, closed, ended, sorted(held.done), held.done[0] if waits else None


def thread_of(held: Held) -> object:
    thread = held.thread
    name = re.sub(r"\d+", "N", thread.name)
    return name, thread.daemon, type(thread) is threading.Thread, thread in threading.enumerate()


@scenario
def threads_are_kept_from_the_first_request_on(module: Module) -> object:
    held = Held()
    with module.ThreadingTCPServer(LOOPBACK, held) as server:
        seen: list[object] = ["_threads" in vars(server), type(server._threads).__name__]
        with client_of(server), client_of(server):
            server.handle_request()
            server.handle_request()
            seen += ["_threads" in vars(server), type(server._threads).__name__]
            seen += [len(server._threads), [type(one).__name__ for one in server._threads]]
            held.go_on.set()
    return seen, len(server._threads), held.done


@scenario
def threads_that_ended_are_not_kept(module: Module) -> object:
    with module.ThreadingTCPServer(LOOPBACK, module.BaseRequestHandler) as server:
        for _ in range(20):
            with client_of(server) as client:
                server.handle_request()
                client.hear()
            for thread in list(server._threads):
                thread.join(10)
        return len(server._threads)


@scenario
def options_are_read_for_each_request(module: Module) -> object:
    held = Held()
    with module.ThreadingTCPServer(LOOPBACK, held) as server:
        seen: list[object] = []
        for daemon in (False, True, False):
            held.inside.clear()
            server.daemon_threads = daemon
            with client_of(server):
                server.handle_request()
                happens(held.inside)
            seen.append((held.thread.daemon, len(server._threads)))
        held.go_on.set()
    held.thread.join(10)
    return seen


@scenario
def block_on_close_switched_off_for_later_requests(module: Module) -> object:
    held = Held()
    with module.ThreadingTCPServer(LOOPBACK, held) as server, client_of(server):
        server.handle_request()
        server.block_on_close = False
        with client_of(server):
            server.handle_request()
            count = len(server._threads)
        held.go_on.set()
    return count, len(held.done)


@scenario
def base_is_closed_before_threads_are_waited_for(module: Module) -> object:
    held = Held()
    closed = threading.Event()

    class Below(module.TCPServer):
        def server_close(self) -> None:
            super().server_close()
            held.done.append("base closed")
            closed.set()

    class Server(module.ThreadingMixIn, Below):
        pass

    server = Server(LOOPBACK, held)
    with client_of(server):
        server.handle_request()
        happens(held.inside)
        close = running(server.server_close)
        happens(closed)
        held.go_on.set()
        return close.join(), held.done


@scenario
def requests_run_side_by_side(module: Module) -> object:
    both = threading.Barrier(2, timeout=10)

    def handler(request: Any, client_address: Any, server: Any) -> None:
        both.wait()
        request.sendall(b"together")

    with (
        module.ThreadingTCPServer(LOOPBACK, handler) as server,
        serving(server),
        client_of(server) as one,
        client_of(server) as two,
    ):
        return one.hear(), two.hear()


@scenario
def process_request_thread_of_the_instance(module: Module) -> object:
    calls: list[object] = []
    server_class = module.ThreadingTCPServer
    with server_class(LOOPBACK, module.BaseRequestHandler) as server:

        def mine(request: Any, client_address: Any) -> None:
            calls.append(re.sub(r"\d+", "N", threading.current_thread().name))
            server_class.process_request_thread(server, request, client_address)

        server.process_request_thread = mine
        with client_of(server) as client:
            within_patience(server.handle_request)
            return client.hear(), calls


@scenario
def number_of_threads_while_serving(module: Module) -> object:
    counts: list[int] = []
    before = threading.active_count()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        counts.append(threading.active_count() - before)

    for kind in (module.TCPServer, module.ThreadingTCPServer):
        with kind(LOOPBACK, handler) as server, serving(server):
            ask(server)
    return counts


@scenario_for(("threading", "forking"))
def no_worker_can_be_had(module: Module, style: str) -> object:
    errors: list[str] = []

    def handle_error(self: Any, request: Any, client_address: Any) -> None:
        errors.append(outcome_of(raise_again))

    def raise_again() -> None:
        raise  # noqa: PLE0704 - what is being handled

    def refuse(*_: Any) -> None:
        raise RuntimeError("no more threads") if style == "threading" else OSError(11, "no more")

    owner, name = {
        "threading": (threading.Thread, "start"),
        "forking": (module.os, "fork"),
    }[style]
    server_class = derived(module, "tcp", style, handle_error=handle_error)
    with server_class(LOOPBACK, module.BaseRequestHandler) as server, quiet():
        with client_of(server) as client:
            with replaced(owner, name, refuse):
                outcome = outcome_of(server.handle_request)
            heard = client.hear()
        with client_of(server) as client:
            return outcome, heard, errors, within_patience(server.handle_request), client.hear()
