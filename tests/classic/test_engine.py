"""How the classic hooks are driven: by our loop or another's, in any thread, with nothing kept."""

import contextlib
import gc
import os
import selectors
import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest

import acceptor.classic
from acceptor.classic import (
    ForkingTCPServer,
    TCPServer,
    UDPServer,
)
from tests.classic.support import LONG, LOOPBACK, STYLES, happens, serving
from tests.fakes import Call, greet, refuses
from tests.support import PATIENCE, ask, connect, open_descriptors, read_all, wait_until


@pytest.fixture(params=STYLES, ids=lambda style: style.__name__)
def style(request: pytest.FixtureRequest) -> type[TCPServer]:
    chosen: type[TCPServer] = request.param
    return chosen


@contextlib.contextmanager
def no_collector() -> Generator[None, None, None]:
    """Leave it to the reference counts to free what is not needed any more."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("selector", [selectors.PollSelector, selectors.EpollSelector])
def test_foreign_loop_serves_by_handling_what_is_ready(
    style: type[TCPServer], selector: type[selectors.BaseSelector]
) -> None:
    with style(LOOPBACK, greet) as first, style(LOOPBACK, greet) as second, selector() as poll:
        poll.register(first, selectors.EVENT_READ, first)
        poll.register(second, selectors.EVENT_READ, second)
        clients = [connect(server.server_address) for server in (first, second) * 3]
        for _ in range(20):
            for key, _ in poll.select(0):
                key.data._handle_request_noblock()
                key.data.service_actions()

        answers = [read_all(client) for client in clients]
        for client in clients:
            client.close()

    assert answers == [b"hello"] * 6


@pytest.mark.parametrize("base", [selectors.SelectSelector, selectors.EpollSelector])
@pytest.mark.parametrize("poll_interval", [None, LONG])
def test_selector_of_the_program_waits_and_is_woken_by_shutdown(
    style: type[TCPServer],
    base: type[selectors.BaseSelector],
    poll_interval: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[selectors.BaseSelector] = []

    def new_selector() -> selectors.BaseSelector:
        made.append(base())
        return made[-1]

    monkeypatch.setattr(acceptor.classic, "_ServerSelector", new_selector)
    with style(LOOPBACK, greet) as server, serving(server, poll_interval):
        answers = [ask(server.server_address, b"") for _ in range(3)]

    assert answers == [b"hello"] * 3
    assert len(made) == 1
    assert made[0].get_map() is None  # it has been closed


def test_selector_of_the_program_waits_in_a_full_house(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor.classic, "_ServerSelector", selectors.SelectSelector)
    with ForkingTCPServer(LOOPBACK, greet) as server:
        server.max_children = 1
        with serving(server, LONG):
            answers = [ask(server.server_address, b"") for _ in range(5)]

    assert answers == [b"hello"] * 5


@pytest.mark.parametrize("poll_interval", [0.001, 0.02])
def test_socket_moved_to_another_port_under_the_same_number_is_served(
    style: type[TCPServer], poll_interval: float
) -> None:
    with style(LOOPBACK, greet) as server, serving(server, poll_interval):
        before = ask(server.server_address, b"")
        with socket.create_server(LOOPBACK) as new:
            os.dup2(new.fileno(), server.fileno())
        server.server_address = server.socket.getsockname()

        assert ask(server.server_address, b"") == before == b"hello"


def all_are_reaped(server: TCPServer) -> bool:
    server.service_actions()
    return not getattr(server, "active_children", None)


def test_two_hundred_loops_leave_nothing_behind(style: type[TCPServer]) -> None:
    with style(LOOPBACK, greet) as server:
        threads, descriptors = threading.active_count(), open_descriptors()
        for number in range(200):
            loop = Call(lambda: server.serve_forever(LONG))
            if number % 20 == 0:
                assert ask(server.server_address, b"") == b"hello"
            Call(server.shutdown).result()
            loop.result()
        wait_until(lambda: threading.active_count() == threads)
        wait_until(lambda: all_are_reaped(server))

        assert open_descriptors() == descriptors


def test_two_hundred_single_requests_leave_nothing_behind(style: type[TCPServer]) -> None:
    with style(LOOPBACK, greet) as server:
        threads, descriptors = threading.active_count(), open_descriptors()
        for _ in range(200):
            with connect(server.server_address) as client:
                server.handle_request()
                assert read_all(client) == b"hello"
        wait_until(lambda: threading.active_count() == threads)
        wait_until(lambda: all_are_reaped(server))
        assert open_descriptors() == descriptors


def never_used(server: TCPServer) -> None:
    pass


def used_by_a_loop(server: TCPServer) -> None:
    loop = Call(lambda: server.serve_forever(LONG))
    ask(server.server_address, b"")
    server.shutdown()
    loop.result()


def used_for_single_requests(server: TCPServer) -> None:
    for _ in range(3):
        with connect(server.server_address) as client:
            server.handle_request()
            read_all(client)


def used_for_errors(server: TCPServer) -> None:
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    server.RequestHandlerClass = failing
    used_for_single_requests(server)


def failing(request: Any, client_address: Any, server: Any) -> None:
    raise ValueError("as it should be")


def used_by_loops_that_overlap(server: TCPServer) -> None:
    ends = [threading.Event(), threading.Event()]
    entered = threading.Semaphore(0)
    waiting = iter(ends)

    def handle_timeout() -> None:
        mine = next(waiting)
        entered.release()
        happens(mine)

    server.timeout = 0
    server.handle_timeout = handle_timeout  # type: ignore[method-assign]
    calls = []
    for _ in ends:
        calls.append(Call(server.handle_request))
        assert entered.acquire(timeout=PATIENCE)
    for end, call in zip(ends, calls, strict=True):
        end.set()
        assert call.result() is None


@pytest.mark.parametrize(
    "use",
    [
        never_used,
        used_by_a_loop,
        used_for_single_requests,
        used_for_errors,
        used_by_loops_that_overlap,
    ],
)
def test_last_reference_closes_the_socket(style: type[TCPServer], use: Any) -> None:
    threads = set(threading.enumerate())
    with no_collector():
        server = style(LOOPBACK, greet)
        server.block_on_close = False  # type: ignore[attr-defined]
        use(server)
        wait_until(lambda: set(threading.enumerate()) <= threads)
        getattr(server, "collect_children", lambda **_: None)(blocking=True)
        address = server.server_address
        taken = not refuses(address)

        with pytest.warns(ResourceWarning, match="unclosed"):
            del server

        assert taken
        assert refuses(address)


def test_request_handled_while_a_loop_runs_leaves_the_loop_as_it_was() -> None:
    class Server(ForkingTCPServer):
        timeout = 0
        max_children = 2

        def service_actions(self) -> None:
            self.handle_request()
            super().service_actions()

    with Server(LOOPBACK, greet) as server, serving(server, LONG) as loop:
        answers = [ask(server.server_address, b"") for _ in range(20)]
        alive = not loop.has_ended

    assert answers == [b"hello"] * 20
    assert alive


def test_loop_of_a_closed_server_asks_for_no_request() -> None:
    class Server(TCPServer):
        turns = requests = 0

        def service_actions(self) -> None:
            self.turns += 1

        def come_round(self) -> None:
            seen = self.turns
            wait_until(lambda: self.turns > seen + 1)

        def get_request(self) -> tuple[socket.socket, Any]:
            self.requests += 1
            return super().get_request()

    server = Server(LOOPBACK, greet)
    with serving(server, 0.001):
        ask(server.server_address, b"")
        server.server_close()
        server.come_round()
        requests = server.requests
        for _ in range(20):
            server.come_round()

    assert server.requests == requests


@pytest.mark.parametrize("style", [UDPServer, TCPServer])
def test_server_without_a_constructor_serves(style: type[TCPServer]) -> None:
    class Server(style):  # type: ignore[valid-type, misc]
        def __init__(self) -> None:
            self.socket = socket.socket(self.address_family, self.socket_type)
            self.server_address = LOOPBACK
            self.RequestHandlerClass = lambda request, client_address, server: got.set()
            self.server_bind()
            self.server_activate()

    got = threading.Event()
    server = Server()
    with serving(server, LONG), socket.socket(type=server.socket_type) as client:
        client.connect(server.server_address)
        client.send(b"?")

        happens(got)
