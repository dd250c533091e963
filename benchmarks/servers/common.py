"""What the contestants share: their arguments, and how they say where they are."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LOOPBACK = ("127.0.0.1", 0)
BACKLOG = 4096  # the most that Linux gives by default; a burst of clients fits
CERTIFICATE = Path(__file__).parents[2] / "tests" / "server.pem"
SLOW = b"sleep"
SLOW_SECONDS = 0.05
HELLO = b"Hello, world!\n"


def announce(where: Any) -> None:
    """Print the port, or the path, that the clients shall use."""
    print(where[1] if isinstance(where, tuple) else where, flush=True)


def unix_path() -> str:
    return sys.argv[3]


def run(servers: Mapping[tuple[str, str], Callable[[], None]]) -> None:
    """Serve as the command line says: which one, and what kind of work."""
    which, kind = sys.argv[1:3]
    serve = servers.get((which, kind))
    if serve is None:
        raise SystemExit(f"{which} does not do {kind}")
    serve()
