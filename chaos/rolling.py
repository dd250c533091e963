"""Restarts servers again and again while wrk asks: `make rolling`.

They are behind one port, or with `--haproxy` each behind its own, and HAProxy before them.
"""

import argparse
import contextlib
import functools
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import attrs

from chaos.behind import behind
from chaos.haproxy import find
from chaos.patience import PATIENCE
from chaos.shops import Load, Shop, close_shop, open_shop, shared_port, wrk

SERVERS: Final = 2  # at a time


class Restarted(Protocol):
    """Servers of which one after the other is restarted."""

    restarts: int
    lost: list[str]
    """What servers said of their end that did not serve everybody."""

    @property
    def port(self) -> int:
        """Where clients come."""

    def replace(self) -> None:
        """Restart the oldest."""

    def finish(self) -> None:
        """End all, as each would be at a restart."""


_Opening: TypeAlias = Callable[[str, str], contextlib.AbstractContextManager[Restarted]]


@attrs.define(eq=False)
class Rolling:
    """The servers behind one port, of which the oldest is always replaced next."""

    port: int
    _folder: str
    _version: str
    _servers: deque[Shop] = attrs.field(factory=deque, init=False)
    restarts: int = attrs.field(default=0, init=False)
    lost: list[str] = attrs.field(factory=list[str], init=False)

    def add(self) -> None:
        """Start one more, and wait until it serves."""
        self._servers.append(open_shop(self.port, self._folder, self._version))

    def replace(self) -> None:
        """Start one, then tell the oldest to end, and wait until it has."""
        self.add()
        self.restarts += 1
        self.remove()

    def remove(self) -> None:
        """End the oldest."""
        if lost := close_shop(self._servers.popleft()):
            self.lost.append(lost)

    def finish(self) -> None:
        """End all."""
        while self._servers:
            self.remove()

    def close(self) -> None:
        """Kill those that are left."""
        for server in self._servers:
            server.kill()
            server.communicate()


@contextlib.contextmanager
def _at_one_port(folder: str, version: str) -> Generator[Rolling, None, None]:
    with shared_port() as port, contextlib.closing(Rolling(port, folder, version)) as rolling:
        for _ in range(SERVERS):
            rolling.add()
        yield rolling


def roll(version: str, seconds: float, opening: _Opening = _at_one_port) -> bool:
    """Restart for so long under load; print what came of it; say whether nothing was lost."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "page").write_text("hello\n")
        with opening(folder, version) as rolling, wrk(rolling.port, seconds) as asking:
            until = time.monotonic() + seconds
            while asking.poll() is None and time.monotonic() < until:
                rolling.replace()
            said, _ = asking.communicate(timeout=PATIENCE)
            rolling.finish()
    load = Load.of(said)
    errors = load.errors + rolling.lost
    print(
        f"{version}: {load.requests} requests, {rolling.restarts} restarts, {errors or 'no error'}"
    )
    return bool(load.requests and rolling.restarts) and not errors


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos.rolling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each version of HTTP")
    parser.add_argument(
        "--haproxy",
        choices=("http", "tcp"),
        nargs="?",
        const="http",
        help="in this mode: with http it sees who drains, with tcp only whose port is closed",
    )
    options = parser.parse_args(arguments)
    opening: _Opening = _at_one_port
    for program in ("wrk", "haproxy") if options.haproxy else ("wrk",):
        if find(program) is None:
            parser.error(f"{program} is needed; Debian's package has the same name")
    if options.haproxy:
        opening = functools.partial(behind, options.haproxy)
    versions = ("HTTP/1.0", "HTTP/1.1")
    return int(not all([roll(it, options.seconds, opening) for it in versions]))  # noqa: C419 - both


if __name__ == "__main__":
    sys.exit(main())
