"""The server's calls: what each opens, serves, returns and closes."""

import errno
import math
import select
import socket
import threading
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    Draining,
    LifecycleError,
    ListenError,
    Listening,
    Phase,
    ServerBuilder,
    Stats,
    Stopped,
    Timeouts,
)
from tests.fakes import Call, greet, held, hold, in_phase, let_go, tcp
from tests.support import (
    PATIENCE,
    Recorder,
    ask,
    connect,
    open_descriptors,
    read_all,
    serving,
    wait_until,
)


def test_build_opens_nothing() -> None:
    descriptors, threads = open_descriptors(), threading.active_count()

    server = tcp().threaded().handler(greet).build()

    assert open_descriptors() == descriptors
    assert threading.active_count() == threads
    assert server.phase is Phase.NEW
    assert server.stats == Stats()
    assert "NEW" in repr(server)


def test_build_makes_a_server_of_its_own_each_time() -> None:
    ready = tcp().handler(greet)

    with serving(ready) as one, serving(ready) as other:
        assert one.address != other.address
        assert ask(one.address, b"") == ask(other.address, b"") == b"hello"


def test_listen_returns_the_server_and_clients_may_connect_from_then_on() -> None:
    server = tcp().handler(greet).build()

    same = server.listen()

    with connect(server.address) as early:
        server.start()
        assert same is server
        assert read_all(early) == b"hello"
    server.stop()


def test_listen_tells_the_address_with_the_port_that_the_kernel_chose() -> None:
    recorder = Recorder()

    with tcp().observe(recorder).handler(greet).build() as server:
        host, port = server.address

        assert host == "127.0.0.1"
        assert port > 0
        assert recorder.of(Listening) == [Listening(address=server.address)]


def test_listen_leaves_a_new_server_that_can_try_again_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        server = ServerBuilder().tcp(owner.getsockname()).handler(greet).build()
        descriptors = open_descriptors()

        with pytest.raises(ListenError) as caught:
            server.listen()

        assert caught.value.errno == errno.EADDRINUSE
        assert open_descriptors() == descriptors
        assert in_phase(server, Phase.NEW)
    with server:
        assert in_phase(server, Phase.LISTENING)


@pytest.mark.parametrize("call", ["start", "serve_forever", "handle_request", "__enter__"])
def test_serving_calls_raise_what_listening_raises(call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        server = ServerBuilder().tcp(owner.getsockname()).handler(greet).build()

        with pytest.raises(ListenError):
            getattr(server, call)()

    server.stop()


def test_fileno_is_readable_when_a_client_waits_and_gone_once_closed() -> None:
    with tcp().handler(greet).build() as server:
        idle = select.select([server], [], [], 0)[0]
        with connect(server.address) as client:
            ready = select.select([server], [], [], PATIENCE)[0]
            served = server.handle_request()
            assert read_all(client) == b"hello"

    assert (idle, ready, served) == ([], [server], True)
    assert server.fileno() == -1


def test_address_is_still_told_once_closed() -> None:
    with tcp().handler(greet).build() as server:
        address = server.address

    assert server.address == address


def test_with_block_drains_with_the_default_timeout_on_exit() -> None:
    recorder = Recorder()

    with tcp().observe(recorder).handler(greet).build() as server:
        server.start()
        answer = ask(server.address, b"")

    assert answer == b"hello"
    assert server.phase is Phase.CLOSED
    assert [draining.timeout for draining in recorder.of(Draining)] == [Timeouts().drain]


@pytest.mark.parametrize("error", [ValueError("it broke"), KeyboardInterrupt()])
def test_with_block_that_raises_stops_at_once(error: BaseException) -> None:
    recorder = Recorder()
    server = tcp().threaded().observe(recorder).handler(hold).build().start()

    def leave() -> None:
        with server:
            raise error

    with held(server.address), pytest.raises(type(error)) as caught:
        leave()

    assert caught.value is error
    assert in_phase(server, Phase.CLOSED)
    assert [draining.timeout for draining in recorder.of(Draining)] == [0.0]
    assert [stopped.report.cut for stopped in recorder.of(Stopped)] == [1]


@pytest.mark.parametrize("call", ["listen", "start", "__enter__"])
def test_with_block_takes_a_server_that_is_open_already(call: str) -> None:
    server = tcp().handler(greet).build()

    with getattr(server, call)() as same:
        assert same is server

    assert server.phase is Phase.CLOSED


def test_with_block_accepts_that_it_was_drained_inside() -> None:
    with tcp().handler(greet).build() as server:
        server.start()
        report = server.drain()

    assert server.drain() is report


def test_start_serves_in_the_background_and_returns_the_server() -> None:
    server = tcp().handler(greet).build()

    same = server.start()

    assert same is server
    assert server.phase is Phase.SERVING
    assert ask(server.address, b"") == b"hello"
    server.stop()


def test_start_leaves_a_listening_server_when_there_are_no_more_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with tcp().handler(greet).build() as server:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="new thread"):
                server.start()

        assert server.phase is Phase.LISTENING
        assert ask(server.start().address, b"") == b"hello"


def test_only_one_of_two_threads_gets_to_serve() -> None:
    with tcp().handler(greet).build() as server:
        calls = [Call(server.serve_forever) for _ in range(2)]
        wait_until(lambda: in_phase(server, Phase.SERVING))
        answer = ask(server.address, b"")
        wait_until(lambda: any(call.has_ended for call in calls))
        server.shutdown()

        results = [call.result() for call in calls]

    assert answer == b"hello"
    assert sorted(type(result).__name__ for result in results) == ["LifecycleError", "NoneType"]


def test_wait_returns_false_while_the_server_serves_and_true_after() -> None:
    with tcp().handler(greet).build() as server:
        before = server.wait()
        server.start()
        meanwhile = server.wait(0)
        server.shutdown()
        after = server.wait()

    assert (before, meanwhile, after) == (True, False, True)


@pytest.mark.parametrize("timeout", [-1, math.nan, "soon"])
@pytest.mark.parametrize("call", ["wait", "drain", "handle_request", "run"])
def test_timeout_that_makes_no_sense_is_refused_before_anything_happens(
    call: str, timeout: Any
) -> None:
    server = tcp().handler(greet).build()

    with pytest.raises(ConfigurationError, match="must be seconds"):
        getattr(server, call)(timeout)

    assert server.phase is Phase.NEW


def test_use_after_close_is_an_error_with_the_phase() -> None:
    server = tcp().handler(greet).build()
    with server:
        pass

    with pytest.raises(LifecycleError, match="the server is closed"), server:
        pytest.fail("a closed server was entered")


def test_sync_server_serves_others_while_a_held_client_is_gone() -> None:
    with serving(tcp().handler(hold)) as server:
        held(server.address).close()
        client = held(server.address)

        assert let_go(client) == b"?"
