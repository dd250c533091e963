"""`shutdown` only asks: from anywhere, early, twice, and without ever waiting for itself."""

import signal
import socket
import threading
import time
from typing import Any

import pytest

from acceptor import Phase, Server
from tests.fakes import Call, greet, held, hold, in_phase, let_go, tcp
from tests.programs import program
from tests.support import ask, connect, read_all, serving, wait_until

STRATEGIES = ["sync", "threaded", "pooled", "forked"]


def test_shutdown_ends_an_idle_server_within_50_ms_and_keeps_the_port() -> None:
    with tcp().handler(greet).build() as server:
        elapsed = []
        for _ in range(20):
            server.start()
            began = time.monotonic()
            server.shutdown()
            server.wait()
            elapsed.append(time.monotonic() - began)

        assert in_phase(server, Phase.LISTENING)
        connect(server.address).close()
    # The best of many: what a busy machine adds is not the server's doing, a poll interval is. That
    # of socketserver, 0.5 s, would take 0.25 s in the middle.
    assert min(elapsed) < 0.05
    assert sorted(elapsed)[len(elapsed) // 2] < 0.2


def test_shutdown_is_remembered_when_nothing_is_served_yet() -> None:
    server = tcp().handler(greet).build()
    server.shutdown()

    server.serve_forever()

    assert in_phase(server, Phase.LISTENING)
    server.stop()


def test_shutdown_is_remembered_when_the_server_only_listens() -> None:
    with tcp().handler(greet).build() as server:
        server.shutdown()

        server.serve_forever()

        assert in_phase(server, Phase.LISTENING)


def test_shutdown_twice_ends_one_call_only() -> None:
    with tcp().handler(greet).build() as server:
        server.shutdown()
        server.shutdown()
        server.serve_forever()

        assert ask(server.start().address, b"") == b"hello"


def test_shutdown_returns_at_once_when_the_server_is_closed() -> None:
    server = tcp().handler(greet).build().listen()
    server.stop()

    server.shutdown()

    assert in_phase(server, Phase.CLOSED)


def test_server_serves_again_after_a_shutdown_and_forgets_no_client() -> None:
    with tcp().handler(greet).build() as server:
        for _ in range(3):
            with connect(server.address) as early:
                server.start()
                assert read_all(early) == b"hello"
            server.shutdown()
            server.wait()

    assert server.stats.finished == 3


def test_shutdown_leaves_running_requests_alone() -> None:
    with tcp().threaded().handler(hold).build() as server:
        server.start()
        client = held(server.address)

        server.shutdown()
        server.wait()

        assert let_go(client) == b"?"


def shut_down(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    server.shutdown()
    request.sendall(b"asked")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_shutdown_from_a_handler_answers_the_client_and_ends_the_loop(strategy: str) -> None:
    with getattr(tcp(), strategy)().handler(shut_down).build() as server:
        server.start()

        answer = ask(server.address, b"")

        assert answer == b"asked"
        assert server.wait(20.0)
        assert in_phase(server, Phase.LISTENING)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_shutdown_from_a_handler_lets_the_main_thread_go_on(strategy: str) -> None:
    with getattr(tcp(), strategy)().handler(shut_down).build() as server:
        client = Call(lambda: ask(server.address, b""))

        server.serve_forever()

        assert client.result() == b"asked"


def test_shutdown_from_another_thread_ends_a_loop_in_this_one() -> None:
    def shut_down_once_serving() -> None:
        wait_until(lambda: in_phase(server, Phase.SERVING))
        server.shutdown()

    with tcp().handler(greet).build() as server:
        other = Call(shut_down_once_serving)

        server.serve_forever()

        assert other.result() is None


def test_shutdown_from_many_threads_at_once_is_one_shutdown() -> None:
    with tcp().threaded().handler(greet).build() as server:
        for _ in range(20):
            server.start()
            calls = [Call(server.shutdown) for _ in range(5)]
            assert server.wait(20.0)
            for call in calls:
                assert call.result() is None
            # One that came late counts for the next loop; that is what early means.
            server.shutdown()
            server.serve_forever()

        assert ask(server.start().address, b"") == b"hello"


@pytest.mark.parametrize("handler", [greet, hold])
def test_shutdown_from_a_signal_handler_on_top_of_serve_forever(handler: Any) -> None:
    with tcp().handler(handler).build() as server:
        before = signal.signal(signal.SIGUSR1, lambda *_: server.shutdown())
        try:
            client = Call(lambda: signal_main_thread_and_leave(server))
            server.serve_forever()
        finally:
            signal.signal(signal.SIGUSR1, before)

        assert client.result() is None


def signal_main_thread_and_leave(server: Server[Any, Any]) -> None:
    """Interrupt the main thread while it waits, or is in the handler."""
    with connect(server.address) as client:
        client.recv(1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)


def test_pause_does_not_stop_a_shutdown() -> None:
    with serving(tcp().handler(greet)) as server:
        server.pause()

        server.shutdown()

        assert server.wait(20.0)


def test_ctrl_c_leaves_serve_forever_and_the_port_open() -> None:
    with program(
        """
        server = tcp().handler(lambda request, peer, server: request.sendall(b"hello")).build()
        server.listen()
        say("port", server.address.port)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("interrupted", server.phase.value)
        server.handle_request()
        server.stop()
        say("closed", server.phase.value)
        """
    ) as it:
        address = it.address()
        with connect(address) as client:
            assert read_all(client) == b"hello"

        it.signal(signal.SIGINT)

        assert it.hear("interrupted") == ["listening"]
        with connect(address) as client:
            assert read_all(client) == b"hello"
        assert it.hear("closed") == ["closed"]
        assert it.end() == (0, "")


@pytest.mark.parametrize("repeat", ["server.serve_forever()", "server.handle_request()"])
def test_ctrl_c_in_a_sync_handler_ends_its_request_and_the_server_can_go_on(repeat: str) -> None:
    with program(
        f"""
        server = tcp().handler(hold).build().listen()
        say("port", server.address.port)
        try:
            {repeat}
        except KeyboardInterrupt:
            say("interrupted", server.phase.value, server.stats.active, server.stats.failed)
        {repeat.replace("serve_forever", "handle_request")}
        say("report", server.drain())
        """
    ) as it:
        address = it.address()
        first = held(address)

        it.signal(signal.SIGINT)

        assert it.hear("interrupted") == ["listening", "0", "1"]
        assert read_all(first) == b""
        first.close()
        assert let_go(held(address)) == b"?"
        assert it.hear("report")
        assert it.end()[0] == 0
