"""One handler, unchanged, on every transport and under every strategy, with real sockets."""

import contextlib
import functools
import http.client
import http.server
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import DatagramHandler, NeedsHandler, ServerBuilder, StreamHandler
from tests.support import PATIENCE, ask, connect, read_all, serving

STRATEGIES = ("sync", "threaded", "pooled", "forked")


class Echo(StreamHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class Shout(DatagramHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


def with_strategy(stage: NeedsHandler[Any, Any], strategy: str) -> NeedsHandler[Any, Any]:
    chosen: NeedsHandler[Any, Any] = getattr(stage, strategy)()
    return chosen


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["tcp4", "tcp6", "unix", "abstract"])
def stream_stage(
    request: pytest.FixtureRequest, tmp_path: Path, strategy: str
) -> NeedsHandler[Any, Any]:
    builder = ServerBuilder()
    stages: dict[str, NeedsHandler[Any, Any]] = {
        "tcp4": builder.tcp(("127.0.0.1", 0)),
        "tcp6": builder.tcp(("::1", 0)),
        "unix": builder.unix_stream(tmp_path / "it.sock"),
        "abstract": builder.unix_stream(f"@acceptor-test-{tmp_path}"),
    }
    return with_strategy(stages[request.param], strategy)


@pytest.fixture(params=["udp4", "udp6", "unixgram"])
def datagram_stage(
    request: pytest.FixtureRequest, tmp_path: Path, strategy: str
) -> NeedsHandler[Any, Any]:
    builder = ServerBuilder()
    stages: dict[str, NeedsHandler[Any, Any]] = {
        "udp4": builder.udp(("127.0.0.1", 0)),
        "udp6": builder.udp(("::1", 0)),
        "unixgram": builder.unix_datagram(tmp_path / "it.sock"),
    }
    return with_strategy(stages[request.param], strategy)


@contextlib.contextmanager
def datagram_client(address: Any, folder: Path) -> Generator[socket.socket, None, None]:
    path = getattr(address, "path", None)
    family = socket.AF_UNIX
    if path is None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        if path is not None:
            client.bind(str(folder / f"client-{client.fileno()}"))
        client.connect(path or tuple(address))
        yield client


def test_stream_handler_serves_clients_one_after_the_other(
    stream_stage: NeedsHandler[Any, Any],
) -> None:
    with serving(stream_stage.handler(Echo)) as server:
        for number in range(5):
            question = b"line %d\n" % number * 3

            assert ask(server.address, question) == question


def test_datagram_handler_answers_each_datagram(
    datagram_stage: NeedsHandler[Any, Any], tmp_path: Path
) -> None:
    with (
        serving(datagram_stage.handler(Shout)) as server,
        datagram_client(server.address, tmp_path) as client,
    ):
        for number in range(5):
            client.send(b"question %d" % number)

            assert client.recv(100) == b"QUESTION %d" % number


def test_a_thousand_clients_at_once_are_all_served(
    stream_stage: NeedsHandler[Any, Any], strategy: str, request: pytest.FixtureRequest
) -> None:
    # Children cost this large process 8 ms each: a thousand of them come on one transport only.
    is_costly = strategy == "forked" and "tcp4" not in request.node.callspec.id
    count = 100 if is_costly else 1000
    clients: list[socket.socket] = []
    with serving(stream_stage.handler(Echo)) as server:
        try:
            for _ in range(count):
                clients.append(connect(server.address))  # noqa: PERF401 - closed if one fails
            for number, client in enumerate(clients):
                client.sendall(b"%d\n" % number)
                client.shutdown(socket.SHUT_WR)

            answers = [read_all(client) for client in clients]
        finally:
            for client in clients:
                client.close()

    assert answers == [b"%d\n" % number for number in range(count)]


def test_static_files_are_served_by_the_standard_handler(
    stream_stage: NeedsHandler[Any, Any], tmp_path: Path
) -> None:
    (tmp_path / "page.txt").write_bytes(b"hello " * 1000)
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    handler = functools.partial(quiet, directory=str(tmp_path))

    with serving(stream_stage.handler(handler)) as server:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = connect(server.address)
        connection.request("GET", "/page.txt")
        response = connection.getresponse()
        body = response.read()
        connection.close()

    assert response.status == 200
    assert body == b"hello " * 1000


def test_clients_are_served_side_by_side_by_strategies_with_workers(
    stream_stage: NeedsHandler[Any, Any], strategy: str
) -> None:
    if strategy == "sync":
        pytest.skip("one at a time is what sync means")
    with (
        serving(stream_stage.handler(Echo)) as server,
        connect(server.address) as silent,
    ):
        answer = ask(server.address, b"hello\n")
        silent.sendall(b"still here\n")

        assert answer == b"hello\n"
        assert silent.recv(100) == b"still here\n"


def test_threads_do_not_mix_up_their_clients(tmp_path: Path) -> None:
    answers: dict[int, bytes] = {}

    def client(number: int) -> None:
        answers[number] = ask(server.address, b"%d\n" % number * 100)

    ready = ServerBuilder().tcp(("127.0.0.1", 0)).threaded(4).handler(Echo)
    with serving(ready) as server:
        threads = [threading.Thread(target=client, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == {number: b"%d\n" % number * 100 for number in range(40)}
