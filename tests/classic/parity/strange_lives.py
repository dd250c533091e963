"""Servers that were never constructed, or only in part; names of the program's own; other lives."""

import socket
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    FAMILIES,
    LOOPBACK,
    STYLES,
    Module,
    address_for,
    derived,
    handler_for,
    idle,
    outcome_of,
    outcomes_of,
    place,
    quiet,
    scenario,
    scenario_for,
    serving,
    within_patience,
)


def unborn(module: Module, family: str, style: str, **attributes: Any) -> Any:
    """Return a server whose constructor never ran."""
    server_class = derived(module, family, style)
    server = object.__new__(server_class)
    vars(server).update(attributes)
    return server


def settled(server: Any) -> None:
    if hasattr(server, "collect_children"):
        server.collect_children(blocking=True)
    if hasattr(server, "_threads"):
        server._threads.join()


@scenario_for(STYLES)
def single_methods_without_a_constructor(module: Module, style: str) -> object:
    server = unborn(module, "tcp", style, RequestHandlerClass=handler_for(module, "tcp"))
    ours, theirs = socket.socketpair()
    with ours, theirs, quiet():
        calls = (
            lambda: server.verify_request(ours, "me"),
            server.service_actions,
            server.handle_timeout,
            lambda: server.handle_error(ours, "me"),
            lambda: server.finish_request(ours, "me"),
            lambda: server.process_request(ours, "me"),
            lambda: server.close_request(ours),
            lambda: server.shutdown_request(ours),
            lambda: server.__enter__() is server,
        )
        without = ("fileno", "get_request", "server_close", "_handle_request_noblock")
        theirs.sendall(b"one\ntwo\n")
        theirs.shutdown(socket.SHUT_WR)
        outcomes = [outcome_of(call) for call in calls] + outcomes_of(server, *without)
        settled(server)
        return outcomes, ours.fileno()


@scenario_for(FAMILIES, STYLES)
def bound_by_hand_without_a_constructor(module: Module, family: str, style: str) -> object:
    with place() as folder:
        server = unborn(module, family, style, server_address=address_for(family, folder))
        server.socket = socket.socket(server.address_family, server.socket_type)
        server.RequestHandlerClass = handler_for(module, family)
        seen = [outcome_of(server.server_bind), outcome_of(server.server_activate)]
        with server, client_of(server, folder) as client:
            seen.append(server.fileno() == server.socket.fileno())
            client.ask()
            seen += [within_patience(server.handle_request), repr(client.hear())]
        return seen, server.socket.fileno()


@scenario_for(FAMILIES, STYLES)
def one_base_constructed_late(module: Module, family: str, style: str) -> object:
    with place() as folder:
        server = unborn(module, family, style, timeout=7, request_queue_size=1)
        server.socket = socket.socket(server.address_family, server.socket_type)
        server.socket.bind(address_for(family, folder))
        server.server_activate()
        module.BaseServer.__init__(server, server.socket.getsockname(), handler_for(module, family))
        with server, serving(server):
            heard = ask(server, folder)
        return heard, server.timeout, sorted(name for name in vars(server) if name[0] != "_")


@scenario_for(STYLES)
def constructed_twice(module: Module, style: str) -> object:
    server = derived(module, "tcp", style)(LOOPBACK, handler_for(module, "tcp"))
    with serving(server):
        heard = [ask(server)]
    server.__init__(LOOPBACK, handler_for(module, "tcp"))
    with serving(server):
        heard.append(ask(server))
    return heard


@scenario
def unbound_methods(module: Module) -> object:
    base, tcp, udp = module.BaseServer, module.TCPServer, module.UDPServer
    ours, theirs = socket.socketpair()
    with tcp(LOOPBACK, idle, False) as server, ours, theirs, quiet():
        return [
            outcome_of(lambda: base.verify_request(server, ours, "me")),
            outcome_of(lambda: base.shutdown_request(server, ours)),
            outcome_of(lambda: udp.close_request(server, ours)),
            outcome_of(lambda: udp.server_activate(server)),
            outcome_of(lambda: base.server_close(server)),
            (ours.fileno(), server.fileno()),
            outcome_of(lambda: tcp.server_bind(server)),
            outcome_of(lambda: base.handle_error(server, ours, "me")),
            outcome_of(lambda: module.ThreadingMixIn.server_close(server)).split(":")[0],
            outcome_of(lambda: tcp.close_request(object(), ours)),
            outcome_of(lambda: tcp.shutdown_request(server, ours)),
        ]
