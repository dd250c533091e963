"""What restarts under load are made of: file servers in processes, their ports, and wrk."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from typing import Final, TypeAlias

import attrs

from chaos.patience import PATIENCE

CLIENTS: Final = 16

Shop: TypeAlias = "subprocess.Popen[str]"


def open_shop(port: int, folder: str, version: str, *lame_duck: str) -> Shop:
    """Start a file server, and wait until it serves; see `chaos.shop`."""
    command = [sys.executable, "-m", "chaos.shop", str(port), folder, version, *lame_duck]
    shop = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert shop.stdout is not None
    assert shop.stdout.readline() == "serving\n"
    return shop


def close_shop(shop: Shop) -> str:
    """Tell it to end, and wait until it has; return whom it has not served, "" if nobody."""
    shop.send_signal(signal.SIGTERM)
    said, _ = shop.communicate(timeout=PATIENCE)
    if said == "0 0\n":
        return ""
    return f"cut, left in the queue: {said.strip() or 'it said nothing'}"


@contextlib.contextmanager
def shared_port() -> Generator[int, None, None]:
    """Keep a port for ourselves; who is bound and does not listen gets no clients."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]


@attrs.frozen
class Load:
    """What became of the requests of a `wrk`."""

    requests: int
    errors: list[str]  # in its words

    @classmethod
    def of(cls, said: str) -> "Load":
        """Read what it has printed at its end."""
        requests = re.search(r"(\d+) requests in", said)
        errors = re.findall(r"Socket errors:.*|Non-2xx.*", said)
        return cls(int(requests[1]) if requests else 0, errors)

    @property
    def failed(self) -> int:
        """How many requests have failed."""
        return sum(
            int(number) for error in self.errors for number in re.findall(r" (\d+)(?=,|$)", error)
        )


@contextlib.contextmanager
def wrk(port: int, seconds: float) -> "Generator[subprocess.Popen[str], None, None]":
    """Ask for a page, again and again, for so long; killed if it outlives the block."""
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds:.0f}s", "--timeout", "20s"]
    url = f"http://127.0.0.1:{port}/page"
    with subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
