"""A server for the length of a block."""

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Closed,
    Datagram,
    DatagramHandler,
    NeedsHandler,
    Outcome,
    Phase,
    Server,
    ServerBuilder,
    StopCause,
)
from acceptor.testing import (
    FakeClock,
    FakeIncoming,
    MemoryDatagramTransport,
    MemoryTransport,
    ScriptedTransport,
    serve,
)
from tests.fakes import greet, hold, refuses, tcp
from tests.support import read_all


class Shout(DatagramHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


@pytest.fixture(params=["tcp4", "tcp6", "wildcard", "unix", "abstract", "memory"])
def stream_stage(request: pytest.FixtureRequest, tmp_path: Path) -> NeedsHandler[Any, Any]:
    builder = ServerBuilder()
    stages: dict[str, NeedsHandler[Any, Any]] = {
        "tcp4": builder.tcp(("127.0.0.1", 0)),
        "tcp6": builder.tcp(("::1", 0)),
        "wildcard": builder.tcp(("", 0)),
        "unix": builder.unix_stream(tmp_path / "it.sock"),
        "abstract": builder.unix_stream(f"@acceptor-test-{tmp_path}"),
        "memory": builder.transport(MemoryTransport()),
    }
    return stages[request.param]


@pytest.fixture(params=["udp4", "udp6", "unix", "memory"])
def datagram_stage(request: pytest.FixtureRequest, tmp_path: Path) -> NeedsHandler[Any, Any]:
    builder = ServerBuilder()
    stages: dict[str, NeedsHandler[Any, Any]] = {
        "udp4": builder.udp(("127.0.0.1", 0)),
        "udp6": builder.udp(("::", 0)),
        "unix": builder.unix_datagram(tmp_path / "it.sock"),
        "memory": builder.transport(MemoryDatagramTransport()),
    }
    return stages[request.param]


def test_stream_client_is_connected_when_the_block_begins(
    stream_stage: NeedsHandler[Any, Any],
) -> None:
    with serve(stream_stage.handler(greet), client=True) as serving, serving.connect() as second:
        assert read_all(serving.client) == read_all(second) == b"hello"


def test_datagram_client_talks_to_the_server(datagram_stage: NeedsHandler[Any, Any]) -> None:
    with serve(datagram_stage.handler(Shout), client=True) as serving:
        serving.client.send(b"hello")

        assert serving.client.recv(100) == b"HELLO"


def test_nothing_is_left_after_the_block() -> None:
    with serve(tcp().threaded().handler(greet), client=True) as serving:
        pass

    assert serving.server.phase is Phase.CLOSED
    assert refuses(serving.address)
    assert serving.client.fileno() == -1


def test_client_is_there_only_if_it_was_asked_for() -> None:
    with (
        serve(tcp().handler(greet)) as serving,
        pytest.raises(AttributeError, match="client=True"),
    ):
        _ = serving.client


def test_server_that_is_built_already_is_served_and_observed() -> None:
    server = tcp().threaded().handler(greet).build()

    with serve(server, client=True) as serving:
        assert serving.server is server
        assert read_all(serving.client) == b"hello"
    assert serving.events.of(Closed)


def test_server_that_is_built_already_has_its_clock() -> None:
    server = tcp().handler(greet).build()

    with (
        pytest.raises(TypeError, match="give it to the builder"),
        serve(server, clock=FakeClock()),
    ):
        pass

    assert server.phase is Phase.NEW


def test_server_that_was_stopped_in_the_block_may_be() -> None:
    with serve(tcp().handler(greet)) as serving:
        report = serving.server.stop()

    assert report.cause is StopCause.STOP


def test_fake_clock_wakes_the_server_when_it_is_advanced() -> None:
    clock = FakeClock()
    stage = tcp().threaded().timeouts(connection=3600).handler(hold)
    with serve(stage, client=True, clock=clock) as serving:
        assert serving.client.recv(1) == b"!"

        clock.advance(3600 + 2)
        [closed] = serving.events.wait_for(Closed)

    assert (closed.outcome, closed.elapsed) == (Outcome.TIMED_OUT, 3602.0)


def test_listener_that_knows_no_client_says_how_it_could() -> None:
    transport = ScriptedTransport.of(FakeIncoming())
    stage = ServerBuilder().transport(transport).handler(lambda *_: None)

    with serve(stage) as serving, pytest.raises(TypeError, match="a method `connect`"):
        serving.connect()


@contextlib.contextmanager
def greeted() -> Generator[bytes, None, None]:
    with serve(tcp().handler(greet), client=True) as serving:
        yield read_all(serving.client)


def test_servers_may_be_nested() -> None:
    with greeted() as first, greeted() as second:
        assert first == second == b"hello"


def test_unix_datagram_client_has_a_name_until_it_is_closed(tmp_path: Path) -> None:
    seen = list[Any]()

    def note(request: Datagram, client_address: object, server: Server[Any, Any]) -> None:
        seen.append(client_address)
        request.reply(b"ok")

    stage = ServerBuilder().unix_datagram(tmp_path / "it.sock").handler(note)
    with serve(stage) as serving, serving.connect() as first, serving.connect() as second:
        for client in (first, second):
            client.send(b"?")
            assert client.recv(10) == b"ok"

    assert len({peer.path for peer in seen}) == 2
