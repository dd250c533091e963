"""Pause and resume: the port is kept and clients wait in the backlog."""

import select
import socket
from collections.abc import Callable

import pytest

from acceptor import Accepted, Event, Phase
from tests.fakes import greet, held, hold, in_phase, let_go, tcp
from tests.support import PATIENCE, ask, connect, read_all, serving


@pytest.fixture(params=["sync", "threaded", "pooled", "forked"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def phases_at_accept() -> tuple[list[Phase], Callable[[Event], None], list[Callable[[], Phase]]]:
    """Return a list, the observer that fills it, and where to put the way to the phase."""
    seen: list[Phase] = []
    source: list[Callable[[], Phase]] = []

    def observe(event: Event) -> None:
        if isinstance(event, Accepted):
            seen.append(source[0]())

    return seen, observe, source


def test_paused_server_leaves_clients_in_the_backlog_until_it_resumes(strategy: str) -> None:
    seen, observe, source = phases_at_accept()
    with serving(getattr(tcp(), strategy)().observe(observe).handler(greet)) as server:
        source.append(lambda: server.phase)
        ask(server.address, b"")
        server.pause()
        paused = server.phase
        with connect(server.address) as waiting:
            waiting.shutdown(socket.SHUT_WR)
            at_the_port = select.select([server], [], [], PATIENCE)[0]
            server.resume()

            assert read_all(waiting) == b"hello"

    assert paused is Phase.PAUSED
    assert at_the_port == [server]
    assert seen == [Phase.SERVING, Phase.SERVING]


def test_paused_server_lets_running_requests_go_on() -> None:
    with serving(tcp().threaded().handler(hold)) as server:
        client = held(server.address)

        server.pause()

        assert let_go(client) == b"?"


def test_paused_server_keeps_its_port_and_its_number() -> None:
    with serving(tcp().handler(greet)) as server:
        address, number = server.address, server.fileno()

        server.pause()
        server.resume()

        assert (server.address, server.fileno()) == (address, number)
        assert ask(address, b"") == b"hello"


def test_pause_may_be_called_by_a_handler_and_resume_by_another_thread() -> None:
    with serving(tcp().handler(lambda request, peer, server: server.pause())) as server:
        ask(server.address, b"")
        assert in_phase(server, Phase.PAUSED)

        with connect(server.address) as client:
            server.resume()

            assert read_all(client) == b""


def test_paused_server_can_be_shut_down_and_serves_unpaused_the_next_time() -> None:
    with tcp().handler(greet).build() as server:
        server.start().pause()
        server.shutdown()
        server.wait()
        listening = server.phase
        server.start()

        assert listening is Phase.LISTENING
        assert ask(server.address, b"") == b"hello"


def test_paused_server_can_be_drained_and_its_clients_are_refused() -> None:
    with tcp().handler(greet).build() as server:
        server.start().pause()

        report = server.drain()

        assert (report.finished, report.cut) == (0, 0)
        with pytest.raises(ConnectionRefusedError):
            connect(server.address)


def test_pause_and_resume_again_and_again_lose_no_client(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(greet)) as server:
        for _ in range(50):
            server.pause()
            with connect(server.address) as client:
                client.shutdown(socket.SHUT_WR)
                server.resume()

                assert read_all(client) == b"hello"
