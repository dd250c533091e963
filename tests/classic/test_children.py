"""What is better with `ForkingMixIn`: a full house stops nothing, only own children are reaped."""

import os
import select
import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest

from acceptor.classic import ForkingTCPServer
from tests.classic.support import LONG, LOOPBACK, pid_of, serving, tell_pid
from tests.fakes import Call, greet, held, hold, let_go
from tests.programs import program
from tests.support import ask, connect, open_descriptors, read_all, wait_until


class Counting(ForkingTCPServer):
    """Counts how often its loop comes round; serves one client at a time."""

    max_children = 1
    turns = 0

    def service_actions(self) -> None:
        super().service_actions()
        self.turns += 1

    def come_round(self) -> None:
        """Wait until the loop has come round some more times."""
        seen = self.turns
        wait_until(lambda: self.turns > seen + 5, "the loop goes on")


def hears_nothing(client: socket.socket) -> bool:
    return not select.select([client], [], [], 0)[0]


def test_full_house_keeps_service_actions_going_and_clients_waiting() -> None:
    with Counting(LOOPBACK, hold) as server, serving(server, 0.001):
        first = held(server.server_address)
        with connect(server.server_address) as second:
            server.come_round()
            waited = hears_nothing(second)
            one_child = len(server.active_children or ())

            let_go(first)

            assert second.recv(1) == b"!"
            second.shutdown(socket.SHUT_WR)
            assert read_all(second) == b"."
    assert waited
    assert one_child == 1


@pytest.mark.parametrize("poll_interval", [None, LONG])
def test_child_that_ends_makes_room_at_once(poll_interval: Any) -> None:
    with Counting(LOOPBACK, tell_pid) as server, serving(server, poll_interval):
        clients = [connect(server.server_address) for _ in range(4)]
        pids = set()
        for client in clients:
            with client:
                pids.add(pid_of(client))
                client.shutdown(socket.SHUT_WR)

        wait_until(lambda: not server.active_children, "all children are reaped")
    assert len(pids) == 4


@pytest.mark.parametrize("poll_interval", [None, LONG])
def test_full_house_is_shut_down_at_once(poll_interval: Any) -> None:
    with Counting(LOOPBACK, hold) as server:
        loop = Call(lambda: server.serve_forever(poll_interval))
        first = held(server.server_address)
        with connect(server.server_address):
            Call(server.shutdown).result()

            assert loop.result() is None
        assert let_go(first) == b"?"


def test_max_children_is_read_anew_each_time() -> None:
    with Counting(LOOPBACK, hold) as server, serving(server, 0.001):
        first = held(server.server_address)
        with connect(server.server_address) as second:
            server.come_round()
            waited = hears_nothing(second)

            server.max_children = 2

            assert second.recv(1) == b"!"
            second.shutdown(socket.SHUT_WR)
        let_go(first)
    assert waited


