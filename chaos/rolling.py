"""Restarts servers behind one port, again and again, while wrk asks: `make rolling`."""

import argparse
import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

import attrs

SERVERS: Final = 2  # at a time
_CLIENTS: Final = 16
_PATIENCE: Final = 20.0  # seconds


@attrs.define(eq=False)
class Rolling:
    """The servers behind one port, of which the oldest is always replaced next."""

    _port: int
    _folder: str
    _version: str
    _servers: deque["subprocess.Popen[str]"] = attrs.field(factory=deque, init=False)
    restarts: int = attrs.field(default=0, init=False)
    lost: list[str] = attrs.field(factory=list[str], init=False)
    """What servers said of their end that did not serve everybody."""

    def add(self) -> None:
        """Start one more, and wait until it serves."""
        command = [sys.executable, "-m", "chaos.shop", str(self._port), self._folder, self._version]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "serving\n"

    def replace(self) -> None:
        """Start one, then tell the oldest to end, and wait until it has."""
        self.add()
        self.restarts += 1
        self.remove()

    def remove(self) -> None:
        """End the oldest."""
        server = self._servers.popleft()
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=_PATIENCE)
        if said != "0 0\n":
            self.lost.append(f"cut, left in the queue: {said.strip() or 'it said nothing'}")

    def close(self) -> None:
        """Kill those that are left."""
        for server in self._servers:
            server.kill()
            server.communicate()


@contextlib.contextmanager
def _shared_port() -> Generator[int, None, None]:
    """Keep a port for ourselves; who is bound and does not listen gets no clients."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]


def roll(version: str, seconds: float) -> bool:
    """Restart for so long under load; print what came of it; say whether nothing was lost."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _shared_port() as port,
        contextlib.closing(Rolling(port, folder, version)) as rolling,
    ):
        Path(folder, "page").write_text("hello\n")
        for _ in range(SERVERS):
            rolling.add()
        wrk = subprocess.Popen(
            [
                "wrk",
                "-t1",
                f"-c{_CLIENTS}",
                f"-d{seconds:.0f}s",
                "--timeout",
                "20s",
                f"http://127.0.0.1:{port}/page",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + seconds
        while wrk.poll() is None and time.monotonic() < until:
            rolling.replace()
        said, _ = wrk.communicate(timeout=_PATIENCE)
        for _ in range(SERVERS):
            rolling.remove()
    requests = re.search(r"(\d+) requests in", said)
    errors = re.findall(r"Socket errors:.*|Non-2xx.*", said) + rolling.lost
    count = int(requests[1]) if requests else 0
    print(f"{version}: {count} requests, {rolling.restarts} restarts, {errors or 'no error'}")
    return bool(count and rolling.restarts) and not errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos.rolling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each version of HTTP")
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        parser.error("wrk is needed; Debian's package has the same name")
    return int(not all([roll(it, options.seconds) for it in ("HTTP/1.0", "HTTP/1.1")]))  # noqa: C419 - both


if __name__ == "__main__":
    sys.exit(main())
