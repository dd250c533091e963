"""The end of a port that several sockets share: whose handshake has begun comes in."""

import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import ServerBuilder
from acceptor.transports import last_handshakes
from tests.core.kit import at_once
from tests.fakes import Call, greet
from tests.support import PATIENCE, ask, read_all, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of handshakes")

ATTACH_FILTER, DETACH_FILTER = 26, 27

LOOPBACK = ("127.0.0.1", 0)

# Where the server is bound, and where its clients go.
PLACES = [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1")]


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say how long a handshake may take."""

    def take(seconds: float) -> None:
        monkeypatch.setattr(last_handshakes, "LONGEST_HANDSHAKE", seconds)

    return take


def shared(address: Any = LOOPBACK) -> Any:
    return ServerBuilder().tcp(address, reuse_port=True).threaded().handler(greet).build()


@contextlib.contextmanager
def half_connected(host: str, port: int) -> Generator[socket.socket, None, None]:
    """Begin a handshake that goes no further: the client's filter drops what comes back."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    code = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(code))
    with socket.socket(family) as client:
        client.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, program)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect((host, port))
        wait_until(lambda: is_half_open(port), "the server knows of the handshake")
        yield client


def is_half_open(port: int) -> bool:
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, ours, _, state = line.split()[:4]
            if state == "03" and int(ours.rpartition(":")[2], 16) == port:
                return True
    return False


def go_on(client: socket.socket) -> bytes:
    """Have the handshake go on, and read all; the system sends again after a second."""
    client.setsockopt(socket.SOL_SOCKET, DETACH_FILTER, 0)
    client.settimeout(PATIENCE)
    return read_all(client)


@pytest.mark.parametrize(("bound", "host"), PLACES)
def test_handshake_that_is_under_way_is_finished_and_served(
    bound: str, host: str, patience: Any
) -> None:
    patience(PATIENCE)
    server = shared((bound, 0)).start()
    with half_connected(host, server.address.port) as client:
        drain = Call(lambda: server.drain(PATIENCE))
        wait_until(lambda: server.is_draining)
        assert go_on(client) == b"hello"

    report = drain.result()
    assert (report.finished, report.cut, report.left_in_backlog) == (1, 0, 0)


def test_client_who_comes_meanwhile_is_served_by_another_socket(patience: Any) -> None:
    patience(PATIENCE)
    first = shared().start()
    with half_connected(*first.address) as client:
        second = shared(tuple(first.address)).start()
        drain = Call(lambda: first.drain(PATIENCE))
        wait_until(lambda: first.is_draining)

        late = at_once(*[lambda: ask(first.address, b"")] * 20)
        assert go_on(client) == b"hello"

        assert drain.result().finished <= 21
        assert {call.result() for call in late} == {b"hello"}
    second.stop()


def test_handshake_that_never_ends_holds_nothing_up(patience: Any) -> None:
    patience(0.0)
    server = shared().start()
    with half_connected(*server.address):
        report = Call(server.drain).result()

    assert (report.finished, report.left_in_backlog) == (0, 0)


def test_drain_that_is_told_to_hurry_waits_for_no_handshake(patience: Any) -> None:
    patience(PATIENCE * 2)
    server = shared().start()
    with half_connected(*server.address):
        drain = Call(server.drain)
        wait_until(lambda: server.is_draining)
        server.hurry()
        assert drain.result().finished == 0


def test_socket_that_others_listen_with_goes_on_taking_clients() -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(LOOPBACK)
        listening.listen()
        with listening.dup() as other:
            adopted: Any = ServerBuilder().socket(listening).threaded()
            server = adopted.handler(greet).build().start()
            assert server.drain().left_in_backlog == 0

            other.settimeout(PATIENCE)
            with socket.create_connection(other.getsockname(), timeout=PATIENCE):
                other.accept()[0].close()
