"""The command as a process of its own, with a module of handlers in its folder."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import attrs

from acceptor import TcpEndpoint, UdpEndpoint, parse_endpoint
from tests.support import PATIENCE

COMMAND = (sys.executable, "-m", "acceptor")

LOOPBACK = ("--listen", "tcp://127.0.0.1:0")

APP = """
import os, threading

from acceptor import DatagramHandler, StreamHandler, length_prefixed

running = 0
lock = threading.Lock()

class Echo(StreamHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)

def upper(message, client_address, server):
    message.reply(message.payload.upper())

frames = length_prefixed(2)

class Shout(DatagramHandler):
    def handle(self):
        self.wfile.write(self.rfile.read().upper())

class Where(StreamHandler):
    def handle(self):
        self.wfile.write(f"{os.getpid()} {threading.current_thread().name}".encode())

class Peer(StreamHandler):
    def handle(self):
        self.wfile.write(str(self.client_address).encode())

class Hold(StreamHandler):
    '''Says how many run, then runs until the client sends a byte or leaves.'''

    def handle(self):
        global running
        with lock:
            running += 1
            count = running
        try:
            self.wfile.write(b"%d" % count)
            self.rfile.read(1)
            self.wfile.write(b".")
        finally:
            with lock:
                running -= 1

class Nested:
    Inner = Echo

def two_arguments(request, client_address):
    pass

async def coroutine(request, client_address, server):
    pass

number = 3
"""


@attrs.define(eq=False)
class Running:
    """A command that serves, and what it has said."""

    process: "subprocess.Popen[str]"
    endpoints: list[str]
    _errors: Path

    @property
    def address(self) -> Any:
        """Where the first endpoint is, as the socket module takes it."""
        endpoint = parse_endpoint(self.endpoints[0])
        assert isinstance(endpoint, TcpEndpoint | UdpEndpoint)
        return endpoint.host, endpoint.port

    def log(self) -> str:
        """Return what has been written to standard error so far."""
        return self._errors.read_text(encoding="utf-8")

    def hold(self) -> socket.socket:
        """Connect to a server of `Hold` and wait until it runs; the caller closes."""
        client = socket.create_connection(self.address, timeout=PATIENCE)
        assert client.recv(1).isdigit()
        return client

    def has_closed_its_port(self) -> bool:
        """Say whether the drain has begun, without becoming a client: a bind tells it, too.

        On Linux an address that somebody listens at cannot be bound, one with mere connections can.
        """
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(self.address)
            except OSError:
                return False
            return True

    def end(self) -> int:
        """Wait for the end; return the exit status. Nothing more was printed."""
        status = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        assert self.process.stdout.read() == ""
        assert "Traceback" not in self.log()
        return status


def write_app(folder: Path) -> None:
    """Put the module `app` into a folder."""
    (folder / "app.py").write_text(APP, encoding="utf-8")


@contextlib.contextmanager
def running(
    folder: Path, *arguments: str, command: Sequence[str] = COMMAND
) -> Generator[Running, None, None]:
    """Run the command in a folder until it listens everywhere; kill it if it is left running."""
    write_app(folder)
    errors = folder / "stderr.txt"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,  # for the signals that a terminal sends to a whole group
        ) as process,
    ):
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(arguments.count("--listen"))]
            assert all(line.startswith("listening on ") for line in lines), errors.read_text()
            endpoints = [line.removeprefix("listening on ").strip() for line in lines]
            yield Running(process, endpoints, errors)
        finally:
            process.kill()


def refusal(folder: Path, *arguments: str, command: Sequence[str] = COMMAND) -> str:
    """Run a command that cannot start; return the one line that it says."""
    write_app(folder)
    result = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "COLUMNS": "40"},  # so narrow that whatever wraps lines does so
    )
    assert result.returncode == 2, result
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("acceptor: ")
    return line.removeprefix("acceptor: ")
