"""`shutdown()` ends a loop at once, wherever it is called and however long the loop would wait."""

import os
import signal
import socket
import threading
from typing import Any

import pytest

from acceptor.classic import ForkingTCPServer, TCPServer, ThreadingTCPServer
from tests.classic.support import LONG, LOOPBACK, STYLES, happens, serving
from tests.fakes import Call, greet, held, hold, let_go
from tests.programs import program
from tests.support import PATIENCE, ask, connect, read_all, wait_until


@pytest.fixture(params=[None, LONG])
def poll_interval(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=STYLES, ids=lambda style: style.__name__)
def style(request: pytest.FixtureRequest) -> type[TCPServer]:
    chosen: type[TCPServer] = request.param
    return chosen


def test_shutdown_ends_a_loop_that_waits(style: type[TCPServer], poll_interval: Any) -> None:
    with style(LOOPBACK, greet) as server:
        loop = Call(lambda: server.serve_forever(poll_interval))
        answer = ask(server.server_address, b"")

        Call(server.shutdown).result()

        assert loop.result() is None
        assert answer == b"hello"


def test_shutdown_ends_the_loop_while_a_handler_runs_and_leaves_the_handler(
    poll_interval: Any,
) -> None:
    with ThreadingTCPServer(LOOPBACK, hold) as server:
        loop = Call(lambda: server.serve_forever(poll_interval))
        client = held(server.server_address)

        Call(server.shutdown).result()

        assert loop.result() is None
        assert let_go(client) == b"?"


def test_shutdown_before_any_loop_returns_and_ends_the_next_loop_only(
    poll_interval: Any,
) -> None:
    with TCPServer(LOOPBACK, greet) as server:
        early = Call(server.shutdown).result()

        first = Call(lambda: server.serve_forever(poll_interval)).result()
        second = Call(lambda: server.serve_forever(poll_interval))
        answer = ask(server.server_address, b"")
        Call(server.shutdown).result()

        assert (early, first, second.result()) == (None, None, None)
        assert answer == b"hello"


def test_shutdown_before_the_loop_allows_to_close_the_server_before_the_loop() -> None:
    server = TCPServer(LOOPBACK, greet)
    server.shutdown()
    server.server_close()

    assert Call(server.serve_forever).result() is None
    assert isinstance(Call(server.serve_forever).result(), ValueError)


def test_shutdown_twice_after_the_loop_returns_and_ends_the_next_loop_only() -> None:
    with TCPServer(LOOPBACK, greet) as server:
        with_loop = Call(server.serve_forever)
        ask(server.server_address, b"")

        ends = [Call(server.shutdown).result() for _ in range(3)]

        assert ends == [None, None, None]
        assert with_loop.result() is None
        assert Call(lambda: server.serve_forever(LONG)).result() is None
        with serving(server):
            assert ask(server.server_address, b"") == b"hello"


def test_shutdown_from_many_threads_at_once_returns_in_each(poll_interval: Any) -> None:
    with TCPServer(LOOPBACK, greet) as server:
        loop = Call(lambda: server.serve_forever(poll_interval))
        ask(server.server_address, b"")

        ends = [Call(server.shutdown) for _ in range(8)]

        assert [end.result() for end in ends] == [None] * 8
        assert loop.result() is None


def last_words(request: socket.socket, client_address: object, server: Any) -> None:
    server.shutdown()
    request.sendall(b"ended")


@pytest.mark.parametrize("style", [TCPServer, ThreadingTCPServer])
def test_shutdown_from_a_handler_returns_and_ends_the_loop(
    style: type[TCPServer], poll_interval: Any
) -> None:
    with style(LOOPBACK, last_words) as server:
        loop = Call(lambda: server.serve_forever(poll_interval))

        answer = ask(server.server_address, b"")

        assert answer == b"ended"
        assert loop.result() is None


def test_shutdown_from_a_handler_thread_waits_until_the_loop_has_ended() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Server(ThreadingTCPServer):
        def service_actions(self) -> None:
            inside.set()
            happens(go_on)

    with Server(LOOPBACK, last_words) as server, connect(server.server_address) as client:
        loop = Call(lambda: server.serve_forever(LONG))
        happens(inside)
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(PATIENCE)
        go_on.set()

        assert read_all(client) == b"ended"
        assert loop.result() is None


@pytest.mark.parametrize("hook", ["service_actions", "verify_request", "get_request"])
def test_shutdown_from_a_hook_of_the_loop_returns(hook: str, poll_interval: Any) -> None:
    class Server(TCPServer):
        def service_actions(self) -> None:
            self.end_in("service_actions")

        def verify_request(self, request: socket.socket, client_address: Any) -> bool:
            self.end_in("verify_request")
            return True

        def get_request(self) -> tuple[socket.socket, Any]:
            self.end_in("get_request")
            return super().get_request()

        def end_in(self, place: str) -> None:
            if place == hook:
                self.shutdown()

    with Server(LOOPBACK, greet) as server, connect(server.server_address) as client:
        loop = Call(lambda: server.serve_forever(poll_interval))

        assert loop.result() is None
        assert read_all(client) == b"hello"  # it had been taken already


def test_shutdown_from_a_forked_child_returns_and_leaves_the_parent_serving() -> None:
    with ForkingTCPServer(LOOPBACK, last_words) as server, serving(server):
        answers = [ask(server.server_address, b"") for _ in range(3)]

    assert answers == [b"ended"] * 3


def test_shutdown_after_the_server_was_closed_ends_a_loop_that_waits_for_ever() -> None:
    server = TCPServer(LOOPBACK, greet)
    loop = Call(lambda: server.serve_forever(LONG))
    ask(server.server_address, b"")

    server.server_close()
    Call(server.shutdown).result()

    assert loop.result() is None


SOURCE = """
import acceptor.classic as socketserver

def end(number, frame):
    server.shutdown()
    say("asked")

def greet(request, client_address, server):
    request.sendall(b"hello")

signal.signal(signal.SIGTERM, end)
server = socketserver.{kind}(("127.0.0.1", 0), greet)
say("port", server.server_address[1])
if {in_main}:
    server.serve_forever({poll_interval})
else:
    loop = threading.Thread(target=server.serve_forever, args=({poll_interval},))
    loop.start()
    while loop.is_alive():
        loop.join(0.1)
say("over")
server.server_close()
"""


def threads_of(pid: int) -> int:
    tasks = f"/proc/{pid}/task"
    return len(os.listdir(tasks)) if os.path.isdir(tasks) else 0


@pytest.mark.parametrize("in_main", [True, False], ids=["main", "other"])
@pytest.mark.parametrize("kind", ["TCPServer", "ThreadingTCPServer", "ForkingTCPServer"])
def test_shutdown_from_a_signal_handler_ends_the_loop_of_any_thread(
    kind: str, in_main: bool, poll_interval: Any
) -> None:
    source = SOURCE.format(kind=kind, in_main=in_main, poll_interval=poll_interval)
    with program(source) as it:
        address = it.address()
        answer = ask(address, b"")
        # The system may give the signal to any thread, and only the main one runs its handler.
        wait_until(lambda: threads_of(it.pid) <= 1 + (not in_main))

        it.signal(signal.SIGTERM)

        it.hear("asked")
        it.hear("over")
        assert it.end() == (0, "")
        assert answer == b"hello"
