"""Held connections of a crew of threads: who owns one, and what others want of it meanwhile."""

import sys
import threading
from typing import Any

import pytest

from acceptor import (
    Closed,
    Connection,
    HandlerFailed,
    Message,
    Outcome,
    Server,
    ServerBuilder,
    lines,
)
from tests.fakes import Call
from tests.support import PATIENCE, Recorder, connect, read_all, serving, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no epoll")


def framed(**options: Any) -> Any:
    return ServerBuilder().tcp(("127.0.0.1", 0)).framed(lines(), **options).threaded(4)


def test_what_another_thread_replies_before_it_closes_goes_out() -> None:
    def handle(message: Message, client_address: object, server: Server[Any, Any]) -> None:
        def answer() -> None:
            message.reply(b"one")
            message.reply(b"two")
            message.close()

        Call(answer).result()

    with serving(framed().handler(handle)) as server, connect(server.address) as client:
        client.sendall(b"?\n")

        assert read_all(client) == b"one\ntwo\n"


def test_nobody_claims_a_connection_before_it_is_admitted() -> None:
    claimed: list[bool] = []

    class Session:
        def opened(self, connection: Connection[Any]) -> None:
            held: Any = connection
            claimed.append(held.holder._claim(held))

    stage = framed(session=Session)
    with serving(stage.handler(lambda *_: None)) as server, connect(server.address):
        wait_until(lambda: claimed, "the session has begun")

    assert claimed == [False]


def test_connection_is_its_handlers_until_that_returns_though_the_server_has_closed() -> None:
    recorder = Recorder()
    begun, go = threading.Event(), threading.Event()
    replies: list[bool] = []

    def handle(message: Message, client_address: object, server: Server[Any, Any]) -> None:
        begun.set()
        assert go.wait(PATIENCE)
        replies.append(message.reply(b"too late"))

    server = framed().observe(recorder).handler(handle).build().start()
    with connect(server.address) as client:
        client.sendall(b"?\n")
        assert begun.wait(PATIENCE)
        report = server.drain(0)
        active = server.stats.active
        go.set()
        (closed,) = recorder.wait_for(Closed)
        wait_until(lambda: not server.stats.active, "its slot is given back")

    assert (report.cut, active) == (1, 1)
    assert closed.outcome is Outcome.CUT
    assert replies == [False]
    assert not recorder.of(HandlerFailed)
