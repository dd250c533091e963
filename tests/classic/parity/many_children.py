"""Children side by side, and more of them than there may be."""

import os
import socket
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.kit import (
    FORKING,
    LOOPBACK,
    STREAMS,
    Module,
    address_for,
    derived,
    handler_for,
    outcome_of,
    place,
    scenario_for,
    serving,
    within_patience,
)


@scenario_for(FORKING, STREAMS)
def more_clients_than_children(module: Module, _: str, family: str) -> object:
    with place() as folder:
        server_class = derived(module, family, "forking", max_children=2)
        with (
            server_class(address_for(family, folder), handler_for(module, family)) as server,
            serving(server),
            client_of(server) as one,
            client_of(server) as two,
            client_of(server) as three,
        ):
            for client in (one, two, three):
                client.ask()
            heard = [client.hear() for client in (one, two, three)]
        return heard, server.active_children


@scenario_for(FORKING, ("handle_request", "_handle_request_noblock"))
def single_requests_at_the_maximum(module: Module, _: str, method: str) -> object:
    reader, writer = socket.socketpair()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        reader.recv(1)
        request.sendall(b"here")

    server_class = derived(module, "tcp", "forking", max_children=1, timeout=0)
    with (
        reader,
        writer,
        server_class(LOOPBACK, handler) as server,
        client_of(server) as one,
        client_of(server) as two,
    ):
        ends = [within_patience(getattr(server, method)) for _ in range(2)]
        count = len(server.active_children)
        writer.send(b"!!")
        return ends, count, one.hear(), two.hear() if count == 2 else "left waiting"


@scenario_for(FORKING)
def a_child_that_closes_the_server(module: Module, _: str) -> object:
    reader, writer = socket.socketpair()

    def handle(self: Any) -> None:
        line = self.rfile.readline()
        if line == b"wait\n":
            reader.recv(1)
        if line == b"close\n":
            line = outcome_of(self.server.server_close).encode()
        self.wfile.write(line)

    handler = type("Handler", (module.StreamRequestHandler,), {"handle": handle})
    with reader, writer, module.ForkingTCPServer(LOOPBACK, handler) as server:
        with (
            client_of(server) as one,
            client_of(server) as two,
            client_of(server) as three,
            serving(server),
        ):
            one.ask(b"wait\n")
            two.ask(b"close\n")
            heard = [two.hear()]
            three.ask(b"more\n")
            heard.append(three.hear())
            writer.send(b"!")
            heard.append(one.hear())
        return heard, server.active_children


@scenario_for(FORKING)
def a_child_that_shuts_its_copy_down(module: Module, _: str) -> object:
    home = os.getpid()

    def handle(self: Any) -> None:
        line = self.rfile.readline()
        if line == b"stop\n":
            self.server._BaseServer__shutdown_request = True
        self.wfile.write(b"%s %r" % (line.strip(), os.getpid() == home))

    handler = type("Handler", (module.StreamRequestHandler,), {"handle": handle})
    with module.ForkingTCPServer(LOOPBACK, handler) as server, serving(server):
        heard = []
        for question in (b"stop\n", b"more\n"):
            with client_of(server) as client:
                client.ask(question)
                heard.append(client.hear())
        return heard
