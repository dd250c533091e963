"""A transport that others have written, with a handshake."""

import contextlib
import socket
import threading
from typing import Any

import attrs
import pytest

from acceptor import (
    Closed,
    ConfigurationError,
    HandshakeError,
    HandshakeFailed,
    InetPeer,
    IPv4Peer,
    Outcome,
    Refusal,
    Server,
    ServerBuilder,
    TcpEndpoint,
    TcpTransport,
    Timeouts,
    Traffic,
)
from tests.fakes import greet
from tests.support import PATIENCE, Recorder, ask, connect, read_all, serving


@attrs.frozen
class Members:
    """What the handshake of the club yields: not a socket, but who is there and a way to talk."""

    name: str
    connection: socket.socket


@attrs.define(eq=False)
class ClubIncoming:
    """A client that must tell its name before it gets in."""

    connection: socket.socket
    peer: InetPeer
    closed: threading.Event = attrs.field(factory=threading.Event)

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> Members:
        self.connection.settimeout(min(timeouts.handshake or PATIENCE, PATIENCE))
        with self.connection.makefile("rb") as lines:
            name = lines.readline().decode().strip()
        if not name:
            raise HandshakeError("no name, no entry")
        return Members(name, self.connection)

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        return Outcome.CLIENT_LEFT if isinstance(error, EOFError) else None

    def close(self, *, patient: bool) -> None:
        self.connection.close()

    def cut(self) -> None:
        with contextlib.suppress(OSError):  # it may have been closed already
            self.connection.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        self.connection.close()

    def refuse(self, how: Refusal) -> None:
        self.connection.close()


@attrs.define(eq=False)
class ClubListener:
    """A listener made of a plain socket."""

    sock: socket.socket

    @property
    def address(self) -> InetPeer:
        return IPv4Peer(*self.sock.getsockname())

    def fileno(self) -> int:
        return self.sock.fileno()

    def accept(self) -> ClubIncoming | None:
        try:
            client, address = self.sock.accept()
        except BlockingIOError:
            return None
        client.setblocking(True)
        return ClubIncoming(client, IPv4Peer(*address))

    def retire(self) -> None:
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def release(self) -> None:
        self.sock.close()


@attrs.frozen
class Club:
    """A transport that inherits nothing of ours."""

    def listen(self) -> ClubListener:
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        return ClubListener(sock)


def welcome(request: Members, client_address: InetPeer, server: Server[Any, Any]) -> None:
    if request.name == "bye":
        raise EOFError
    request.connection.sendall(f"welcome, {request.name}".encode())


@pytest.fixture(params=["sync", "threaded", "pooled", "forked"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_foreign_transport_hands_over_what_its_handshake_made(strategy: str) -> None:
    stage = getattr(ServerBuilder().transport(Club()), strategy)()
    with serving(stage.handler(welcome)) as server:
        assert ask(server.address, b"Ada\n") == b"welcome, Ada"
        assert ask(server.address, b"Grace\n") == b"welcome, Grace"


def test_failed_handshake_closes_that_client_alone(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(ServerBuilder().transport(Club()), strategy)().observe(recorder)
    with serving(stage.handler(welcome)) as server:
        assert ask(server.address, b"\n") == b""
        (closed,) = recorder.wait_for(Closed)

        assert ask(server.address, b"Ada\n") == b"welcome, Ada"
        server.drain()
    assert closed.outcome is Outcome.HANDSHAKE_FAILED
    assert server.stats.handshake_failed == 1
    if strategy != "forked":  # there it is told in the child
        (failed,) = recorder.of(HandshakeFailed)
        assert isinstance(failed.error, HandshakeError)


def test_slow_handshake_holds_up_nobody_else() -> None:
    stage = ServerBuilder().transport(Club()).threaded()
    with serving(stage.handler(welcome)) as server, connect(server.address) as silent:
        assert ask(server.address, b"Ada\n") == b"welcome, Ada"

        silent.sendall(b"Grace\n")
        assert read_all(silent) == b"welcome, Grace"


def test_transport_says_which_errors_are_the_clients_doing(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(ServerBuilder().transport(Club()), strategy)().observe(recorder)
    with serving(stage.handler(welcome)) as server:
        ask(server.address, b"bye\n")
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.CLIENT_LEFT


def test_policy_is_asked_before_the_handshake() -> None:
    stage = ServerBuilder().transport(Club()).access(lambda peer: False)
    with serving(stage.handler(welcome)) as server, connect(server.address) as client:
        assert read_all(client) == b""  # and it never told its name

    assert server.stats.refused == 1


@pytest.mark.parametrize("part", [Club, object(), None, TcpTransport])
def test_transport_that_is_none_is_refused_where_it_is_given(part: Any) -> None:
    with pytest.raises(ConfigurationError, match="a transport needs listen"):
        ServerBuilder().transport(part)


def test_our_own_transport_can_be_given_as_an_object() -> None:
    transport = TcpTransport(endpoint=TcpEndpoint("127.0.0.1", 0))
    with serving(ServerBuilder().transport(transport).handler(greet)) as server:
        assert ask(server.address, b"") == b"hello"
