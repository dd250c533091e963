"""Hooks that do something else than their part, as programs have them."""

# The bases are only known when a scenario is played.
# mypy: disable-error-code=misc

import concurrent.futures
import queue
import socket
from typing import Any

from tests.classic.parity.clients import ask, client_of
from tests.classic.parity.kit import (
    LOOPBACK,
    STYLES,
    Module,
    derived,
    handler_for,
    running,
    scenario,
    scenario_for,
    serving,
    within_patience,
)


@scenario_for(STYLES)
def requests_made_up(module: Module, style: str) -> object:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    seen: list[object] = []

    def get_request(self: Any) -> tuple[Any, str]:
        self.socket.accept()[0].close()
        return ours, "nobody"

    def verify_request(self: Any, request: Any, client_address: Any) -> bool:
        seen.append((request is ours, client_address))
        return True

    server_class = derived(
        module, "tcp", style, get_request=get_request, verify_request=verify_request
    )
    with theirs, server_class(LOOPBACK, handler_for(module, "tcp")) as server:
        theirs.sendall(b"ping\n")
        with client_of(server):
            outcome = within_patience(server.handle_request)
            return outcome, theirs.recv(100), theirs.recv(100), seen


@scenario_for(("None", "1", "(1, 2, 3)", "[1, 2]", "'ab'"))
def get_request_returns(module: Module, answer: str) -> object:
    seen: list[object] = []

    def get_request(self: Any) -> object:
        self.socket.recv(100)
        return eval(answer)

    server_class = derived(module, "udp", "sync", get_request=get_request)
    with (
        server_class(LOOPBACK, lambda *args: seen.append(args[:2])) as server,
        client_of(server) as client,
    ):
        client.ask()
        once = within_patience(server.handle_request)
        client.ask()
        loop = running(lambda: server.serve_forever(0.005))
        if answer in ("[1, 2]", "'ab'"):
            within_patience(server.shutdown)
        return once, loop.join(), seen[:1], server._BaseServer__is_shut_down.is_set()


ERRORS = (
    "OSError()",
    "OSError('text')",
    "OSError(9, 'EBADF')",
    "OSError(24, 'EMFILE')",
    "OSError(22, 'EINVAL')",
    "OSError(88, 'ENOTSOCK')",
    "ConnectionAbortedError(103, 'aborted')",
    "BlockingIOError(11, 'again')",
    "InterruptedError(4, 'interrupted')",
    "TimeoutError('timed out')",
    "PermissionError(1, 'EPERM')",
    "__import__('ssl').SSLError(1, 'handshake')",
    "__import__('ssl').SSLEOFError(8, 'eof')",
    "__import__('socket').gaierror(-2, 'name')",
    "__import__('shutil').Error('an OSError too')",
)


@scenario_for(ERRORS, ("handle_request", "serve_forever"))
def get_request_raises(module: Module, error: str, method: str) -> object:
    calls: list[str] = []

    def get_request(self: Any) -> Any:
        if len(calls) < 3:
            calls.append("get_request")
            raise eval(error)
        return super(server_class, self).get_request()

    def handle_error(self: Any, request: Any, client_address: Any) -> None:
        calls.append("handle_error")

    server_class = derived(
        module, "tcp", "sync", get_request=get_request, handle_error=handle_error
    )
    with server_class(LOOPBACK, handler_for(module, "tcp")) as server, client_of(server) as client:
        client.ask()
        if method == "serve_forever":
            with serving(server):
                return client.hear(), calls
        ends = [within_patience(server.handle_request) for _ in range(4)]
        return ends, client.hear(), calls


@scenario_for(STYLES)
def handler_with_more_arguments(module: Module, style: str) -> object:
    class More(module.StreamRequestHandler):
        def __init__(self, *arguments: Any, word: bytes) -> None:
            self.word = word
            super().__init__(*arguments)

        def handle(self) -> None:
            self.wfile.write(self.rfile.readline() + self.word)

    def finish_request(self: Any, request: Any, client_address: Any) -> Any:
        return self.RequestHandlerClass(request, client_address, self, word=b"more")

    server_class = derived(module, "tcp", style, finish_request=finish_request)
    with server_class(LOOPBACK, More) as server, serving(server):
        return ask(server)


@scenario
def handler_class_swapped_while_serving(module: Module) -> object:
    def say(word: bytes) -> Any:
        return lambda request, client_address, server: request.sendall(word)

    with module.TCPServer(LOOPBACK, say(b"one")) as server, serving(server):
        heard = [ask(server, question=b"")]
        server.RequestHandlerClass = say(b"two")
        heard.append(ask(server, question=b""))
        return heard


@scenario
def what_a_handler_returns_is_ignored(module: Module) -> object:
    calls: list[str] = []

    class Life:
        def __getattr__(self, name: str) -> Any:
            calls.append(name)
            raise AssertionError(name)

    with module.UDPServer(LOOPBACK, lambda *args: Life()) as server, client_of(server) as client:
        client.ask()
        return within_patience(server.handle_request), calls


@scenario
def requests_run_by_a_pool_of_the_programs_own(module: Module) -> object:
    class Pooled(module.ThreadingMixIn, module.TCPServer):
        pool = concurrent.futures.ThreadPoolExecutor(2)

        def process_request(self, request: Any, client_address: Any) -> None:
            self.pool.submit(self.process_request_thread, request, client_address)

    with Pooled(LOOPBACK, handler_for(module, "tcp")) as server, serving(server):
        heard = [ask(server) for _ in range(3)]
    server.pool.shutdown()
    return heard, "_threads" in vars(server)


@scenario
def requests_put_in_a_queue(module: Module) -> object:
    todo: queue.Queue[Any] = queue.Queue()
    server_class = derived(
        module, "tcp", "sync", process_request=lambda self, *request: todo.put(request)
    )
    with (
        server_class(LOOPBACK, handler_for(module, "tcp")) as server,
        serving(server),
        client_of(server) as client,
    ):
        client.ask()
        request, client_address = todo.get(timeout=10)
        server.finish_request(request, client_address)
        server.shutdown_request(request)
        return client.hear(), request.fileno()
