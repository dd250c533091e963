"""The echo server, with socat and with a socket."""

import contextlib
import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.examples.programs import Program, client, example, running
from tests.support import PATIENCE


@pytest.fixture
def echo(tmp_path: Path) -> Generator[Program, None, None]:
    with running(example("echo_tcp.py", "0"), tmp_path) as program:
        yield program
        assert program.end() == 0


def test_echo_returns_what_socat_sends(echo: Program) -> None:
    [address] = echo.addresses(1)
    text = b"first\nsecond\n" * 1000

    answer = client("socat", "-t", str(PATIENCE), "-", f"TCP:{address}", question=text)

    assert answer == text


def test_echo_serves_clients_side_by_side(echo: Program) -> None:
    host, _, port = echo.addresses(1)[0].rpartition(":")
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection((host, int(port)), PATIENCE))
            for _ in range(10)
        ]
        for number, one in enumerate(reversed(clients)):
            one.sendall(b"%d\n" % number)

            assert one.recv(100) == b"%d\n" % number
