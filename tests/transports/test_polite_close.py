"""The end of a connection: the client reads the whole of the last reply."""

import contextlib
import socket
from typing import Any

import pytest

from acceptor import (
    Closed,
    ServerBuilder,
)
from tests.support import Recorder, ask, connect, read_all, serving

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
