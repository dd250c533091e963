"""The limit of reads that connections have from the port on which they came."""

import contextlib
import math
import socket
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import Timeouts
from acceptor.core.endpoint import TcpEndpoint, UnixEndpoint
from acceptor.transports import served as module
from acceptor.transports.adopted import AdoptedStreamTransport
from acceptor.transports.served import NO_LIMITS, ServedSocket, read_limit_of
from acceptor.transports.stream import StreamListener
from acceptor.transports.tcp import TcpTransport
from acceptor.transports.unix_stream import UnixStreamTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is not known")

NONE = bytes(16)


@contextlib.contextmanager
def listening(transport: Any, idle: float | None) -> Generator[StreamListener[Any], None, None]:
    listener: StreamListener[Any] = transport.listen()
    listener.hand_on(Timeouts(idle=idle))
    try:
        yield listener
    finally:
        listener.close()


@contextlib.contextmanager
def client_of(
    listener: StreamListener[Any],
) -> Generator[tuple[ServedSocket, socket.socket], None, None]:
    with socket.socket(listener.socket.family) as client:
        client.connect(listener.socket.getsockname())
        incoming: Any = listener.accept()
        with incoming._socket as served:
            yield served, client


def tcp() -> TcpTransport:
    return TcpTransport(endpoint=TcpEndpoint("127.0.0.1", 0))


def test_connections_come_with_the_limit_of_later_reads() -> None:
    with (
        listening(tcp(), 7.5) as listener,
        client_of(listener) as (first, _),
        client_of(listener) as (second, _),
    ):
        limits = [first.limits, second.limits]
        told = {read_limit_of(first), read_limit_of(second)}
        handed_on = read_limit_of(listener.socket)

    assert limits == [(7.5, math.inf)] * 2
    assert told == {handed_on}
    assert handed_on != NONE


def test_read_that_waits_needs_not_be_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, got = list[Any](), list[bytes]()
    with listening(tcp(), 7.5) as listener, client_of(listener) as (served, client):
        served.begin(Timeouts(idle=7.5), [1, 0])  # something has come already
        monkeypatch.setattr(module, "_setsockopt", lambda *arguments: calls.append(arguments))
        reader = threading.Thread(target=lambda: got.append(served.recv(1, socket.MSG_WAITALL)))
        reader.start()
        client.sendall(b"1")
        reader.join()

    assert got == [b"1"]
    assert calls == []


def test_first_read_has_its_own_limit() -> None:
    errors = list[BaseException]()

    def read(served: ServedSocket) -> None:
        try:
            served.recv(1)
        except TimeoutError as error:
            errors.append(error)

    with listening(tcp(), 3600.0) as listener, client_of(listener) as (served, _):
        served.begin(Timeouts(first_data=0.05, idle=3600.0), [0, 0])
        reader = threading.Thread(target=read, args=(served,))
        reader.start()
        reader.join(20)
        assert not reader.is_alive()

    assert [str(error) for error in errors] == ["the client kept the connection waiting for 0.05 s"]


def test_limit_that_the_owner_of_a_port_has_handed_on_does_not_count() -> None:
    with listening(tcp(), 7.5) as owner:
        source = owner.socket.dup().detach()
        with (
            listening(AdoptedStreamTransport(source=source), None) as listener,
            client_of(listener) as (served, client),
        ):
            told = read_limit_of(served)
            served.begin(Timeouts(first_data=None, idle=None, connection=None), [0, 0])
            reader = threading.Thread(target=served.recv, args=(1, socket.MSG_WAITALL))
            reader.start()
            client.sendall(b"1")
            reader.join(20)

            assert told != NONE
            assert read_limit_of(served) == NONE


def test_connection_that_has_inherited_nothing_is_told_when_it_is_time(tmp_path: Path) -> None:
    transport = UnixStreamTransport(endpoint=UnixEndpoint(str(tmp_path / "s")))
    with listening(transport, 7.5) as listener:
        listener.is_ours = True  # as if
        listener.hand_on(Timeouts(idle=7.5))
        with client_of(listener) as (first, _), client_of(listener) as (second, _):
            limits = [first.limits, second.limits]
            told = {read_limit_of(first), read_limit_of(second)}

    assert limits == [NO_LIMITS] * 2
    assert told == {NONE}
