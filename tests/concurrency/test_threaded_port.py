"""Threads that take clients by themselves while they are warm."""

import socket
import threading
from typing import Any

import pytest

from acceptor import Closed, Server
from acceptor.concurrency import warm_threads
from tests.fakes import greet, held, hold, let_go, tcp
from tests.support import PATIENCE, Recorder, ask, connect, serving, wait_until


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "acceptor-worker"]


def test_one_thread_waits_for_the_next_client_while_others_are_served() -> None:
    with serving(tcp().threaded().handler(hold)) as server:
        clients = [held(server.address) for _ in range(3)]
        wait_until(lambda: len(workers()) == 4)

        for client in clients:
            let_go(client)


def test_no_thread_waits_beyond_the_bound_and_the_next_client_is_served_all_the_same() -> None:
    with serving(tcp().threaded(2).handler(hold)) as server:
        first, second = held(server.address), held(server.address)
        assert len(workers()) == 2
        third = connect(server.address)

        let_go(first)
        assert third.recv(1) == b"!"
        let_go(third)
        let_go(second)


def test_clients_are_served_by_the_thread_that_waits_when_the_machine_gives_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(tcp().threaded().handler(hold)) as server:
        let_go(held(server.address))
        real = threading.Thread.start

        def refuse(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        for _ in range(5):
            let_go(held(server.address))
        monkeypatch.setattr(threading.Thread, "start", real)

        clients = [held(server.address) for _ in range(3)]
        for client in clients:
            let_go(client)


@pytest.mark.parametrize("times", [1, 5])
def test_threads_that_waited_at_the_port_serve_what_is_handed_over_and_the_other_way_round(
    times: int,
) -> None:
    recorder = Recorder()
    with serving(tcp().threaded().observe(recorder).handler(greet)) as server:
        for _ in range(times):
            assert ask(server.address, b"") == b"hello"
            server.pause()
            waiting = connect(server.address)
            server.resume()
            with waiting:
                assert waiting.recv(5) == b"hello"
        recorder.wait_for(Closed, 2 * times)

    assert server.stats.finished == 2 * times


def test_no_client_is_lost_while_threads_go_home_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm_threads, "KEEP_WARM", 0.0)
    with serving(tcp().threaded().handler(greet)) as server:

        def crowd() -> None:
            for _ in range(50):
                assert ask(server.address, b"") == b"hello"

        threads = [threading.Thread(target=crowd) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(lambda: server.stats.finished == 200)


def test_client_is_taken_at_once_where_all_threads_were_idle_when_the_port_was_lent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm_threads, "KEEP_WARM", 10 * PATIENCE)
    with serving(tcp().threaded(1).handler(greet)) as server:
        for _ in range(5):
            assert ask(server.address, b"") == b"hello"
            server.pause()
            server.resume()

        assert ask(server.address, b"") == b"hello"  # or it came when the thread went home


def test_limit_below_the_bound_holds_while_threads_take_clients_by_themselves() -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def count(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        request.recv(1)
        with lock:
            running -= 1

    with serving(tcp().threaded().limits(max_connections=2).handler(count)) as server:
        for _ in range(10):
            clients = [connect(server.address) for _ in range(6)]
            for client in clients:
                client.sendall(b"!")
            for client in clients:
                with client:
                    assert client.recv(1) == b""
        wait_until(lambda: server.stats.active == 0)

    assert most <= 2
    assert server.stats.finished == 60


def test_nothing_is_left_of_a_server_that_closes_at_any_moment() -> None:
    for number in range(30):
        with serving(tcp().threaded().handler(greet)) as server:
            for _ in range(number % 3):
                ask(server.address, b"")

    wait_until(lambda: not workers())
