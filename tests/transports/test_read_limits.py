"""What the system is told of a connection's deadlines: by the port already, and how much it can."""

import math
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from acceptor import Closed, NeedsHandler, Outcome, Server, ServerBuilder, Timeouts
from acceptor.transports.served import NO_LIMITS, ServedSocket, read_limit_of
from tests.fakes import tcp
from tests.support import Recorder, ask, connect, serving
from tests.transports.tls_kit import begin_tls, echo_line, enter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no limit is inherited there")

ENDLESS = bytes(16)
Seen = tuple[tuple[float, float], bytes]


class Look:
    """A handler that notes what its connection came with, and what is left of that in the end."""

    def __init__(self) -> None:
        self.came: list[Seen] = []
        self.left: list[bytes] = []

    def __call__(self, request: Any, client_address: object, server: Server[Any, Any]) -> None:
        self.came.append((request.limits, read_limit_of(request)))
        with socket.socket(fileno=request.detach()) as plain:
            self.left.append(read_limit_of(plain))
            plain.sendall(b"!")


def look_at(stage: NeedsHandler[Any, Any], count: int = 3) -> Look:
    look = Look()
    with serving(stage.threaded().handler(look)) as server:
        for _ in range(count):
            with connect(server.address) as client:
                assert client.recv(1) == b"!"
    return look


def test_connections_come_with_the_idle_limit_and_know_it() -> None:
    look = look_at(tcp().timeouts(idle=7.0))

    assert {limits for limits, _ in look.came} == {(7.0, math.inf)}
    assert all(told != ENDLESS for _, told in look.came)


def test_descriptor_that_was_detached_obeys_no_limit() -> None:
    look = look_at(tcp().timeouts(idle=7.0))

    assert look.left == [ENDLESS] * 3


@pytest.mark.parametrize("idle", [None, math.inf, 1e12, 1e300])
def test_no_limit_is_handed_on_where_there_is_none_that_ends(idle: float | None) -> None:
    look = look_at(tcp().timeouts(idle=idle))

    assert look.came == [(NO_LIMITS, ENDLESS)] * 3


def test_no_limit_is_handed_on_by_a_port_that_others_may_have_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        adopted = look_at(
            ServerBuilder().socket(theirs.dup(), socket.SOCK_STREAM).timeouts(idle=7.0)
        )
    unix = look_at(ServerBuilder().unix_stream(tmp_path / "s").timeouts(idle=7.0))

    assert adopted.came == unix.came == [(NO_LIMITS, ENDLESS)] * 3


def test_first_read_has_no_limit_where_only_later_ones_are_to_have_one() -> None:
    seen: list[Seen] = []

    def read(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        request.recv(1, socket.MSG_WAITALL)  # which may wait, so the system is told
        seen.append((request.limits, read_limit_of(request)))

    stage = tcp().timeouts(first_data=None, idle=7.0, connection=None)
    with serving(stage.threaded().handler(read)) as server:
        for _ in range(2):
            assert ask(server.address, b"1") == b""

    assert seen == [(NO_LIMITS, ENDLESS)] * 2


@pytest.mark.parametrize("seconds", [1e12, 1e19, 1e300])
def test_time_longer_than_a_socket_can_be_told_is_no_limit(seconds: float) -> None:
    one, other = socket.socketpair()
    timeouts = Timeouts(first_data=seconds, idle=seconds, write=seconds, connection=seconds)
    served = ServedSocket.of(one.detach(), int(socket.AF_UNIX), 0)
    seen: list[bytes] = []

    def read() -> None:
        other.sendall(b"1")
        seen.append(served.recv(1, socket.MSG_WAITALL))

    with served, other:
        served.begin(timeouts, [0, 0])
        read()  # the main thread tells the socket's object, others the system
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()

    assert seen == [b"1", b"1"]


@pytest.mark.parametrize("seconds", [1e12, 1e300])
def test_time_longer_than_a_tls_socket_can_be_told_is_no_limit(seconds: float) -> None:
    stage = begin_tls().timeouts(
        handshake=seconds, first_data=seconds, idle=seconds, write=seconds, connection=seconds
    )
    with serving(stage.handler(echo_line)) as server, enter(server.address, "tls") as client:
        client.sendall(b"line\n")

        assert client.recv(5) == b"line\n"


def test_limit_of_no_time_at_all_is_exceeded_behind_tls_and_no_fault_of_the_handler() -> None:
    recorder = Recorder()
    stage = begin_tls().timeouts(first_data=0).observe(recorder)
    with serving(stage.handler(echo_line)) as server, enter(server.address, "tls") as client:
        assert client.recv(1) == b""

        recorder.wait_for(Closed, 1)

    assert [event.outcome for event in recorder.of(Closed)] == [Outcome.TIMED_OUT]
