"""What other threads, children and sessions reply: in its order, all of it, and then no more."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor import Connection, Framing, Message
from acceptor.core.polling import READABLE, WRITABLE
from tests.framed.held_kit import EVERY, ask, forks, framed, handler_of, upper
from tests.framed.test_framed_backpressure import connection_of
from tests.support import PATIENCE, connect, read_all, serving, wait_until


@attrs.define(eq=False)
class Sessions:
    """Makes sessions that keep their connections."""

    on_open: Callable[[Any], object] = lambda connection: None
    connections: list[Connection[Any]] = attrs.field(factory=list)

    def __call__(self) -> "Sessions":
        return self

    def opened(self, connection: Connection[Any]) -> None:
        self.connections.append(connection)
        self.on_open(connection)


@pytest.mark.parametrize("strategy", EVERY)
def test_greeting_of_a_session_comes_before_all_replies(strategy: str) -> None:
    sessions = Sessions(lambda connection: connection.reply(b"welcome"))
    stage = framed(strategy, session=sessions).handler(upper)
    with stage.build() as server, connect(server.address) as client:
        client.sendall(b"x\n")
        client.shutdown(socket.SHUT_WR)

        server.start()

        assert read_all(client) == b"welcome\nX\n"


@attrs.define(eq=False)
class Noting:
    """A poller that knows what is waited for."""

    inner: Any
    masks: dict[int, int] = attrs.field(factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def register(self, fd: int, mask: int) -> None:
        self.masks[fd] = mask
        self.inner.register(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        self.masks[fd] = mask
        self.inner.modify(fd, mask)


def read_exactly(client: socket.socket, count: int) -> None:
    """Read so many bytes."""
    while count:
        data = client.recv(min(count, 2**16))
        assert data
        count -= len(data)


@pytest.mark.parametrize(
    "strategy", [case for case in EVERY if case.values[0] not in ("threaded", "pooled")]
)
def test_loop_waits_for_its_client_again_when_mail_has_sent_the_rest(strategy: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def be_busy(connection: Any) -> None:
        if connection.id > 1:
            begun.set()
            assert go_on.wait(PATIENCE)

    sessions, asked = Sessions(be_busy), 0
    stage = framed(strategy, session=sessions, max_output=2**21).handler(upper)
    with stage.build() as server, connect(server.address) as slow:
        server._loop.waiter.poller = poller = Noting(server._loop.waiter.poller)
        server.start()
        wait_until(lambda: sessions.connections)
        connection = connection_of(server, 1)

        def has_more_than_fits() -> bool:
            nonlocal asked
            asked += 100_001 * connection.reply(b"x" * 100_000)
            return poller.masks.get(connection.fd) == WRITABLE

        wait_until(has_more_than_fits)
        with connect(server.address) as other:
            assert begun.wait(PATIENCE)
            sent = connection.traffic[1]
            read_exactly(slow, sent)  # so the rest has room, and goes with the mail
            assert connection.reply(b"mail")
            go_on.set()
            read_exactly(slow, asked - sent + len(b"mail\n"))

            assert ask(other, b"x") == b"X"
            assert poller.masks[connection.fd] == READABLE


@forks
@pytest.mark.parametrize("size", [10, 5_000_000])
def test_child_may_reply_to_the_end_though_another_thread_closes(size: int) -> None:
    sessions = Sessions()
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)

    def reply_twice(message: Message[Any]) -> None:
        message.reply(b"x" * size)
        theirs.recv(1)
        message.reply(b"last")

    stage = framed("forked", session=sessions, max_output=2**24).handler(handler_of(reply_twice))
    with ours, theirs, serving(stage) as server, connect(server.address) as client:
        client.sendall(b"one\ntwo\n")
        wait_until(lambda: server.connections() and server.connections()[0].sent)

        sessions.connections[0].close()

        read_exactly(client, size + 1)
        ours.sendall(b"!")
        assert read_all(client) == b"last\n"


class Raw(Framing):
    """Whatever has come together is a message."""

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        return bytes(data), len(data)

    def wrap(self, payload: bytes, /) -> bytes:
        return payload


@pytest.mark.parametrize("strategy", EVERY)
def test_reply_of_no_bytes_does_not_end_its_connection(strategy: str) -> None:
    def reply_twice(message: Message[Any]) -> None:
        assert message.reply(b"")
        assert message.reply(message.payload)

    stage = framed(strategy, Raw()).handler(handler_of(reply_twice))
    with serving(stage) as server, connect(server.address) as client:
        for word in (b"a", b"b"):
            client.sendall(word)

            assert client.recv(10) == word
