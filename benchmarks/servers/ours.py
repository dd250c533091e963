"""Ours, put together from parts: `ours [framed-]STRATEGY[-VARIANT]`."""

import ssl
import sys
import time
from typing import Any

from acceptor import Event, Server, ServerBuilder, StreamHandler, lines
from benchmarks.servers.common import (
    BACKLOG,
    CERTIFICATE,
    LOOPBACK,
    SLOW,
    SLOW_SECONDS,
    announce,
    unix_path,
)
from benchmarks.servers.http_hello import Hello

POOL = {"framed": 4, "lines": 16, "tls": 16, "http": 64}  # threads
NO_TIMEOUTS: Any = dict.fromkeys(("handshake", "first_data", "idle", "write", "connection"))


class Echo(StreamHandler):
    """Echoes lines until the client has no more."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class SecuredEcho(StreamHandler[ssl.SSLSocket]):
    """Echoes lines until the client has no more."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)


class SlowEcho(StreamHandler):
    """Echoes lines, and sleeps before it does where the line asks for it."""

    def handle(self) -> None:
        for line in self.rfile:
            if line.startswith(SLOW):
                time.sleep(SLOW_SECONDS)
            self.wfile.write(line)


def echo(message: Any, client_address: Any, server: Any) -> None:
    message.reply(message.payload)


def slow_echo(message: Any, client_address: Any, server: Any) -> None:
    if message.payload.startswith(SLOW):
        time.sleep(SLOW_SECONDS)
    message.reply(message.payload)


def ignore(event: Event) -> None:
    """Do nothing."""


def listening_stage(kind: str) -> Any:
    builder = ServerBuilder()
    if kind == "udp":
        return builder.udp(LOOPBACK)
    if kind == "unix":
        return builder.unix_datagram(unix_path())
    stage = builder.tcp(LOOPBACK, backlog=BACKLOG)
    return stage.tls(CERTIFICATE) if kind == "tls" else stage


def with_strategy(stage: Any, strategy: str, threads: int) -> Any:
    if strategy == "pooled":
        return stage.pooled(threads)
    return getattr(stage, strategy)()


def built(which: str, kind: str) -> Server[Any, Any]:
    """Put together the server of this name for this kind of work."""
    words = which.split("-")
    framed = "framed" in words
    datagrams = kind in ("udp", "unix")
    stage = listening_stage(kind)
    if framed:
        stage = stage.framed(lines())
    strategy = next(it for it in ("sync", "threaded", "pooled", "forked") if it in words)
    stage = with_strategy(stage, strategy, POOL.get("framed" if framed else kind, 16))
    if "observed" in words:
        stage = stage.observe(ignore)
    if "unlimited" in words:
        stage = stage.timeouts(**NO_TIMEOUTS)
    handler: Any
    if kind == "http":
        handler = Hello
    elif framed or datagrams:
        handler = slow_echo if kind == "slow" else echo
    else:
        handler = {"slow": SlowEcho, "tls": SecuredEcho}.get(kind, Echo)
    result: Server[Any, Any] = stage.handler(handler).build()
    return result


def main() -> None:
    """Serve until killed."""
    kind = sys.argv[2]
    server = built(sys.argv[1], kind).listen()
    announce(unix_path() if kind == "unix" else (*server.address,)[:2])
    server.serve_forever()


if __name__ == "__main__":
    main()
