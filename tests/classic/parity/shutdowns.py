"""`shutdown`, and the flag that it sets."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import threading

from tests.classic.parity.clients import ask, client_of
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
    serving,
    within_patience,
)
from tests.classic.parity.loops import flags


@scenario
def flag_set_from_a_handler_ends_the_loop_after_the_request(module: Module) -> object:
    done: list[str] = []

    class Last(module.StreamRequestHandler):
        def handle(self) -> None:
            self.server._BaseServer__shutdown_request = True
            self.wfile.write(b"bye")
            done.append("request")

    server_class = derived(
        module, "tcp", "sync", service_actions=lambda self: done.append("actions")
    )
    with server_class(LOOPBACK, Last) as server, client_of(server) as client:
        with client_of(server):
            outcome = within_patience(lambda: server.serve_forever(60))
        return outcome, done, client.hear(), flags(server)


@scenario
def flag_set_while_waiting_leaves_the_request_waiting(module: Module) -> object:
    with (
        module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server,
        client_of(server) as client,
    ):
        client.ask()
        server.service_actions = lambda: None
        server._BaseServer__shutdown_request = True
        first = within_patience(lambda: server.serve_forever(60))
        second = within_patience(server.handle_request)
        return first, second, client.hear(), flags(server)


@scenario
def flag_of_the_class_does_not_count_after_the_constructor(module: Module) -> object:
    server_class = derived(module, "tcp", "sync", _BaseServer__shutdown_request=True)
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server, serving(server):
        return ask(server)


@scenario
def shutdown_after_a_loop_ends_the_next_loop_at_once(module: Module) -> object:
    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        loop = running(lambda: server.serve_forever(0.005))
        seen: list[object] = [
            ask(server),
            within_patience(server.shutdown),
            loop.join(),
            flags(server),
        ]
        seen += [within_patience(server.shutdown), within_patience(server.shutdown), flags(server)]
        with client_of(server) as client:
            client.ask()
            seen += [within_patience(lambda: server.serve_forever(60)), flags(server)]
            loop = running(lambda: server.serve_forever(0.005))
            seen += [client.hear(), within_patience(server.shutdown), loop.join(), flags(server)]
        return seen


@scenario_for(STYLES)
def shutdown_right_after_the_thread_was_started(module: Module, style: str) -> object:
    seen = set()
    for _ in range(20):
        with derived(module, "tcp", style)(LOOPBACK, idle) as server:
            loop = running(lambda: server.serve_forever(0.01))
            seen.add((within_patience(server.shutdown), loop.join(), flags(server)))
    return seen


@scenario
def shutdown_from_several_threads(module: Module) -> object:
    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        loop = running(lambda: server.serve_forever(0.005))
        first = ask(server)
        ends = [running(server.shutdown) for _ in range(4)]
        return first, [end.join() for end in ends], loop.join()


@scenario
def shutdown_from_a_worker_thread(module: Module) -> object:
    class Last(module.StreamRequestHandler):
        def handle(self) -> None:
            self.server.shutdown()
            self.wfile.write(b"ended")

    with module.ThreadingTCPServer(LOOPBACK, Last) as server:
        loop = running(lambda: server.serve_forever(0.005))
        return ask(server, question=b""), loop.join(), flags(server)


@scenario
def shutdown_waits_for_the_handler_of_a_synchronous_server(module: Module) -> object:
    done: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    class Slow(module.StreamRequestHandler):
        def handle(self) -> None:
            inside.set()
            happens(go_on)
            done.append("handled")

    with module.TCPServer(LOOPBACK, Slow) as server, client_of(server):
        loop = running(lambda: server.serve_forever(0.005))
        happens(inside)
        end = running(server.shutdown, then=lambda: done.append("shut down"))
        too_early = end.ended_within(0.05)
        go_on.set()
        return too_early, end.join(), loop.join(), done
