"""Children: bounded, minded one by one, and a request each."""

import functools
import os
import signal
import socket
import struct
import subprocess
import sys
from typing import Any

import pytest

from acceptor import (
    Accepted,
    Closed,
    Outcome,
    Server,
)
from acceptor.core.reporting import LOGGER
from acceptor.transports import stream
from tests.fakes import Call, greet, held, hold, let_go, tcp
from tests.support import Recorder, ask, connect, serving


def tell_pid(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    request.sendall(b"%d\n" % os.getpid())
    request.recv(1)


def pid_of(client: socket.socket) -> int:
    with client.makefile("rb") as lines:
        return int(lines.readline())


def test_each_request_has_a_child_of_its_own() -> None:
    with serving(tcp().forked().handler(tell_pid)) as server:
        pids = {int(ask(server.address, b"")) for _ in range(3)}

    assert len(pids) == 3
    assert os.getpid() not in pids


def test_clients_beyond_the_bound_wait_and_are_served_later() -> None:
    recorder = Recorder()
    with serving(tcp().forked(2).observe(recorder).handler(hold)) as server:
        first, second = held(server.address), held(server.address)
        third = connect(server.address)
        before = server.stats

        assert let_go(first) == b"?"
        assert third.recv(1) == b"!"
        assert let_go(third) == let_go(second) == b"?"

        recorder.wait_for(Closed, 3)
        kinds = [type(event) for event in recorder.events if isinstance(event, Accepted | Closed)]
    assert (before.accepted, before.active) == (2, 2)
    assert kinds[:4] == [Accepted, Accepted, Closed, Accepted]


def test_accept_loop_goes_on_while_children_run() -> None:
    with serving(tcp().forked().handler(hold)) as server:
        stuck = [held(server.address) for _ in range(5)]
        client = held(server.address)

        assert let_go(client) == b"?"
        assert [let_go(other) for other in stuck] == [b"?"] * 5


def test_children_of_others_are_left_to_them() -> None:
    other = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is not reaped
    # In one thread, whose children the system finds first when it is asked for just any.
    with tcp().forked().handler(greet).build() as server:
        for _ in range(5):
            client = Call(functools.partial(ask, server.address, b""))
            server.handle_request()
            assert client.result() == b"hello"
        server.drain()

    assert server.stats.finished == 5
    assert os.waitpid(other.pid, os.WNOHANG)[0] == other.pid
    other.returncode = 0


def test_child_that_is_killed_is_lost_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    with serving(tcp().forked().observe(recorder).handler(tell_pid)) as server:
        with connect(server.address) as client:
            os.kill(pid_of(client), signal.SIGKILL)
            (closed,) = recorder.wait_for(Closed)

        assert ask(server.address, b"")
        server.drain()
    assert closed.outcome is Outcome.LOST
    assert server.stats.lost == 1
    assert "was killed" in caplog.text


def exit_with(status: int) -> Any:
    return lambda request, client_address, server: os._exit(status)


def fail_with(error: BaseException) -> Any:
    def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        LOGGER.disabled = True  # of the child alone; its traceback is no news
        raise error

    return fail


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (greet, Outcome.FINISHED),
        (exit_with(0), Outcome.FINISHED),
        (exit_with(1), Outcome.FAILED),
        (exit_with(255), Outcome.FAILED),
        (fail_with(ValueError()), Outcome.FAILED),
        (fail_with(SystemExit(0)), Outcome.FAILED),
        (fail_with(KeyboardInterrupt()), Outcome.FAILED),
        (fail_with(GeneratorExit()), Outcome.FAILED),
        (fail_with(TimeoutError("elsewhere")), Outcome.FAILED),
    ],
)
def test_exit_status_of_the_child_says_how_the_request_ended(
    handler: Any, outcome: Outcome
) -> None:
    recorder = Recorder()
    with serving(tcp().forked().observe(recorder).handler(handler)) as server:
        ask(server.address, b"")
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is outcome


def test_client_that_keeps_the_handler_waiting_is_told_from_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.settimeout(0.01)
        request.recv(1)

    # The child holds a copy of our socket, too, so it would wait in vain for us to leave.
    monkeypatch.setattr(stream, "LINGER_SECONDS", 0.01)
    recorder = Recorder()
    with serving(tcp().forked().observe(recorder).handler(wait)) as server:
        with connect(server.address) as client:
            client.recv(1)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT


def test_client_that_resets_is_told_from_a_failure() -> None:
    def read(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        client.close()  # the copy that the child has got; or it would keep the connection up
        hold(request, client_address, server)

    recorder = Recorder()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with serving(tcp().forked().observe(recorder).handler(read)) as server:
        with client:
            client.connect(server.address)
            client.recv(1)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.CLIENT_LEFT
