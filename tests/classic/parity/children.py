"""What becomes of child processes: who knows them, who reaps them, how they end."""

import os
import socket
import threading
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.kit import (
    DATAGRAMS,
    FAMILIES,
    FORKING,
    LOOPBACK,
    STREAMS,
    Module,
    address_for,
    derived,
    handler_base,
    handler_for,
    outcome_of,
    place,
    running,
    scenario_for,
    serving,
    within_patience,
)


def has_ended(pid: int) -> None:
    """Wait until a child has ended, and leave it to be reaped."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def exists(pid: int) -> bool:
    """Whether there is such a child, ended or not."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:
        return False
    return True


@scenario_for(FORKING, FAMILIES)
def children_are_known_until_they_are_collected(module: Module, _: str, family: str) -> object:
    with place() as folder:
        server_class = derived(module, family, "forking")
        with server_class(address_for(family, folder), handler_for(module, family)) as server:
            seen: list[object] = [server.active_children, server.collect_children()]
            with client_of(server, folder) as client:
                client.ask()
                seen.append(within_patience(server.handle_request))
                (pid,) = server.active_children
                seen += [type(server.active_children).__name__, exists(pid), client.hear()]
            has_ended(pid)
            seen += [server.active_children == {pid}, server.collect_children()]
            seen += [server.active_children, exists(pid)]
        return seen


@scenario_for(FORKING, ("True", "False"))
def server_close_and_a_running_child(module: Module, _: str, block: str) -> object:
    reader, writer = socket.socketpair()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        reader.recv(1)

    with reader, writer:
        server_class = derived(module, "tcp", "forking", block_on_close=block == "True")
        server = server_class(LOOPBACK, handler)
        with client_of(server):
            server.handle_request()
            (pid,) = server.active_children
            close = running(server.server_close)
            waits = not close.ended_within(0.1 if block == "True" else 10)
            writer.send(b"!")
            ended = close.join()
        left = server.active_children == {pid}, exists(pid)
        if left[0]:
            has_ended(pid)
            server.collect_children()
        return waits, ended, left, server.active_children, exists(pid)


@scenario_for(FORKING, ("collect_children", "blocking", "service_actions", "handle_timeout"))
def children_are_collected_by(module: Module, _: str, method: str) -> object:
    calls: list[bool] = []

    def collect_children(self: Any, *, blocking: bool = False) -> None:
        calls.append(blocking)
        super(server_class, self).collect_children(blocking=blocking)

    server_class = derived(module, "tcp", "forking", collect_children=collect_children, timeout=0)
    with server_class(LOOPBACK, module.BaseRequestHandler) as server:
        with client_of(server):
            server.handle_request()
        (pid,) = server.active_children
        if method == "blocking":
            outcome = outcome_of(lambda: server.collect_children(blocking=True))
        else:
            has_ended(pid)
            outcome = outcome_of(getattr(server, method))
        collected = server.active_children, exists(pid), list(calls)
        idle = within_patience(server.handle_request)
    return outcome, collected, idle, calls


@scenario_for(FORKING)
def a_child_that_somebody_else_reaped(module: Module, _: str) -> object:
    seen: list[object] = []
    for blocking in (False, True):
        with module.ForkingTCPServer(LOOPBACK, module.BaseRequestHandler) as server:
            with client_of(server):
                server.handle_request()
            (pid,) = server.active_children
            os.waitpid(pid, 0)
            seen.append(outcome_of(lambda: server.collect_children(blocking=blocking)))  # noqa: B023
            seen.append(server.active_children)
    return seen


@scenario_for(FORKING, ("handle_request", "serve_forever"))
def a_child_of_the_program_is_left_alone(module: Module, _: str, method: str) -> object:
    foreign = os.posix_spawn("/bin/true", ["true"], {})
    has_ended(foreign)
    with module.ForkingTCPServer(LOOPBACK, handler_for(module, "tcp")) as server:
        server.timeout = 0
        with client_of(server) as client:
            client.ask()
            if method == "serve_forever":
                with serving(server):
                    heard = client.hear()
            else:
                server.handle_request()
                heard = client.hear()
                server.handle_request()
    return heard, os.waitpid(foreign, 0)[0] == foreign


@scenario_for(FORKING, FAMILIES)
def what_a_child_has(module: Module, _: str, family: str) -> object:
    home = os.getpid()

    def handle(self: Any) -> None:
        server = self.server
        self.rfile.readline()
        self.wfile.write(
            repr(
                (
                    os.getppid() == home,
                    server.socket.fileno() >= 0,
                    server.active_children,
                    threading.active_count(),
                    threading.current_thread() is threading.main_thread(),
                    type(self.request).__name__,
                    family in STREAMS or self.socket is server.socket,
                )
            ).encode()
        )

    handler = type("Handler", (handler_base(module, family),), {"handle": handle})
    with place() as folder:
        server_class = derived(module, family, "forking")
        with (
            server_class(address_for(family, folder), handler) as server,
            client_of(server, folder) as client,
        ):
            client.ask()
            return within_patience(server.handle_request), client.hear()


@scenario_for(FORKING, STREAMS)
def the_parent_only_closes_its_copy(module: Module, _: str, family: str) -> object:
    requests: list[Any] = []

    def verify_request(self: Any, request: Any, client_address: Any) -> bool:
        requests.append(request)
        return True

    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(request.recv(100).upper())

    with place() as folder:
        server_class = derived(module, family, "forking", verify_request=verify_request)
        with (
            server_class(address_for(family, folder), handler) as server,
            client_of(server) as client,
        ):
            outcome = within_patience(server.handle_request)
            closed = requests[0].fileno()
            client.ask()  # the connection is the child's now
            return outcome, closed, client.hear()


@scenario_for(FORKING, DATAGRAMS)
def state_in_a_child_stays_there(module: Module, _: str, family: str) -> object:
    counts: list[int] = []

    def handle(self: Any) -> None:
        counts.append(1)
        self.server.count = len(counts)
        self.wfile.write(b"%d" % len(counts))

    handler = type("Handler", (module.DatagramRequestHandler,), {"handle": handle})
    with place() as folder:
        with (
            derived(module, family, "forking")(address_for(family, folder), handler) as server,
            client_of(server, folder) as client,
            serving(server),
        ):
            heard = []
            for _number in range(3):
                client.ask()
                heard.append(client.hear())
        return heard, counts, hasattr(server, "count")
