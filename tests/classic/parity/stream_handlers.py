"""`BaseRequestHandler` and `StreamRequestHandler`, on sockets and on stand-ins."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import array
import io
import socket
from typing import Any

import attrs

from tests.classic.parity.clients import ask
from tests.classic.parity.kit import (
    LOOPBACK,
    Module,
    derived,
    outcome_of,
    scenario,
    scenario_for,
    serving,
)
from tests.classic.parity.privates import replaced


@attrs.define(eq=False)
class StandIn:
    """All that a stream handler needs of a request; writes down what it is asked for."""

    calls: list[object] = attrs.field(factory=list)
    reading: Any = attrs.field(factory=lambda: io.BytesIO(b"line\n"))
    writing: Any = attrs.field(factory=io.BytesIO)

    def makefile(self, *args: Any, **options: Any) -> Any:
        self.calls.append(("makefile", args, options))
        return self.reading if "r" in args[0] else self.writing

    def sendall(self, data: Any) -> None:
        self.calls.append(("sendall", bytes(data)))

    def settimeout(self, seconds: Any) -> None:
        self.calls.append(("settimeout", seconds))

    def setsockopt(self, *args: Any) -> None:
        self.calls.append(("setsockopt", args))


@scenario_for(("nothing", "setup", "handle", "finish", "handle and finish"))
def life_of_a_handler_when_it_fails_in(module: Module, where: str) -> object:
    calls: list[str] = []

    def step(name: str) -> Any:
        def run(self: Any) -> None:
            calls.append(f"{name} {sorted(vars(self))}")
            if name in where:
                raise ValueError(name)

        return run

    steps = {name: step(name) for name in ("setup", "handle", "finish")}
    handler = type("Handler", (module.BaseRequestHandler,), steps)
    try:
        made = handler("request", "address", "server")
    except ValueError as error:
        return calls, str(error), repr(error.__context__)
    return calls, made.request, made.client_address, made.server


@scenario_for(("-1", "0", "1", "4096"), ("-1", "0", "1", "4096"))
def buffers(module: Module, rbufsize: str, wbufsize: str) -> object:
    seen: list[object] = []

    def handle(self: Any) -> None:
        seen.append((type(self.rfile).__name__, type(self.wfile).__name__))
        seen.append((self.rfile.readline(), self.wfile.write(b"abc"), self.wfile.write(b"def")))
        seen.append((self.connection is self.request, self.wfile.fileno() == self.request.fileno()))
        seen.append(isinstance(self.wfile, io.BufferedIOBase))

    sizes = {"rbufsize": int(rbufsize), "wbufsize": int(wbufsize)}
    handler = type("Handler", (module.StreamRequestHandler,), {"handle": handle, **sizes})
    stand_in = StandIn()
    with module.TCPServer(LOOPBACK, handler) as server, serving(server):
        heard = ask(server)
    type("Handler", (module.StreamRequestHandler,), sizes)(stand_in, None, None)
    return heard, seen, stand_in.calls


@scenario_for(("None", "0", "7.5"), ("False", "True", "1"))
def options_of_a_connection(module: Module, timeout: str, nagle: str) -> object:
    options = {"timeout": eval(timeout), "disable_nagle_algorithm": eval(nagle)}
    stand_in = StandIn()
    seen: list[object] = []

    def handle(self: Any) -> None:
        connection = self.request
        if isinstance(connection, socket.socket):
            seen.append(connection.gettimeout())
            seen.append(bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

    handler = type("Handler", (module.StreamRequestHandler,), {"handle": handle, **options})
    handler(stand_in, "nobody", None)
    with module.TCPServer(LOOPBACK, handler) as server, serving(server):
        ask(server, question=b"")
    return stand_in.calls, seen


@scenario
def a_handler_on_next_to_nothing(module: Module) -> object:
    class Bare:
        def makefile(self, mode: str, bufsize: int) -> Any:
            return io.BytesIO(b"in")

    seen: list[object] = []
    handler = module.StreamRequestHandler(Bare(), None, None)
    seen.append((handler.rfile.closed, handler.wfile.closed, handler.server))
    seen.append(outcome_of(lambda: module.StreamRequestHandler(None, None, None)))
    seen.append(outcome_of(lambda: module.StreamRequestHandler(object(), None, None)))
    return seen


@scenario
def finish_by_hand(module: Module) -> object:
    handler = module.StreamRequestHandler(StandIn(), None, None)
    seen = [outcome_of(handler.finish), outcome_of(handler.finish)]
    handler.setup()
    handler.setup()
    handler.wfile.close()
    seen.append(outcome_of(handler.finish))
    bare = module.StreamRequestHandler.__new__(module.StreamRequestHandler)
    bare.wfile, bare.rfile = io.BytesIO(), io.BytesIO()
    seen.append(outcome_of(lambda: module.StreamRequestHandler.finish(bare)))
    seen += [bare.wfile.closed, bare.rfile.closed]
    seen.append(outcome_of(lambda: module.BaseRequestHandler.finish(bare)))
    seen.append(outcome_of(module.BaseRequestHandler.__new__(module.BaseRequestHandler).handle))
    return seen


@attrs.define(eq=False)
class Unflushed:
    """A file that cannot be flushed."""

    error: BaseException
    calls: list[str]
    closed: bool = False

    def flush(self) -> None:
        self.calls.append("flush")
        raise self.error

    def close(self) -> None:
        self.calls.append("close")


@scenario_for(("OSError", "ConnectionResetError", "ValueError", "KeyboardInterrupt"))
def flushing_fails_with(module: Module, error: str) -> object:
    kind = getattr(__import__("builtins"), error)
    calls: list[str] = []
    reading = io.BytesIO()
    stand_in = StandIn(reading=reading, writing=Unflushed(kind("on purpose"), calls))
    handler = type("Handler", (module.StreamRequestHandler,), {"wbufsize": -1})
    outcome = outcome_of(lambda: handler(stand_in, None, None) and None)
    return outcome, calls, reading.closed


@scenario
def files_replaced_in_setup(module: Module) -> object:
    written = io.BytesIO()
    written.close = lambda: None  # type: ignore[method-assign]

    class Handler(module.StreamRequestHandler):
        def setup(self) -> None:
            super().setup()
            self.rfile, self.wfile = io.BytesIO(b"other"), written

        def handle(self) -> None:
            self.wfile.write(self.rfile.read())

    with module.TCPServer(LOOPBACK, Handler) as server, serving(server):
        return ask(server), written.getvalue()


@scenario
def the_connection_stays_open_until_the_server_closes_it(module: Module) -> object:
    seen: list[object] = []

    class Handler(module.StreamRequestHandler):
        def finish(self) -> None:
            super().finish()
            seen.append((self.rfile.closed, self.wfile.closed, self.request.fileno() >= 0))

    def close_request(self: Any, request: Any) -> None:
        seen.append(request.fileno() >= 0)
        super(server_class, self).close_request(request)
        seen.append(request.fileno())

    server_class = derived(module, "tcp", "sync", close_request=close_request)

    with server_class(LOOPBACK, Handler) as server, serving(server):
        heard = ask(server)
    return heard, seen


@scenario
def the_unbuffered_writer(module: Module) -> object:
    stand_in = StandIn()
    writer = module._SocketWriter(stand_in)
    values = (b"bytes", bytearray(b"array"), memoryview(b"view"), array.array("i", [1, 2]))
    seen: list[object] = [writer.write(value) for value in values]
    seen += [outcome_of(lambda: writer.writelines([b"a", b"b"])), outcome_of(writer.flush)]
    seen += [writer.writable(), writer.readable(), writer.seekable(), writer.closed]
    seen += [outcome_of(lambda: writer.write("text"))[:20], outcome_of(writer.fileno)]
    seen += [outcome_of(writer.tell), outcome_of(lambda: writer.read(1)), writer._sock is stand_in]
    seen += [outcome_of(writer.close), writer.closed, outcome_of(writer.flush)]
    seen += [outcome_of(lambda: writer.write(b"late"))]
    return seen, stand_in.calls, [base.__name__ for base in module._SocketWriter.__mro__]


@scenario
def the_writer_is_recognised_patched_and_replaced(module: Module) -> object:
    stand_in = StandIn()
    seen: list[object] = []

    def handle(self: Any) -> None:
        seen.append(type(self.wfile) is module._SocketWriter)
        seen.append(self.wfile.write(b"word"))

    def write(self: Any, data: bytes) -> int:
        seen.append("patched")
        return -1

    handler = type("Handler", (module.StreamRequestHandler,), {"handle": handle})
    handler(stand_in, None, None)
    with replaced(module._SocketWriter, "write", write):
        handler(stand_in, None, None)
    with replaced(module, "_SocketWriter", lambda sock: io.BytesIO()):
        outcome = outcome_of(lambda: handler(stand_in, None, None) and None)
    return seen, stand_in.calls, outcome.split(" ")[0]
