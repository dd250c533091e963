"""The chat, with sockets."""

import socket
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.examples.programs import Program, example, running
from tests.support import PATIENCE


@pytest.fixture
def chat(tmp_path: Path) -> Generator[Program, None, None]:
    with running(example("chat_tcp.py", "0"), tmp_path) as program:
        yield program
        assert program.end() == 0


def join(chat: Program) -> socket.socket:
    host, _, port = chat.addresses(1)[0].rpartition(":")
    client = socket.create_connection((host, int(port)), PATIENCE)
    welcome = b""
    while not welcome.endswith(b"\n"):
        welcome += client.recv(100)
    return client


def test_chat_passes_a_line_on_to_all_others(chat: Program) -> None:
    with join(chat) as one, join(chat) as other, join(chat) as third:
        name = "{}:{}".format(*one.getsockname())

        one.sendall(b"hello\n")

        for listener in (other, third):
            with listener.makefile("rb") as lines:
                assert lines.readline().decode() == f"{name}: hello\n"
        other.sendall(b"bye\n")
        with one.makefile("rb") as lines:
            assert lines.readline().endswith(b": bye\n")


def test_chat_goes_on_when_one_has_left(chat: Program) -> None:
    with join(chat) as one, join(chat) as other:
        with join(chat) as gone, gone.makefile("rb") as lines:
            one.sendall(b"is anybody there?\n")
            assert lines.readline().endswith(b": is anybody there?\n")

        one.sendall(b"and now?\n")

        with other.makefile("rb") as lines:
            assert lines.readline().endswith(b": is anybody there?\n")
            assert lines.readline().endswith(b": and now?\n")
