"""What the scenarios share: their register, servers, places, and threads with an end."""

import contextlib
import functools
import io
import itertools
import operator
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import attrs

# How long a fact may take before a scenario says that it will never come.
PATIENCE = 10.0

# What a scenario is given: `socketserver` or `acceptor.classic`. Its names are looked up when they
# are used, as programs do, so nothing about them is known to a checker.
Module = Any
Scenario = Callable[[Module], object]

SCENARIOS: dict[str, Scenario] = {}

STREAMS = ("tcp", "unix") if hasattr(socket, "AF_UNIX") else ("tcp",)
DATAGRAMS = ("udp", "unixgram") if hasattr(socket, "AF_UNIX") else ("udp",)
FAMILIES = STREAMS + DATAGRAMS
STYLES = ("sync", "threading", "forking") if hasattr(os, "fork") else ("sync", "threading")

LOOPBACK = ("127.0.0.1", 0)

FORKING = STYLES[2:]  # one or none

_SERVERS = {
    "tcp": "TCPServer",
    "udp": "UDPServer",
    "unix": "UnixStreamServer",
    "unixgram": "UnixDatagramServer",
}
_MIX_INS = {"threading": "ThreadingMixIn", "forking": "ForkingMixIn"}


def scenario(play: Scenario) -> Scenario:
    """Register a function that takes a module and returns what was observed."""
    name = play.__name__.replace("_", " ")
    assert name not in SCENARIOS, name
    SCENARIOS[name] = play
    return play


def scenario_for(
    *axes: Iterable[str],
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Register a function once for each combination of the values that it also takes."""

    def register(play: Callable[..., object]) -> Callable[..., object]:
        name = play.__name__.replace("_", " ")
        for values in itertools.product(*axes):
            full = f"{name}: {', '.join(values)}"
            assert full not in SCENARIOS, full
            SCENARIOS[full] = functools.partial(_with, play, values)
        return play

    return register


# What a scenario returns for the module on which it cannot be played to its end.
NOT_RUN = "not run"


def is_standard(module: Module) -> bool:
    """Whether this is the module that waits for ever where ours does not."""
    return bool(module.__name__ == "socketserver")


def _with(play: Callable[..., object], values: tuple[str, ...], module: Module) -> object:
    return play(module, *values)


def bases_of(module: Module, family: str, style: str) -> tuple[type, ...]:
    """Return what a program would derive its server from."""
    mix_ins = (getattr(module, _MIX_INS[style]),) if style in _MIX_INS else ()
    return (*mix_ins, getattr(module, _SERVERS[family]))


def derived(module: Module, family: str, style: str, **members: Any) -> Any:
    """Return a server class with these members."""
    return type("Server", bases_of(module, family, style), members)


@contextlib.contextmanager
def place() -> Generator[Path, None, None]:
    """Make a folder, for sockets, that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        yield Path(folder)


def address_for(family: str, folder: Path) -> Any:
    """Return where a server of this family can be bound."""
    if family in ("tcp", "udp"):
        return LOOPBACK
    return str(folder / f"{len(list(folder.iterdir()))}.sock")


def handler_for(module: Module, family: str) -> Any:
    """Return a handler class that answers a line with the line in capitals."""

    def handle(self: Any) -> None:
        self.wfile.write(self.rfile.readline().upper())

    return type("Upper", (handler_base(module, family),), {"handle": handle})


def idle(request: Any, client_address: Any, server: Any) -> None:
    """Serve as a handler that does nothing."""


def handler_base(module: Module, family: str) -> Any:
    """Return the handler class that goes with the family."""
    return module.StreamRequestHandler if family in STREAMS else module.DatagramRequestHandler


def outcome_of(call: Callable[[], object]) -> str:
    """Say how a call ended."""
    try:
        return f"returned {call()!r}"
    except BaseException as error:
        return f"raised {type(error).__name__}: {error}"


@attrs.define(eq=False)
class Running:
    """A call in a thread of its own, and how it ended."""

    _thread: threading.Thread
    _outcomes: list[str]

    def join(self) -> str:
        """Wait for the end, but not for ever."""
        assert self.ended_within(PATIENCE), "did not end"
        return self._outcomes[0]

    def ended_within(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()


def running(
    call: Callable[[], object], name: str = "loop", then: Callable[[], object] = lambda: None
) -> Running:
    """Start a call in a thread that keeps nobody from leaving."""
    outcomes: list[str] = []

    def run() -> None:
        outcomes.append(outcome_of(call))
        then()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return Running(thread, outcomes)


def within_patience(call: Callable[[], object]) -> str:
    """Call what might wait for ever."""
    return running(call, "bounded").join()


def outcomes_of(thing: object, *methods: str) -> list[str]:
    """Say how calls without arguments ended, of methods that may not be there."""
    calls = map(operator.methodcaller, methods)
    return [outcome_of(functools.partial(call, thing)) for call in calls]


def happens(event: threading.Event) -> None:
    """Wait for a fact that must come."""
    assert event.wait(PATIENCE), "never happened"


@contextlib.contextmanager
def serving(server: Any, poll_interval: float | None = 0.005) -> Generator[Running, None, None]:
    """Serve in a thread for the length of the block; stop and close at its end."""
    loop = running(lambda: server.serve_forever(poll_interval))
    try:
        yield loop
        within_patience(server.shutdown)
        loop.join()
    finally:
        within_patience(server.server_close)


@contextlib.contextmanager
def quiet(
    excepthook: Callable[[Any], object] = lambda _: None,
) -> Generator[io.StringIO, None, None]:
    """Keep what is printed on standard error, and what ends a thread, from being shown."""
    before = threading.excepthook
    threading.excepthook = excepthook
    try:
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            yield printed
    finally:
        threading.excepthook = before


def without_numbers(text: str) -> str:
    """Return a text that is the same in each run."""
    return re.sub(r"\d+", "N", text)
