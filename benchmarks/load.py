"""The clients: threads that ask, wait for the answer and ask again, for some seconds."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import attrs

QUESTION = b"a line of ordinary length, such as a protocol of lines would have\n"


@attrs.frozen
class Result:
    """What one round showed."""

    answered: int
    lost: int
    seconds: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds


def load(transport: str, address: Any, clients: int, seconds: float) -> Result:
    """Ask with so many clients at once for so many seconds."""
    client = _connections if transport in ("tcp", "unix_stream") else _datagrams
    counts: list[tuple[int, int]] = []
    began = time.monotonic()
    threads = [
        threading.Thread(target=lambda: counts.append(client(transport, address, began + seconds)))
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - began
    return Result(sum(good for good, _ in counts), sum(bad for _, bad in counts), elapsed)


def _repeat(ask: Callable[[], bool], until: float) -> tuple[int, int]:
    good = bad = 0
    while time.monotonic() < until:
        try:
            answered = ask()
        except OSError:
            answered = False
        good, bad = good + answered, bad + (not answered)
    return good, bad


def _connections(transport: str, address: Any, until: float) -> tuple[int, int]:
    family = socket.AF_INET if transport == "tcp" else socket.AF_UNIX

    def ask() -> bool:
        with socket.socket(family) as client:
            client.settimeout(5.0)
            client.connect(address)
            client.sendall(QUESTION)
            answer = b""
            while part := client.recv(4096):
                answer += part
            return answer == QUESTION

    return _repeat(ask, until)


def _datagrams(transport: str, address: Any, until: float) -> tuple[int, int]:
    family = socket.AF_INET if transport == "udp" else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(1.0)
        client.bind("" if family == socket.AF_UNIX else ("127.0.0.1", 0))
        client.connect(address)

        def ask() -> bool:
            client.send(QUESTION)
            return client.recv(4096) == QUESTION

        return _repeat(ask, until)
