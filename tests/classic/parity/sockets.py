"""The listening socket is the program's: replaced, closed, or not there at all."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import builtins
import os
import socket
from functools import partial
from typing import Any

import attrs

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    FAMILIES,
    LOOPBACK,
    NOT_RUN,
    STREAMS,
    STYLES,
    Module,
    address_for,
    derived,
    handler_for,
    is_standard,
    outcome_of,
    place,
    running,
    scenario,
    scenario_for,
    serving,
    within_patience,
)
from tests.classic.parity.privates import POLLING


def listening() -> socket.socket:
    return socket.create_server(LOOPBACK)


@attrs.define(eq=False)
class Wrapped:
    """Just what a server needs of a socket, and no more; notes what it was asked for."""

    _socket: socket.socket
    calls: list[str] = attrs.field(factory=list)

    def fileno(self) -> int:
        return self._socket.fileno()

    def gettimeout(self) -> float | None:
        return None

    def accept(self) -> tuple[Any, Any]:
        self.calls.append("accept")
        connection, _ = self._socket.accept()
        return connection, "a friend"

    def close(self) -> None:
        self.calls.append("close")
        self._socket.close()


@scenario_for(STYLES, POLLING)
def replaced_by_something_that_accepts(module: Module, style: str, method: str) -> object:
    addresses: list[object] = []

    def verify_request(self: Any, request: Any, client_address: Any) -> bool:
        addresses.append(client_address)
        return True

    server_class = derived(module, "tcp", style, verify_request=verify_request)
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server:
        server.socket = wrapped = Wrapped(server.socket)
        with client_of(server) as client:
            client.ask()
            run = running(partial(getattr(server, method), *POLLING[method]))
            heard = client.hear()
            if method == "serve_forever":
                within_patience(server.shutdown)
            outcome = run.join()
    return heard, outcome, addresses, wrapped.calls, wrapped.fileno()


@scenario_for(STYLES)
def replaced_before_it_is_bound(module: Module, style: str) -> object:
    server = derived(module, "tcp", style)(LOOPBACK, handler_for(module, "tcp"), False)
    with server:
        server.socket.close()
        server.socket = listening()
        server.server_address = server.socket.getsockname()
        with serving(server):
            return ask(server)


@scenario
def bound_and_activated_by_hand_with_another_family(module: Module) -> object:
    server = module.TCPServer(("::1", 0), handler_for(module, "tcp"), bind_and_activate=False)
    server.socket.close()
    server.address_family = socket.AF_INET6
    server.socket = socket.socket(socket.AF_INET6)
    with server:
        server.server_bind()
        server.server_activate()
        with serving(server):
            return ask(server), len(server.server_address)


@scenario
def replaced_between_two_requests(module: Module) -> object:
    with module.TCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        heard = []
        for _ in range(2):
            run = running(server.handle_request)
            heard.append((ask(server), run.join()))
            server.socket.close()
            server.socket = listening()
            server.server_address = server.socket.getsockname()
        return heard


@scenario_for(("the same number", "another number"))
def replaced_while_serving(module: Module, number: str) -> object:
    if number == "another number" and is_standard(module):
        return NOT_RUN  # it waits at a number that may soon be anything's

    class Move(module.StreamRequestHandler):
        def handle(self) -> None:
            if self.rfile.readline() == b"move\n":
                move_port(self.server, number == "the same number")
            self.wfile.write(b"here")

    with module.TCPServer(LOOPBACK, Move) as server, serving(server):
        return ask(server, question=b"move\n"), ask(server), ask(server)


def move_port(server: Any, same_number: bool) -> None:
    new, old = listening(), server.socket.detach()
    if same_number:
        os.dup2(new.fileno(), old)
        server.socket = socket.socket(fileno=old)
        new.close()
    else:
        os.close(old)
        server.socket = new
    server.server_address = server.socket.getsockname()


@scenario_for(FAMILIES, STYLES)
def socket_while_serving(module: Module, family: str, style: str) -> object:
    seen: list[object] = []

    def verify_request(self: Any, request: Any, client_address: Any) -> bool:
        listener = self.socket
        seen.append((listener.gettimeout(), os.get_blocking(listener.fileno())))
        seen.append((listener.get_inheritable(), self.fileno() == listener.fileno()))
        return True

    with place() as folder:
        server_class = derived(module, family, style, verify_request=verify_request)
        with (
            server_class(address_for(family, folder), handler_for(module, family)) as server,
            serving(server),
        ):
            heard = ask(server, folder)
    return heard, seen


@scenario_for(STREAMS, ("None", "5.0"), ("None", "7.0"))
def state_of_the_request(module: Module, family: str, on_socket: str, default: str) -> object:
    seen: list[object] = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        seen.append((type(request) is socket.socket, request.family, request.type))
        seen.append((request.gettimeout(), os.get_blocking(request.fileno())))
        seen.append((request.get_inheritable(), request.getsockname() == server.server_address))
        seen.append((type(client_address).__name__, client_address == request.getpeername()))

    with place() as folder:
        server_class = derived(module, family, "sync")
        with server_class(address_for(family, folder), handler) as server:
            server.socket.settimeout(eval(on_socket))
            with client_of(server):
                socket.setdefaulttimeout(eval(default))
                try:
                    seen.append(outcome_of(server.handle_request))
                finally:
                    socket.setdefaulttimeout(None)
    return seen


@attrs.define(eq=False)
class Request:
    """Just what a server needs of a request to end it."""

    error: BaseException | None = None
    calls: list[object] = attrs.field(factory=list)

    def shutdown(self, how: int) -> None:
        self.calls.append(("shutdown", how))
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.calls.append("close")


@scenario_for(FAMILIES, STYLES, ("well", "OSError", "NotADirectoryError", "ValueError"))
def requests_ended_by_hand(module: Module, family: str, style: str, error: str) -> object:
    kind = None if error == "well" else getattr(builtins, error)
    server = object.__new__(derived(module, family, style))
    seen: list[object] = []
    for method in ("shutdown_request", "close_request"):
        request = Request(kind and kind("on purpose"))
        seen.append(outcome_of(partial(getattr(server, method), request)))
        seen.append(request.calls)
        seen.append(outcome_of(partial(getattr(server, method), None)))
    return seen
