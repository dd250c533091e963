"""gevent's `StreamServer`, as its examples have it."""

from typing import Any

import gevent
from gevent.server import StreamServer

from benchmarks.servers.common import (
    BACKLOG,
    LOOPBACK,
    SLOW,
    SLOW_SECONDS,
    announce,
    run,
)


def echo(sock: Any, address: Any) -> None:
    with sock.makefile("rb") as lines:
        for line in lines:
            sock.sendall(line)


def slow_echo(sock: Any, address: Any) -> None:
    with sock.makefile("rb") as lines:
        for line in lines:
            if line.startswith(SLOW):
                gevent.sleep(SLOW_SECONDS)
            sock.sendall(line)


def serve_lines(handle: Any) -> None:
    server = StreamServer(LOOPBACK, handle, backlog=BACKLOG)
    server.start()
    announce((server.server_host, server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    run(
        {
            ("gevent", "lines"): lambda: serve_lines(echo),
            ("gevent", "slow"): lambda: serve_lines(slow_echo),
        }
    )
