"""Handlers made alone, and the life that a server gives what a handler returns."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from acceptor import (
    BaseHandler,
    Closed,
    HandlerFailed,
    InetPeer,
    IPv4Peer,
    Outcome,
    Peer,
    Server,
    ServerBuilder,
    StreamHandler,
)
from acceptor.core.interfaces import RequestHandler
from tests.support import PATIENCE, Recorder, ask, connect, serving

PEER = IPv4Peer("127.0.0.1", 1)

tcp = ServerBuilder().tcp(("127.0.0.1", 0))


class Diary(BaseHandler[socket.socket, InetPeer]):
    """Writes down which of its methods is called, and raises in one of them if told to."""

    def __init__(
        self,
        request: socket.socket,
        client_address: InetPeer,
        server: Server[socket.socket, InetPeer],
        entries: list[str],
        fails_in: str = "",
    ) -> None:
        super().__init__(request, client_address, server)
        self.entries = entries
        self.fails_in = fails_in
        self.note("init")

    def note(self, method: str) -> None:
        self.entries.append(method)
        if method == self.fails_in:
            raise RuntimeError(f"{method} failed")

    def setup(self) -> None:
        self.note("setup")

    def handle(self) -> None:
        self.note("handle")

    def finish(self) -> None:
        self.note("finish")


def diary_of_one_request(fails_in: str = "") -> tuple[list[str], Recorder]:
    entries, recorder = list[str](), Recorder()

    def handler(
        request: socket.socket, client_address: InetPeer, server: Server[socket.socket, InetPeer]
    ) -> Diary:
        return Diary(request, client_address, server, entries, fails_in)

    with serving(tcp.observe(recorder).handler(handler)) as server:
        ask(server.address, b"")
        recorder.wait_for(Closed)
    return entries, recorder


def test_handler_made_alone_only_stores() -> None:
    request, server = object(), tcp.handler(BaseHandler).build()

    handler = BaseHandler(request, PEER, server)

    assert vars(handler) == {"request": request, "client_address": PEER, "server": server}


def test_handler_without_methods_of_its_own_does_nothing() -> None:
    handler = BaseHandler[object, Peer](object(), PEER, tcp.handler(BaseHandler).build())

    handler.setup()
    handler.handle()
    handler.finish()

    assert isinstance(handler, RequestHandler)


def test_stream_handler_made_alone_does_not_touch_its_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"question")

        handler = StreamHandler[socket.socket, Peer](ours, PEER, tcp.handler(StreamHandler).build())

        assert not hasattr(handler, "rfile")
        assert ours.recv(100) == b"question"


def test_server_runs_the_whole_life_of_a_handler() -> None:
    entries, recorder = diary_of_one_request()

    assert entries == ["init", "setup", "handle", "finish"]
    assert [event.outcome for event in recorder.of(Closed)] == [Outcome.FINISHED]


@pytest.mark.parametrize(
    ("fails_in", "called"),
    [
        ("init", ["init"]),
        ("setup", ["init", "setup"]),
        ("handle", ["init", "setup", "handle", "finish"]),
        ("finish", ["init", "setup", "handle", "finish"]),
    ],
)
def test_server_runs_finish_whenever_setup_has_succeeded(fails_in: str, called: list[str]) -> None:
    entries, recorder = diary_of_one_request(fails_in)

    assert entries == called
    assert [str(event.error) for event in recorder.of(HandlerFailed)] == [f"{fails_in} failed"]
    assert [event.outcome for event in recorder.of(Closed)] == [Outcome.FAILED]


class LooksLikeOne:
    """Has the methods by chance, and is none of our handlers."""

    def __init__(self, entries: list[str]) -> None:
        self.entries = entries

    def setup(self) -> None:
        self.entries.append("setup")

    handle = finish = setup


@pytest.mark.parametrize("make", [LooksLikeOne, lambda entries: None, lambda entries: BaseHandler])
def test_what_a_function_returns_by_chance_is_not_run(make: Callable[[list[str]], object]) -> None:
    entries, recorder = list[str](), Recorder()

    def handler(request: socket.socket, client_address: Peer, server: Server) -> object:
        return make(entries)

    with serving(tcp.observe(recorder).handler(handler)) as server:
        ask(server.address, b"")
        (closed,) = recorder.wait_for(Closed)

    assert entries == []
    assert closed.outcome is Outcome.FINISHED


def test_handler_gets_request_peer_and_server() -> None:
    got: list[tuple[Any, ...]] = []
    called = threading.Event()

    def handler(*arguments: object) -> None:
        got.append(arguments)
        called.set()

    with serving(tcp.handler(handler)) as server, connect(server.address) as client:
        own_address = client.getsockname()
        assert called.wait(PATIENCE)

    ((request, client_address, its_server),) = got
    assert isinstance(request, socket.socket)
    assert client_address == own_address
    assert type(client_address) is IPv4Peer
    assert its_server is server


def test_handler_is_made_anew_for_each_request() -> None:
    seen: list[object] = []

    class Remembers(StreamHandler):
        def handle(self) -> None:
            seen.append(self)

    with serving(tcp.handler(Remembers)) as server:
        for _ in range(3):
            ask(server.address, b"")

    assert len(set(map(id, seen))) == 3
