"""The UDP server, with socat and with a socket."""

import socket
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.examples.programs import Program, example, installed, running
from tests.support import PATIENCE


@pytest.fixture
def upper(tmp_path: Path) -> Generator[Program, None, None]:
    with running(example("upper_udp.py", "0"), tmp_path) as program:
        yield program
        assert program.end() == 0


def test_upper_answers_socat_in_upper_case(upper: Program) -> None:
    [address] = upper.addresses(1)
    command = [installed("socat"), "-", f"UDP:{address}"]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as talk:
        assert talk.stdin is not None
        assert talk.stdout is not None
        for line in (b"hello\n", b"over and out\n"):
            talk.stdin.write(line)
            talk.stdin.flush()

            assert talk.stdout.readline() == line.upper()
        talk.terminate()


def test_upper_answers_the_largest_datagram(upper: Program) -> None:
    host, _, port = upper.addresses(1)[0].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(PATIENCE)
        one.connect((host, int(port)))

        one.send(b"a" * 65507)

        assert one.recv(65535) == b"A" * 65507
