"""Programs of their own, for what a test cannot do to itself: signals, limits, the end."""

import contextlib
import os
import select
import subprocess
import sys
import textwrap
from collections.abc import Generator

import attrs

from tests.support import PATIENCE

_PRELUDE = """
import contextlib, errno, functools, os, resource, signal, socket, sys, threading, time, warnings
from acceptor import *

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def tcp():
    return ServerBuilder().tcp(("127.0.0.1", 0))

def tell(event):
    if isinstance(event, Draining):
        say("draining")
    if isinstance(event, Closed):
        say("closed", event.outcome.name)

def hold(request, client_address, server):
    request.sendall(b"!")
    request.sendall(request.recv(1) or b".")
"""


@attrs.define(eq=False)
class Program:
    """A running program that says its facts on standard output, one on a line."""

    _process: "subprocess.Popen[bytes]"
    _heard: bytes = attrs.field(default=b"", init=False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def hear(self, word: str) -> list[str]:
        """Wait for the line that begins with the word; return the rest of its words."""
        skipped = []
        while line := self._line():
            first, *rest = line.split() or [""]
            if first == word:
                return rest
            skipped.append(line)
        raise AssertionError(f"never said {word!r}, but {skipped}, then {self._kill()}")

    def _line(self) -> str:
        assert self._process.stdout is not None
        while b"\n" not in self._heard:
            if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
                return ""
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                return ""
            self._heard += read
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode() + "\n"

    def _kill(self) -> str:
        self._process.kill()
        return self.end()[1]

    def address(self) -> tuple[str, int]:
        """Wait for the program to say on which port it listens."""
        return "127.0.0.1", int(self.hear("port")[0])

    def answer(self) -> None:
        """Give the program a line to read."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what else was said, errors behind."""
        output, errors = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, (self._heard + output + errors).decode()


@contextlib.contextmanager
def program(source: str) -> Generator[Program, None, None]:
    """Run Python source in a process of its own, which is killed if it outlives the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(source)],
        # Or there would be nothing to flush.
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield Program(process)
        finally:
            process.kill()
