"""Requests that come from something else than a listening socket."""

import socket
import threading
from typing import Any

from tests.classic.parity.clients import Client, client_of
from tests.classic.parity.kit import (
    LOOPBACK,
    STYLES,
    Module,
    bases_of,
    derived,
    handler_for,
    happens,
    idle,
    outcome_of,
    scenario,
    scenario_for,
    serving,
    within_patience,
)
from tests.classic.parity.sockets import listening


@scenario_for(STYLES)
def descriptor_of_another_source(module: Module, style: str) -> object:
    reader, writer = socket.socketpair()

    def get_request(self: Any) -> tuple[Any, str]:
        reader.recv(1)
        return self.socket.accept()[0], "told"

    server_class = derived(
        module, "tcp", style, fileno=lambda self: reader.fileno(), get_request=get_request
    )
    with reader, writer, server_class(LOOPBACK, handler_for(module, "tcp")) as server:
        server.timeout = 0
        with client_of(server) as client:
            client.ask()
            before = within_patience(server.handle_request)
            writer.send(b"!")
            after = within_patience(server.handle_request)
            return before, after, client.hear()


@scenario_for(("-1", "'x'", "None", "10**6", "1.5"), ("handle_request", "serve_forever"))
def descriptor_that_is_none(module: Module, fileno: str, method: str) -> object:
    server_class = derived(module, "tcp", "sync", fileno=lambda self: eval(fileno), timeout=0.0)
    with server_class(LOOPBACK, idle) as server:
        if fileno in ("10**6", "1.5"):
            return outcome_of(server.fileno)
        outcome = within_patience(getattr(server, method))
        return outcome.partition("<")[0], server._BaseServer__is_shut_down.is_set()


def pipe_server(module: Module, style: str, **members: Any) -> Any:
    """Return a server whose requests are lines in a pipe."""

    def constructor(self: Any, source: Any, handler: Any) -> None:
        self.source = source
        module.BaseServer.__init__(self, "a pipe", handler)

    members = {
        "__init__": constructor,
        "fileno": lambda self: self.source.fileno(),
        "get_request": lambda self: (self.source.recv(5), None),
        **members,
    }
    bases = (*bases_of(module, "tcp", style)[:-1], module.BaseServer)
    return type("PipeServer", bases, members)


@scenario_for(STYLES)
def requests_from_a_pipe(module: Module, style: str) -> object:
    reader, writer = socket.socketpair()
    answers, answer_to = socket.socketpair()
    writer.settimeout(10)
    answers.settimeout(10)
    with reader, writer, answers, answer_to:
        server = pipe_server(module, style)(
            reader, lambda request, address, server: answer_to.send(request)
        )
        with serving(server):
            writer.send(b"line1")
            heard = [answers.recv(5)]
            writer.send(b"line2")
            heard.append(answers.recv(5))
        calls = server.handle_request, server._handle_request_noblock
        writer.send(b"line3")
        ends = [outcome_of(call) for call in calls]
        within_patience(server.server_close)
        return heard, ends, answers.recv(5), reader.fileno() >= 0


@scenario
def a_client_that_connects_instead_of_accepting(module: Module) -> object:
    # As IDLE does it: a server with one request, which is its own, connected socket.
    met = threading.Event()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(request.recv(100).upper())
        met.set()

    server_class = derived(
        module,
        "tcp",
        "sync",
        server_bind=lambda self: None,
        server_activate=lambda self: self.socket.connect(self.server_address),
        get_request=lambda self: (self.socket, self.server_address),
    )
    with listening() as port:
        server = server_class(port.getsockname(), handler)
        peer, _ = port.accept()
        with peer:
            peer.settimeout(10)
            peer.sendall(b"ping\n")
            outcome = within_patience(server.handle_request)
            happens(met)
            client = Client(peer, True, None)
            return outcome, client.hear(), server.socket.fileno(), outcome_of(server.server_close)