@pytest.fixture
def foreign_child() -> Generator[int, None, None]:
    """A child of the program's own, which has ended and waits to be reaped."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    yield pid
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7, "somebody else reaped it"


@pytest.mark.usefixtures("foreign_child")
def test_full_house_never_reaps_a_child_of_the_program() -> None:
    with Counting(LOOPBACK, hold) as server, serving(server, 0.001):
        first = held(server.server_address)
        server.come_round()
        let_go(first)
        assert ask(server.server_address, b"") == b"!."


@pytest.mark.usefixtures("foreign_child")
def test_collecting_outside_of_a_loop_waits_for_an_own_child_only() -> None:
    with Counting(LOOPBACK, hold) as server, connect(server.server_address) as client:
        server._handle_request_noblock()
        client.recv(1)
        collecting = Call(server.collect_children)
        wait_until(lambda: collecting.has_ended or threading.active_count() > 1)
        too_early = collecting.has_ended

        client.shutdown(socket.SHUT_WR)

        assert collecting.result() is None
        assert server.active_children == set()
    assert not too_early


def test_children_that_end_are_reaped_although_no_client_comes() -> None:
    with ForkingTCPServer(LOOPBACK, greet) as server, serving(server, LONG):
        for _ in range(10):
            ask(server.server_address, b"")

        wait_until(lambda: not server.active_children, "all children are reaped")


def test_close_waits_for_all_children_and_leaves_no_descriptor() -> None:
    before = open_descriptors()
    server = ForkingTCPServer(LOOPBACK, hold)
    with serving(server, LONG):
        clients = [held(server.server_address) for _ in range(5)]
        Call(server.shutdown).result()
        closing = Call(server.server_close)
        wait_until(lambda: server.fileno() == -1)
        still_waits = not closing.has_ended
        for client in clients:
            let_go(client)

        assert closing.result() is None
        assert server.active_children == set()
    assert still_waits
    assert open_descriptors() == before


def test_close_does_not_wait_when_told_so() -> None:
    server = ForkingTCPServer(LOOPBACK, tell_pid)
    server.block_on_close = False
    with connect(server.server_address) as client:
        server.handle_request()
        pid = pid_of(client)
        server.server_close()
        still_there = os.waitpid(pid, os.WNOHANG) == (0, 0)
        client.shutdown(socket.SHUT_WR)

    assert still_there
    assert os.waitpid(pid, 0)[0] == pid


@pytest.mark.parametrize("attempt", range(10))
def test_close_reaps_children_while_the_loop_still_looks_at_them(attempt: int) -> None:
    server = ForkingTCPServer(LOOPBACK, hold)
    loop = Call(lambda: server.serve_forever(0.001))
    clients = [held(server.server_address) for _ in range(5)]
    # A child may have answered before its parent has noted it.
    wait_until(lambda: len(server.active_children or ()) == 5)
    closing = Call(server.server_close)
    wait_until(lambda: server.fileno() == -1)

    for client in clients:
        let_go(client)

    assert closing.result() is None
    assert Call(server.shutdown).result() is None
    assert loop.result() is None
    assert not server.active_children


def test_child_that_cannot_be_watched_is_reaped_and_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(pid: int) -> int:
        raise OSError(24, "none left")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    with Counting(LOOPBACK, greet) as server, serving(server, LONG):
        answers = [ask(server.server_address, b"") for _ in range(3)]

        wait_until(lambda: not server.active_children, "all children are reaped")
    assert answers == [b"hello"] * 3


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the system has no pidfd")
def test_child_may_be_watched_under_the_number_that_the_closed_port_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = os.pidfd_open

    def close_and_open(pid: int) -> int:
        number = server.fileno()
        server.server_close()  # as another thread may do at any time
        found = real(pid)
        if found != number:
            os.dup2(found, number, inheritable=False)
            os.close(found)
        return number

    server = Counting(LOOPBACK, hold)
    server.block_on_close = False
    with serving(server, 0.001) as loop:
        monkeypatch.setattr(os, "pidfd_open", close_and_open)
        client = held(server.server_address)
        server.come_round()
        let_go(client)

        wait_until(lambda: not server.active_children or loop.has_ended)
        server.come_round()


def test_single_requests_go_on_in_a_full_house_whose_child_cannot_be_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(pid: int) -> int:
        raise OSError(24, "none left")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    with Counting(LOOPBACK, hold) as server, connect(server.server_address) as first:
        server.handle_request()
        first.recv(1)
        with connect(server.server_address) as second:
            handling = Call(server.handle_request)
            first.shutdown(socket.SHUT_WR)

            assert handling.result() is None
            assert second.recv(1) == b"!"
            second.shutdown(socket.SHUT_WR)


SOURCE = """
import acceptor.classic as socketserver

def chat(request, client_address, server):
    print("the child prints")
    print("the child complains", file=sys.stderr)
    request.sendall(request.recv(1))

sys.stderr = open(2, "w", buffering=4096, closefd=False)
print("the parent prints")
print("the parent complains", file=sys.stderr)
server = socketserver.ForkingTCPServer(("127.0.0.1", 0), chat)
say("port", server.server_address[1])
for _ in range(3):
    server.handle_request()
server.server_close()
"""


def test_buffered_output_is_written_once_by_parent_and_children() -> None:
    with program(SOURCE) as it:
        address = it.address()
        for _ in range(3):
            assert ask(address, b"x") == b"x"

        code, said = it.end()

    assert code == 0
    lines = said.splitlines()
    assert sorted(lines) == sorted(
        ["the parent prints", "the parent complains"]
        + ["the child prints", "the child complains"] * 3
    )
