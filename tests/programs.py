"""Programs of their own, for what a test cannot do to itself: signals, limits, the end."""

import contextlib
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

def hold(request, client_address, server):
    request.sendall(b"!")
    request.sendall(request.recv(1) or b".")
"""


@attrs.define(eq=False)
class Program:
    """A running program that says its facts on standard output, one on a line."""

    _process: "subprocess.Popen[str]"

    @property
    def pid(self) -> int:
        return self._process.pid

    def hear(self, word: str) -> list[str]:
        """Wait for the line that begins with the word; return the rest of its words."""
        assert self._process.stdout is not None
        heard = []
        for line in self._process.stdout:
            first, *rest = line.split() or [""]
            if first == word:
                return rest
            heard.append(line)
        raise AssertionError(f"never said {word!r}, but {heard}; {self.errors()}")

    def address(self) -> tuple[str, int]:
        """Wait for the program to say on which port it listens."""
        return "127.0.0.1", int(self.hear("port")[0])

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def errors(self) -> str:
        """Wait for the end and return what was written to standard error."""
        return self._process.communicate(timeout=PATIENCE)[1]

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what else was said."""
        output, errors = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, output + errors


@contextlib.contextmanager
def program(source: str) -> Generator[Program, None, None]:
    """Run Python source in a process of its own, which is killed if it outlives the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Program(process)
        finally:
            process.kill()
