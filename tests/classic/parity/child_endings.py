"""How a child process ends, and what its parent learns of it."""

import os
import signal
from collections.abc import Callable
from typing import Any

from tests.classic.parity.clients import client_of
from tests.classic.parity.kit import (
    FORKING,
    LOOPBACK,
    Module,
    derived,
    quiet,
    scenario_for,
    within_patience,
)

ENDINGS: dict[str, Callable[[], object]] = {
    "a return": lambda: None,
    "an error": lambda: int("x"),
    "SystemExit()": lambda: raised(SystemExit()),
    "SystemExit(3)": lambda: raised(SystemExit(3)),
    "KeyboardInterrupt": lambda: raised(KeyboardInterrupt()),
    "os._exit(7)": lambda: os._exit(7),
    "a signal": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


def raised(error: BaseException) -> None:
    raise error


def collecting_nothing(module: Module, **members: Any) -> Any:
    """Return a server class whose children are left to the scenario."""

    def collect_children(self: Any, *, blocking: bool = False) -> None:
        pass

    return derived(module, "tcp", "forking", collect_children=collect_children, **members)


@scenario_for(FORKING, ENDINGS, ("handle_error as it is", "handle_error fails"))
def status_of_a_child_after(module: Module, _: str, ending: str, reporting: str) -> object:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        ENDINGS[ending]()

    members = {"handle_error": fails} if "fails" in reporting else {}
    with (
        collecting_nothing(module, **members)(LOOPBACK, handler) as server,
        quiet(),
        client_of(server) as client,
    ):
        outcome = within_patience(server.handle_request)
        (pid,) = server.active_children
        status = os.waitpid(pid, 0)[1]
        module.ForkingMixIn.collect_children(server)
        return outcome, os.waitstatus_to_exitcode(status), client.hear_all()


def fails(self: Any, request: Any, client_address: Any = None) -> None:
    raise RuntimeError("on purpose")


@scenario_for(FORKING, ("finish_request", "shutdown_request", "close_request"))
def status_of_a_child_when_a_hook_fails(module: Module, _: str, hook: str) -> object:
    def fails_in_child(self: Any, *args: Any) -> None:
        if os.getpid() != home:
            raise RuntimeError("on purpose")
        getattr(super(server_class, self), hook)(*args)

    home = os.getpid()
    server_class = collecting_nothing(module, **{hook: fails_in_child})
    with server_class(LOOPBACK, module.BaseRequestHandler) as server, quiet(), client_of(server):
        outcome = within_patience(server.handle_request)
        (pid,) = server.active_children
        status = os.waitpid(pid, 0)[1]
        module.ForkingMixIn.collect_children(server)
        return outcome, os.waitstatus_to_exitcode(status)
