"""`DatagramRequestHandler`, and what a datagram server gives to its handlers."""

import io
from typing import Any

import attrs

from tests.classic.parity.clients import client_of
from tests.classic.parity.kit import (
    DATAGRAMS,
    STYLES,
    Module,
    address_for,
    derived,
    outcome_of,
    place,
    quiet,
    scenario,
    scenario_for,
    within_patience,
)


@attrs.define(eq=False)
class StandIn:
    """All that a datagram handler needs of a socket."""

    sent: list[object] = attrs.field(factory=list)

    def sendto(self, *args: Any) -> None:
        self.sent.append(args)


def handler_that(module: Module, handle: Any, **members: Any) -> Any:
    return type("Handler", (module.DatagramRequestHandler,), {"handle": handle, **members})


@scenario_for(DATAGRAMS, STYLES, ("nothing", "once", "twice", "an error", "then an error"))
def answers(module: Module, family: str, style: str, what: str) -> object:
    def handle(self: Any) -> None:
        if what in ("once", "twice", "then an error"):
            self.wfile.write(b"one ")
        if what == "twice":
            self.wfile.write(b"two")
        if "error" in what:
            raise ValueError(what)

    with place() as folder, quiet():
        server_class = derived(module, family, style)
        handler = handler_that(module, handle)
        with (
            server_class(address_for(family, folder), handler) as server,
            client_of(server, folder) as client,
        ):
            client.ask()
            return within_patience(server.handle_request), client.hear(), client.hear_all()


@scenario_for(DATAGRAMS, ("setup", "finish"))
def no_answer_when_it_fails_in(module: Module, family: str, where: str) -> object:
    def fails(self: Any) -> None:
        raise ValueError(where)

    with place() as folder, quiet():
        handler = handler_that(module, lambda self: None, **{where: fails})
        server_class = derived(module, family, "sync")
        with (
            server_class(address_for(family, folder), handler) as server,
            client_of(server, folder) as client,
        ):
            client.ask()
            return within_patience(server.handle_request), client.hear_all()


@scenario_for(DATAGRAMS, STYLES[:2])
def what_a_handler_is_given(module: Module, family: str, style: str) -> object:
    seen: list[object] = []

    def handle(self: Any) -> None:
        request, server = self.request, self.server
        seen.append((type(request).__name__, len(request), request[0], type(request[0]).__name__))
        seen.append((request[1] is server.socket, self.socket is server.socket))
        seen.append((self.packet is request[0], type(self.client_address).__name__))
        seen.append((type(self.rfile) is io.BytesIO, type(self.wfile) is io.BytesIO))
        seen.append((self.rfile.read(), hasattr(self, "connection"), sorted(vars(self))))
        self.wfile.write(b"seen")

    with place() as folder:
        server_class = derived(module, family, style)
        with (
            server_class(address_for(family, folder), handler_that(module, handle)) as server,
            client_of(server, folder) as client,
        ):
            client.ask()
            return within_patience(server.handle_request), client.hear(), seen


@scenario_for(DATAGRAMS, ("None", "0", "1", "4", "8192"), ("class", "instance"))
def size_of_a_datagram(module: Module, family: str, size: str, where: str) -> object:
    def handle(self: Any) -> None:
        self.wfile.write(b"<" + self.rfile.read() + b">")

    with place() as folder:
        members = {"max_packet_size": eval(size)} if size != "None" else {}
        server_class = derived(module, family, "sync", **(members if where == "class" else {}))
        with server_class(address_for(family, folder), handler_that(module, handle)) as server:
            if where == "instance":
                vars(server).update(members)
            heard = []
            with client_of(server, folder) as client:
                for question in (b"", b"ping\n", b"x" * 9000):
                    client.ask(question)
                    server.handle_request()
                    heard.append(client.hear())
            return [answer if len(answer) < 20 else len(answer) for answer in heard]


@scenario
def handlers_on_stand_ins(module: Module) -> object:
    stand_in = StandIn()
    seen: list[object] = []
    made = module.DatagramRequestHandler((b"packet", stand_in), "you", None)
    seen += [made.packet, made.socket is stand_in, made.rfile.read(), made.wfile.getvalue()]
    made.wfile.write(b"more")
    seen += [outcome_of(made.finish), outcome_of(made.finish)]
    for request in (b"", None, (b"x",), (b"x", stand_in, 1), ("text", stand_in)):
        seen.append(outcome_of(lambda: module.DatagramRequestHandler(request, "you", None)))  # noqa: B023
    made.wfile.close()
    seen.append(outcome_of(made.finish))
    return seen, stand_in.sent


@scenario_for(DATAGRAMS)
def the_socket_is_answered_on_even_when_it_was_replaced(module: Module, family: str) -> object:
    stand_in = StandIn()

    def finish_request(self: Any, request: Any, client_address: Any) -> None:
        self.RequestHandlerClass((request[0], stand_in), "you", self)

    def handle(self: Any) -> None:
        self.wfile.write(self.packet)

    with place() as folder:
        server_class = derived(module, family, "sync", finish_request=finish_request)
        with (
            server_class(address_for(family, folder), handler_that(module, handle)) as server,
            client_of(server, folder) as client,
        ):
            client.ask()
            return within_patience(server.handle_request), client.hear_all(), stand_in.sent
