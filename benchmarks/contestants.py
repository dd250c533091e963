"""Who takes part: how each is called in the tables, and the program that it is."""

import sys

import attrs


@attrs.frozen
class Contestant:
    """A server program; it runs in a process of its own."""

    key: str
    name: str  # in Markdown
    module: str

    @property
    def ours(self) -> bool:
        """Whether it is acceptor."""
        return self.module == "ours" or self.key.startswith("classic")

    def command(self, kind: str, path: str, echo: str) -> list[str]:
        """Return what to run for this kind of work; `echo` is the compiled C server."""
        if self.key == "c":
            return [echo, kind, path]
        return [sys.executable, "-m", f"benchmarks.servers.{self.module}", self.key, kind, path]


def _of(module: str, **names: str) -> list[Contestant]:
    return [Contestant(key.replace("_", "-"), name, module) for key, name in names.items()]


ALL = [
    *_of("c", c="C, epoll, one thread"),
    *_of(
        "ours",
        framed_sync="acceptor `framed(lines()).sync()`",
        framed_pooled="acceptor `framed(lines()).pooled(4)`",
        framed_threaded="acceptor `framed(lines()).threaded()`",
        threaded="acceptor `threaded()`",
        pooled="acceptor `pooled()`",
        sync="acceptor `sync()`",
        forked="acceptor `forked()`",
        framed_sync_observed="acceptor `framed(lines()).sync()`, an observer",
        framed_sync_unlimited="acceptor `framed(lines()).sync()`, no timeouts",
        threaded_observed="acceptor `threaded()`, an observer",
        threaded_unlimited="acceptor `threaded()`, no timeouts",
    ),
    *_of(
        "classes",
        classic_sync="`acceptor.classic`",
        classic_threaded="`acceptor.classic`, threading",
        classic_forked="`acceptor.classic`, forking",
        socketserver_sync="`socketserver`",
        socketserver_threaded="`socketserver`, threading",
        socketserver_forked="`socketserver`, forking",
    ),
    *_of("with_asyncio", asyncio_streams="asyncio streams", asyncio_protocol="asyncio protocol"),
    *_of("with_uvloop", uvloop_streams="uvloop streams", uvloop_protocol="uvloop protocol"),
    *_of("with_gevent", gevent="gevent"),
    *_of("with_twisted", twisted="Twisted"),
    *_of("with_trio", trio="Trio"),
    *_of("with_wsgi", waitress="waitress", gunicorn="gunicorn gthread", cheroot="cheroot"),
]
CONTESTANTS = {it.key: it for it in ALL}
