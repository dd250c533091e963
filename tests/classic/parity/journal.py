"""Who did what in which order: servers and handlers that write each call of a hook down."""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import attrs

from tests.classic.parity.kit import Module, bases_of, handler_base, happens

HOOKS = (
    "server_bind",
    "server_activate",
    "server_close",
    "get_request",
    "verify_request",
    "process_request",
    "process_request_thread",
    "finish_request",
    "shutdown_request",
    "close_request",
    "handle_error",
    "handle_timeout",
)
Faults = dict[str, str]


@attrs.define(eq=False)
class Journal:
    """Lines written by this process and its children, sorted by who wrote them.

    Within one thread or process the order is certain; between them it is not.
    """

    came: threading.Event = attrs.field(factory=threading.Event)
    _handed_on: bool = attrs.field(default=False, init=False)
    _worked: threading.Event = attrs.field(factory=threading.Event, init=False)
    _pipe: tuple[int, int] = attrs.field(factory=os.pipe, init=False)
    _home: tuple[int, threading.Thread] = attrs.field(init=False)
    _things: list[tuple[object, str]] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._home = os.getpid(), threading.current_thread()
        os.set_blocking(self._pipe[0], False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for end in self._pipe:
            os.close(end)
        for request in self.requests():
            request.close()

    def note(self, line: str) -> None:
        os.write(self._pipe[1], f"{self._writer()}|{line}\n".encode())

    def is_home(self) -> bool:
        """Whether this is not a child."""
        return os.getpid() == self._home[0]

    def _writer(self) -> str:
        _, thread = self._home
        if not self.is_home():
            return "child"
        if threading.current_thread() is thread:
            return "main"
        return {"loop": "loop", "bounded": "main"}.get(threading.current_thread().name, "worker")

    def story(self) -> dict[str, list[str]]:
        """Return the lines by who wrote them; what was returned is not returned again."""
        text = b""
        try:
            while part := os.read(self._pipe[0], 65536):
                text += part
        except BlockingIOError:
            pass
        story: dict[str, list[str]] = {}
        for line in text.decode().splitlines():
            writer, words = line.split("|", 1)
            story.setdefault(writer, []).append(words)
        return story

    def call(self, thing: object, name: str) -> None:
        """Give a thing the name that it has in the lines from now on."""
        self._things.append((thing, name))

    def symbol(self, value: object) -> str:
        """Return a name for a value that is the same for both modules."""
        for thing, name in self._things:
            if thing is value:
                return name
        if isinstance(value, tuple):
            return f"({', '.join(map(self.symbol, value))})"
        if value is None or isinstance(value, bool | bytes | str | int):
            return repr(value)
        return type(value).__name__

    def over(self, hook: str, server: object) -> None:
        """Take note that a hook has ended."""
        if hook == "process_request" and hasattr(server, "process_request_thread"):
            self._handed_on = True
        elif hook == "process_request_thread":
            self._worked.set()

    def settle(self) -> None:
        """Wait for the thread that a request was handed to."""
        if self._handed_on:
            happens(self._worked)

    def requests(self) -> list[socket.socket]:
        """Return the connections that were accepted."""
        return [
            thing
            for thing, name in self._things
            if name == "request" and isinstance(thing, socket.socket)
        ]


def recording_server(
    journal: Journal,
    bases: tuple[type, ...],
    faults: Faults | None = None,
    hooks: Iterable[str] = HOOKS,
) -> Any:
    """Return a server class with a mix-in in front that writes down each call of a hook."""
    mix_in = type("Recording", (), {})
    for name in hooks:
        if any(hasattr(base, name) for base in bases):
            setattr(mix_in, name, _recorded(journal, mix_in, name, (faults or {}).get(name)))
    return type("Server", (mix_in, *bases), {})


def recording_handler(journal: Journal, base: type, faults: Faults | None = None) -> Any:
    """Return a handler class that writes down its life."""
    mix_in = type("Recording", (), {})
    for name in ("setup", "handle", "finish"):
        setattr(mix_in, name, _recorded(journal, mix_in, name, (faults or {}).get(name)))

    def handle(self: Any) -> None:
        self.wfile.write(self.rfile.readline().upper())

    return type("Handler", (mix_in, type("Upper", (base,), {"handle": handle})), {})


def recording_pair(
    journal: Journal, module: Module, family: str, style: str, faults: Faults | None = None
) -> tuple[Any, Any]:
    """Return a server class and a handler class that write in the journal."""
    server_class = recording_server(journal, bases_of(module, family, style), faults)
    return server_class, recording_handler(journal, handler_base(module, family), faults)


def _recorded(
    journal: Journal, mix_in: type, name: str, fault: str | None
) -> Callable[..., object]:
    strike = _striking(fault)

    def method(self: Any, *args: Any, **options: Any) -> object:
        journal.note(f"> {name}({', '.join(map(journal.symbol, args))})")
        if name == "handle_error":
            journal.note(f"  handles {journal.symbol(sys.exception())}")
        if fault and name == "close_request" and journal.is_home():
            _wait_for_children(self)
        try:
            if (struck := strike()) is not None:
                return struck
            answer: object = getattr(super(mix_in, self), name)(*args, **options)
            if name == "get_request":
                _introduce(journal, answer)
        except BaseException as error:
            journal.note(f"! {name} {type(error).__name__}")
            if name == "process_request_thread":
                journal.over(name, self)
            raise
        journal.note(f"< {name} {journal.symbol(answer)}")
        journal.over(name, self)
        return answer

    return method


def _wait_for_children(server: Any) -> None:
    # What follows in the parent ends the connection that the child still answers on.
    for pid in getattr(server, "active_children", None) or ():
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _introduce(journal: Journal, answer: Any) -> None:
    request, client_address = answer
    journal.call(request, "request")
    if client_address:
        journal.call(client_address, "peer")
    journal.came.set()


def _striking(fault: str | None) -> Callable[[], object]:
    """Return what raises the named error, each time or once, or returns False instead."""
    kind, _, times = (fault or "").partition(" ")
    left = [1 if times == "once" else -1]

    def strike() -> object:
        if not kind or not left[0]:
            return None
        left[0] -= 1
        if kind == "False":
            return False
        raise ERRORS[kind](f"{kind} on purpose")

    return strike


ERRORS: dict[str, type[BaseException]] = {
    kind.__name__: kind
    for kind in (OSError, ValueError, RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit)
}
