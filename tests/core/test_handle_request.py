"""One request at a time, driven by the caller."""

import signal
import socket
import threading
from typing import Any

import pytest

from acceptor import Phase, Refused, Server
from tests.fakes import Call, greet, held, hold, in_phase, let_go, scripted, tcp
from tests.support import Recorder, connect, read_all, wait_until


def test_handle_request_serves_one_client_and_leaves_the_next_waiting() -> None:
    with (
        tcp().handler(greet).build() as server,
        connect(server.address) as first,
        connect(server.address) as second,
    ):
        served = server.handle_request()
        between = server.stats.accepted
        also_served = server.handle_request()

        assert read_all(first) == read_all(second) == b"hello"
    assert (served, between, also_served) == (True, 1, True)
    assert server.stats.finished == 2


def test_handle_request_listens_if_need_be_and_returns_false_at_the_timeout() -> None:
    server = tcp().handler(greet).build()

    served = server.handle_request(timeout=0.01)

    assert served is False
    assert in_phase(server, Phase.LISTENING)
    server.stop()


def test_handle_request_takes_a_client_that_waits_when_there_is_no_time() -> None:
    with tcp().handler(greet).build() as server:
        nobody = server.handle_request(timeout=0)
        with connect(server.address) as client:
            somebody = server.handle_request(timeout=0)

            assert read_all(client) == b"hello"
    assert (nobody, somebody) == (False, True)


def test_handle_request_counts_a_client_that_is_denied() -> None:
    recorder = Recorder()
    stage = tcp().access(lambda peer: False).observe(recorder)

    with stage.handler(greet).build() as server, connect(server.address) as client:
        served = server.handle_request()

        assert served is True
        assert read_all(client) == b""
    assert len(recorder.of(Refused)) == 1


def test_handle_request_counts_no_client_that_has_left_before() -> None:
    _, stage = scripted(None)

    with stage.handler(lambda *_: None).build() as server:
        served = server.handle_request(timeout=0)

    assert served is False


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
def test_handle_request_serves_under_every_strategy(strategy: str) -> None:
    with getattr(tcp(), strategy)().handler(greet).build() as server:
        with connect(server.address) as client:
            client.shutdown(socket.SHUT_WR)
            served = server.handle_request()

            assert served is True
            assert read_all(client) == b"hello"
        report = server.drain()

    assert report.cut == 0
    assert server.stats.finished == 1


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_handle_request_waits_for_room_when_all_workers_are_busy(strategy: str) -> None:
    with getattr(tcp(), strategy)(1).handler(hold).build() as server:
        first, second = connect(server.address), connect(server.address)
        server.handle_request()
        full = server.handle_request(timeout=0)
        let_go(first)
        served = server.handle_request()
        let_go(second)

    assert (full, served) == (False, True)


def test_handle_request_ends_when_it_is_shut_down_while_it_waits() -> None:
    with tcp().handler(greet).build() as server:
        call = Call(server.handle_request)
        wait_until(lambda: in_phase(server, Phase.SERVING))

        server.shutdown()

        assert call.result() is False


def test_handle_request_ends_at_once_when_it_was_shut_down_before() -> None:
    with tcp().handler(greet).build() as server, connect(server.address) as client:
        server.shutdown()

        ended = server.handle_request()
        served = server.handle_request()

        assert (ended, served) == (False, True)
        assert read_all(client) == b"hello"


def test_handle_request_ends_when_a_signal_handler_shuts_down() -> None:
    with tcp().handler(greet).build() as server:
        before = signal.signal(signal.SIGUSR1, lambda *_: server.shutdown())
        timer = threading.Thread(target=signal_once_serving, args=(server,))
        timer.start()
        try:
            served = server.handle_request()
        finally:
            timer.join()
            signal.signal(signal.SIGUSR1, before)

    assert served is False


def signal_once_serving(server: Server[Any, Any]) -> None:
    wait_until(lambda: in_phase(server, Phase.SERVING))
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)


def test_handle_request_ends_when_the_server_is_drained_meanwhile() -> None:
    server = tcp().handler(greet).build().listen()
    call = Call(server.handle_request)
    wait_until(lambda: in_phase(server, Phase.SERVING))

    server.drain()

    assert call.result() is False


def test_handle_request_raises_what_broke_the_listener() -> None:
    _, stage = scripted(TypeError("it broke"))
    server = stage.handler(lambda *_: None).build()

    with pytest.raises(TypeError, match="it broke"):
        server.handle_request()

    assert server.phase is Phase.CLOSED


def test_handle_request_can_be_mixed_with_serving() -> None:
    with tcp().threaded().handler(hold).build() as server:
        first = connect(server.address)
        server.handle_request()
        server.start()
        second = held(server.address)

        assert let_go(first) == b"!"
        assert let_go(second) == b"?"


def test_handle_request_goes_on_to_serve_when_a_handler_raises() -> None:
    def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        raise ValueError("oh no")

    with tcp().handler(fail).build() as server, connect(server.address) as client:
        served = server.handle_request()

        assert served is True
        assert read_all(client) == b""
    assert server.stats.failed == 1
