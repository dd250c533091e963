"""The connection that handlers are given, where its deadlines change on the way."""

import math
import socket
import threading
from collections.abc import Generator
from typing import Any

import pytest

from acceptor import Timeouts
from acceptor.core.baton import BATON
from acceptor.transports import served as module
from acceptor.transports.served import ServedSocket

NO_LIMIT = Timeouts(first_data=None, idle=None, write=None, connection=None)


@pytest.fixture
def pair() -> Generator[tuple[ServedSocket, socket.socket], None, None]:
    one, other = socket.socketpair()
    served = ServedSocket.of(one.detach(), int(socket.AF_UNIX), 0)
    with served, other:
        yield served, other


def test_deadlines_of_before_hold_no_longer_once_there_are_others(
    pair: tuple[ServedSocket, socket.socket],
) -> None:
    served, client = pair
    served.begin(Timeouts(first_data=None, idle=None, write=None, connection=0.2), [0, 0])
    seen = []

    def read() -> None:  # not in the main thread, where the system is told of no deadline
        for piece in (b"1", b"2"):
            client.sendall(piece)
            seen.append(served.recv(1, socket.MSG_WAITALL))
        served.go_on(NO_LIMIT, [0, 0])
        seen.append(served.recv(1))

    later = threading.Timer(0.4, client.sendall, [b"3"])
    reader = threading.Thread(target=read)
    later.start()
    reader.start()
    reader.join()
    later.join()

    assert seen == [b"1", b"2", b"3"]


@pytest.mark.skipif(not hasattr(socket, "MSG_DONTWAIT"), reason="each read waits at once")
def test_read_is_one_call_where_nobody_takes_turns_for_a_while(
    pair: tuple[ServedSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, client = pair
    served.begin(Timeouts(), [0, 0])
    flags = list[tuple[int, ...]]()

    def receive(sock: socket.socket, size: int, *others: int) -> Any:
        flags.append(others)
        return socket.SocketType.recv(sock, size, *others)

    def read() -> None:
        BATON.join()
        served.recv(1)
        served.recv(1, socket.MSG_PEEK)  # the system is told the deadline
        monkeypatch.setattr(module, "_recv", receive)
        served.recv(1)
        BATON.leave()

    monkeypatch.setattr(BATON, "is_open", True)
    monkeypatch.setattr(BATON, "_open_until", math.inf)
    client.sendall(b"12")
    reader = threading.Thread(target=read)
    reader.start()
    reader.join()

    assert flags == [()]
