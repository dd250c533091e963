"""How memory connections end, and what the two ends see of it."""

import socket
import struct
from typing import Any

import pytest

from acceptor import Closed, Outcome, Server, ServerBuilder
from acceptor.testing import FakeClock, MemorySocket, MemoryTransport, memory, serve
from tests.fakes import Call, greet, hold
from tests.support import read_all
from tests.testing.test_memory_as_socket import memory_pair


def leave_by_reset(client: MemorySocket) -> None:
    client.reset()


def leave_by_linger(client: MemorySocket) -> None:
    client.recv(100)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def leave_unread(client: MemorySocket) -> None:
    client.close()


LEAVE = [leave_by_reset, leave_by_linger, leave_unread]


@pytest.mark.parametrize("leave", LEAVE)
def test_client_that_resets_is_told_as_one_that_left(leave: Any) -> None:
    transport = MemoryTransport()
    with (
        serve(ServerBuilder().transport(transport).threaded().handler(hold)) as serving,
        transport.connect() as client,
    ):
        assert client.recv(1, socket.MSG_PEEK) == b"!"

        leave(client)
        [closed] = serving.events.wait_for(Closed)

    assert closed.outcome is Outcome.CLIENT_LEFT


@pytest.mark.parametrize("leave", LEAVE)
def test_reset_overtakes_what_was_sent_before(leave: Any) -> None:
    served, client = memory_pair(MemoryTransport())
    served.sendall(b"unread")
    client.sendall(b"lost")

    leave(client)

    with served, pytest.raises(ConnectionResetError):
        served.recv(1)
    with served, pytest.raises(OSError, match=r".*"):
        served.shutdown(socket.SHUT_WR)


def test_close_lets_what_was_sent_before_be_read() -> None:
    served, client = memory_pair(MemoryTransport())
    with client:
        client.sendall(b"last words")

    with served:
        assert read_all(served) == b"last words"


def test_close_ends_a_read_of_another_thread() -> None:
    served, client = memory_pair(MemoryTransport())
    reading = Call(lambda: served.recv(1))

    served.close()

    assert isinstance(reading.result(), OSError)
    client.close()


def test_hang_up_that_is_not_the_clients_is_the_handlers_failure() -> None:
    def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        raise ConnectionResetError("somebody else's")

    stage = ServerBuilder().transport(MemoryTransport()).handler(fail)
    with serve(stage, client=True, may_fail=True) as serving:
        [closed] = serving.events.wait_for(Closed)

    assert closed.outcome is Outcome.FAILED


def test_client_sees_the_end_while_its_own_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LINGER_SECONDS", 3600.0)
    stage = ServerBuilder().transport(MemoryTransport()).threaded()

    with serve(stage.handler(greet), client=True) as serving:
        assert read_all(serving.client) == b"hello"
        early = serving.events.of(Closed)
        serving.client.close()
        serving.events.wait_for(Closed)

    assert early == []


def test_client_that_stays_is_not_waited_for_by_a_fake_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "LINGER_SECONDS", 3600.0)
    stage = ServerBuilder().transport(MemoryTransport(clock=FakeClock())).threaded()

    with serve(stage.handler(greet), client=True) as serving:
        serving.events.wait_for(Closed)

        assert read_all(serving.client) == b"hello"


def test_write_takes_what_there_is_room_for_and_then_waits() -> None:
    served, client = memory_pair(MemoryTransport(capacity=100))
    with served, client:
        served.setblocking(False)

        assert [served.send(bytes(60)), served.send(bytes(60))] == [60, 40]
        with pytest.raises(BlockingIOError):
            served.send(b"x")
        assert len(client.recv(30)) == 30
        assert served.send(bytes(60)) == 30


def test_handler_that_floods_goes_on_when_the_client_reads() -> None:
    def flood(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.sendall(b"x" * 1000)

    stage = ServerBuilder().transport(MemoryTransport(capacity=100)).threaded().handler(flood)
    with serve(stage, client=True) as serving:
        first = serving.client.recv(1000)
        early = serving.events.of(Closed)
        rest = Call(lambda: read_all(serving.client)).result()

    assert 0 < len(first) <= 100
    assert early == []
    assert len(first + rest) == 1000
