"""The end of a connection: the client reads the whole of the last reply."""

import contextlib
import socket
import sys
import threading
from typing import Any

import pytest

from acceptor import (
    Closed,
    ServerBuilder,
    Timeouts,
)
from acceptor.core.baton import Baton
from acceptor.transports.served import ServedSocket
from acceptor.transports.stream import StreamIncoming
from tests.support import PATIENCE, Recorder, ask, connect, read_all, serving, wait_until

# Small enough for the send buffer, so that the handler need not wait for a reader.
LOOPBACK = ("127.0.0.1", 0)
REPLY = b"r" * 50_000


def reply_unread(request: socket.socket, peer: Any, server: Any) -> None:
    request.recv(1)
    request.sendall(REPLY)


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_tcp_close_waits_for_an_unread_upload(strategy: str) -> None:
    stage = getattr(ServerBuilder().tcp(LOOPBACK), strategy)()

    with serving(stage.handler(reply_unread)) as server:
        answer = ask(server.address, b"u" * 8_000_000)

    assert answer == REPLY


def test_tcp_close_loses_no_reply_under_sync() -> None:
    recorder = Recorder()
    ready = ServerBuilder().tcp(LOOPBACK).observe(recorder).handler(reply_unread)

    with serving(ready) as server, connect(server.address) as client:
        # More than was read, all of it on its way before the server ends the connection.
        client.sendall(b"u" * 60_000)
        recorder.wait_for(Closed)
        with contextlib.suppress(ConnectionError):  # sync does not wait for what is still sent
            client.sendall(b"u" * 8_000_000)
        answer = read_all(client)

    assert answer == REPLY


def test_tcp_close_waits_for_no_endless_upload() -> None:
    recorder = Recorder()
    ready = ServerBuilder().tcp(LOOPBACK).threaded().observe(recorder).handler(reply_unread)

    with serving(ready) as server, connect(server.address) as client:
        with pytest.raises(ConnectionError):
            client.sendall(b"u" * 2**28)

        recorder.wait_for(Closed)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system drops what comes then")
def test_tcp_close_loses_no_reply_where_the_handler_has_stopped_reading() -> None:
    has_stopped = threading.Event()

    def stop_reading(request: socket.socket, peer: Any, server: Any) -> None:
        reply_unread(request, peer, server)
        request.shutdown(socket.SHUT_RD)
        assert request.recv(1) == b""  # not since the client has ended
        has_stopped.set()
        wait_until(lambda: request.recv(1, socket.MSG_PEEK) != b"", "it has sent more")

    ready = ServerBuilder().tcp(LOOPBACK).threaded().handler(stop_reading)
    with serving(ready) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # most of it is on its way
        client.settimeout(PATIENCE)
        client.connect(tuple(server.address))
        client.sendall(b"?")
        assert has_stopped.wait(PATIENCE)
        client.sendall(b"more")
        wait_until(lambda: not server.stats.active, "it has closed")
        answer = read_all(client)

    assert answer == REPLY


def test_close_that_waits_for_nothing_keeps_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, client = socket.socketpair()
    served = ServedSocket.of(ours.detach(), int(socket.AF_UNIX), 0)
    incoming = StreamIncoming(served, "somebody")
    incoming.handshake(Timeouts(), [0, 0])
    given_up = list[Baton]()
    monkeypatch.setattr(Baton, "give_up", given_up.append)

    with client:
        client.sendall(b"unread")
        incoming.close(patient=False)

    assert given_up == []
