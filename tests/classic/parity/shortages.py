"""Out of descriptors or memory: one tries on and on, the other rests; nobody is lost."""

import contextlib
import errno
import resource
import socket
import threading
from collections.abc import Generator
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.kit import (
    LOOPBACK,
    PATIENCE,
    Module,
    derived,
    handler_for,
    happens,
    running,
    scenario,
    scenario_for,
    within_patience,
)


@scenario_for(("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"))
def out_of(module: Module, what: str) -> object:
    enough = threading.Event()
    calls: list[str] = []

    def get_request(self: Any) -> Any:
        if enough.is_set():
            return super(server_class, self).get_request()
        calls.append("tries")
        raise OSError(getattr(errno, what), "on purpose")

    def service_actions(self: Any) -> None:
        calls.append("actions")
        # Either it rests, or it tries on and on.
        if calls[-3:] == ["actions", "actions", "actions"] or len(calls) > 200:
            enough.set()

    server_class = derived(
        module, "tcp", "sync", get_request=get_request, service_actions=service_actions
    )
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server, client_of(server) as client:
        client.ask()
        loop = running(lambda: server.serve_forever(0.001))
        happens(enough)
        tried = calls.count("tries") > 50
        seen = client.hear(), within_patience(server.shutdown), loop.join()
        return "tries on and on" if tried else "rests", seen


@scenario
def out_of_descriptors_and_then_not(module: Module) -> object:
    tried, turns = threading.Event(), threading.Event()

    def get_request(self: Any) -> Any:
        try:
            return super(server_class, self).get_request()
        except OSError:
            tried.set()
            raise

    members = {"get_request": get_request, "service_actions": lambda self: turns.set()}
    server_class = derived(module, "tcp", "sync", **members)
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server, socket.socket() as plug:
        plug.settimeout(PATIENCE)
        loop = running(lambda: server.serve_forever(0.005))
        happens(turns)
        with out_of_descriptors():
            plug.connect(server.server_address)
            happens(tried)
        plug.sendall(b"ping\n")
        return plug.recv(100), within_patience(server.shutdown), loop.join()


@contextlib.contextmanager
def out_of_descriptors() -> Generator[None, None, None]:
    """Let no more be opened for the length of the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest:
        least = lowest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
