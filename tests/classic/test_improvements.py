"""What is better than in the standard module, by way of threads and error reports."""

import io
import sys
import threading
from typing import Any

import pytest

from acceptor.classic import ThreadingTCPServer
from tests.classic.support import LONG, LOOPBACK, serving
from tests.fakes import Call, greet, held, hold, let_go
from tests.support import PATIENCE, ask, connect, read_all


class Journal(ThreadingTCPServer):
    """Keeps the errors that it is told of."""

    def __init__(self, handler: Any) -> None:
        super().__init__(LOOPBACK, handler)
        self.errors: list[BaseException | None] = []

    def handle_error(self, request: object, client_address: object) -> None:
        self.errors.append(sys.exc_info()[1])


def test_thread_that_cannot_be_started_costs_its_client_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    server = Journal(greet)
    with connect(server.server_address) as client:
        with monkeypatch.context() as no_threads:
            no_threads.setattr(threading.Thread, "start", refuse)
            server.handle_request()
        unserved = read_all(client)
    with connect(server.server_address) as client:
        server.handle_request()
        served = read_all(client)
    server.server_close()

    assert (unserved, served) == (b"", b"hello")
    assert [str(error) for error in server.errors] == ["can't start new thread"]


def test_close_after_the_last_thread_could_not_be_started_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    server = Journal(greet)
    with connect(server.server_address), monkeypatch.context() as no_threads:
        no_threads.setattr(threading.Thread, "start", refuse)
        server.handle_request()

    server.server_close()

    assert len(server.errors) == 1


@pytest.mark.parametrize("option", ["daemon_threads", "block_on_close"])
def test_close_does_not_wait_for_threads_that_need_not_be_waited_for(option: str) -> None:
    server = ThreadingTCPServer(LOOPBACK, hold)
    setattr(server, option, option == "daemon_threads")
    with serving(server, LONG):
        client = held(server.server_address)
        Call(server.shutdown).result()

        Call(server.server_close).result()

        assert let_go(client) == b"?"


def test_three_hundred_requests_leave_no_list_of_threads() -> None:
    with ThreadingTCPServer(LOOPBACK, greet) as server, serving(server, LONG):
        for _ in range(300):
            ask(server.server_address, b"")

        kept = len(server._threads)

    assert kept < 50


class Strict(io.StringIO):
    """A standard error stream that keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str, /) -> int:
        self.writes.append(text)
        return len(text)


def test_error_report_is_one_write_so_that_those_of_threads_do_not_mix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = threading.Barrier(8)

    class Server(ThreadingTCPServer):
        request_queue_size = 8

    def fail(request: Any, client_address: Any, server: Any) -> None:
        together.wait(PATIENCE)
        raise ValueError("as it should be")

    errors = Strict()
    monkeypatch.setattr(sys, "stderr", errors)
    with Server(LOOPBACK, fail) as server, serving(server, LONG):
        clients = [connect(server.server_address) for _ in range(8)]
        for client in clients:
            with client:
                read_all(client)

    assert len(errors.writes) == 8
    for text in errors.writes:
        lines = text.splitlines()
        assert lines[0] == lines[-1] == "-" * 40
        assert lines[1].startswith("Exception occurred during processing of request from (")
        assert lines[-2] == "ValueError: as it should be"
