"""Stream clients without a network, served by real servers."""

import functools
import http.client
import http.server
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Closed,
    HandshakeFailed,
    IPv4Peer,
    IPv6Peer,
    ListenError,
    NeedsHandler,
    Outcome,
    Refused,
    Server,
    ServerBuilder,
    StreamHandler,
    UnixPeer,
    UnsupportedError,
    allow_networks,
)
from acceptor.testing import EventRecorder, MemoryTransport, serve
from tests.fakes import greet, hold
from tests.support import PATIENCE, read_all


class Echo(StreamHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class Flush(Echo):
    wbufsize = -1
    rbufsize = 0
    disable_nagle_algorithm = True


@pytest.fixture(params=["sync", "threaded"])
def stage(request: pytest.FixtureRequest) -> NeedsHandler[socket.socket, Any]:
    builder = ServerBuilder().transport(MemoryTransport())
    return builder.sync() if request.param == "sync" else builder.threaded()


@pytest.mark.parametrize("handler", [Echo, Flush])
def test_handler_class_serves_memory_clients(
    stage: NeedsHandler[socket.socket, Any], handler: type[Echo]
) -> None:
    with serve(stage.handler(handler)) as serving:
        for number in range(5):
            with serving.connect() as client:
                client.sendall(b"line %d\n" % number * 3)
                client.shutdown(socket.SHUT_WR)

                assert read_all(client) == b"line %d\n" % number * 3
        closed = serving.events.wait_for(Closed, 5)

    assert [(event.outcome, event.received, event.sent) for event in closed] == [
        (Outcome.FINISHED, 21, 21)
    ] * 5


def test_classic_handler_class_serves_memory_clients(
    stage: NeedsHandler[socket.socket, Any], tmp_path: Path
) -> None:
    (tmp_path / "page.txt").write_bytes(b"hello " * 100_000)
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=str(tmp_path))

    with serve(stage.handler(handler), client=True) as serving:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = serving.client
        connection.request("GET", "/page.txt")
        body = connection.getresponse().read()

    assert body == b"hello " * 100_000


def test_threads_serve_memory_clients_side_by_side() -> None:
    everybody = threading.Barrier(20)

    def meet(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        everybody.wait(PATIENCE)
        request.sendall(b"met")

    stage = ServerBuilder().transport(MemoryTransport()).threaded()
    with serve(stage.handler(meet)) as serving:
        clients = [serving.connect() for _ in range(20)]

        assert [read_all(client) for client in clients] == [b"met"] * 20


def test_limits_hold_for_memory_clients() -> None:
    stage = ServerBuilder().transport(MemoryTransport()).threaded().limits(max_connections=2)
    with serve(stage.handler(hold)) as serving:
        clients = [serving.connect() for _ in range(5)]
        for client in clients[:2]:
            assert client.recv(1) == b"!"
        stats = serving.server.stats
        report = serving.server.stop()
        for client in clients[2:]:
            with pytest.raises(ConnectionResetError):
                client.recv(1)

    assert (stats.active, stats.backlog) == (2, 3)
    assert (report.cut, report.left_in_backlog) == (2, 3)


def test_policies_judge_the_peer_that_a_client_says_it_is() -> None:
    transport = MemoryTransport()
    stage = ServerBuilder().transport(transport).access(allow_networks("10.0.0.0/8"))
    with serve(stage.handler(greet)) as serving:
        with transport.connect(IPv4Peer("10.1.2.3", 4000)) as friend:
            assert read_all(friend) == b"hello"
        with transport.connect(IPv4Peer("192.0.2.1", 4000)) as stranger:
            [refused] = serving.events.wait_for(Refused)

            assert read_all(stranger) == b""

    assert refused.peer == IPv4Peer("192.0.2.1", 4000)


@pytest.mark.parametrize(
    ("address", "family"),
    [
        (IPv4Peer("192.0.2.9", 80), socket.AF_INET),
        (IPv6Peer("2001:db8::9", 80), socket.AF_INET6),
        (UnixPeer("/run/it.sock"), socket.AF_UNIX),
    ],
)
def test_peers_are_of_the_kind_of_the_address(address: Any, family: int) -> None:
    transport = MemoryTransport(address=address)
    with serve(ServerBuilder().transport(transport).handler(greet), client=True) as serving:
        [closed] = serving.events.wait_for(Closed)

        assert serving.address == address
        assert type(closed.peer) is type(address)
        assert serving.client.family == family
        assert serving.client.getpeername()


def test_nobody_comes_in_while_nobody_listens() -> None:
    transport = MemoryTransport()
    with pytest.raises(ConnectionRefusedError):
        transport.connect()

    with serve(ServerBuilder().transport(transport).handler(greet), client=True) as serving:
        assert read_all(serving.client) == b"hello"

    with pytest.raises(ConnectionRefusedError):
        transport.connect()


def test_second_listener_of_one_transport_is_refused_while_the_first_is_open() -> None:
    transport = MemoryTransport()
    with (
        serve(ServerBuilder().transport(transport).handler(greet)),
        pytest.raises(ListenError, match="open already"),
    ):
        transport.listen()
    again = transport.listen()

    again.close()


def test_transports_are_places_of_their_own() -> None:
    assert MemoryTransport() != MemoryTransport()


def test_last_reply_is_read_whole_though_the_client_sent_more_than_was_read() -> None:
    def answer(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.recv(1)
        request.sendall(b"reply " * 1000)

    stage = ServerBuilder().transport(MemoryTransport()).handler(answer)
    with serve(stage, client=True) as serving:
        serving.client.sendall(b"more than anybody reads " * 1000)

        assert read_all(serving.client) == b"reply " * 1000


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_children_cannot_be_reached_and_the_client_is_told() -> None:
    recorder = EventRecorder()
    stage = ServerBuilder().transport(MemoryTransport()).forked().observe(recorder)
    with serve(stage.handler(greet), client=True) as serving:
        with pytest.raises(UnsupportedError, match="cannot reach a forked child"):
            serving.client.recv(1)
        [closed] = serving.events.wait_for(Closed)

    assert closed.outcome is Outcome.HANDSHAKE_FAILED
    assert recorder.of(HandshakeFailed) == []  # it is told in the child
