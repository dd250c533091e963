"""The process in which a server is tormented: it opens one after the other, as it is ordered.

Orders and answers are lines of JSON on standard input and output. The servers serve in the main
thread; another one obeys. So nothing of what is wrong with a server keeps it from being measured.
"""

import contextlib
import faulthandler
import gc
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from acceptor import (
    Datagram,
    Limits,
    Server,
    ServerBuilder,
    TcpEndpoint,
    TcpTransport,
    Timeouts,
    Transport,
    UdpEndpoint,
    UdpTransport,
    UnixDatagramTransport,
    UnixEndpoint,
    UnixgramEndpoint,
    UnixStreamTransport,
)
from acceptor.concurrency import warm_threads
from acceptor.transports import stream
from chaos import parts
from chaos.framed_parts import SMALL_BUFFERS, framed, trouble_held
from chaos.handlers import Tormented, TormentedByDatagrams, tormented_by_messages
from chaos.lab import FRAMED, FRAMED_SUFFIX
from chaos.ledger import Books, Ledger
from chaos.resources import own_resources
from chaos.troubles import TROUBLES

_Opening: TypeAlias = Callable[[str], Transport[Any, Any]]

TRANSPORTS: Final[Mapping[str, _Opening]] = {
    "tcp": lambda path: TcpTransport(endpoint=TcpEndpoint("127.0.0.1", 0)),
    "unix_stream": lambda path: UnixStreamTransport(endpoint=UnixEndpoint(path)),
    "udp": lambda path: UdpTransport(endpoint=UdpEndpoint("127.0.0.1", 0)),
    "unix_datagram": lambda path: UnixDatagramTransport(endpoint=UnixgramEndpoint(path)),
}

# Shorter than the package has them: they bound how long a thread that is idle, or that waits for
# a client to hang up, may be seen. Seconds.
_KEEP_WARM: Final = 0.05
_LINGER: Final = 0.1


@attrs.define(eq=False)
class Conductor:
    """Opens a server, serves it in the main thread, brings it into trouble, and looks at it."""

    _transport: str
    _strategy: str
    _path: str
    _queue: "queue.SimpleQueue[Server[Any, Any] | None]" = attrs.field(
        factory=queue.SimpleQueue, init=False
    )
    _server: Server[Any, Any] | None = attrs.field(default=None, init=False)
    _ledger: Ledger = attrs.field(factory=Ledger, init=False)
    _trouble: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack, init=False)

    def serve(self) -> None:
        """Serve what is opened until there is no more; in the main thread."""
        while (server := self._queue.get()) is not None:
            server.serve_forever()

    def obey(self) -> None:
        """Carry out orders until they end, and then end everything."""
        try:
            for order, values in _orders(0):
                done = getattr(self, f"do_{order}")(**values)
                os.write(1, json.dumps(done).encode() + b"\n")
        finally:
            with contextlib.suppress(Exception):
                self.do_close()
            self._queue.put(None)

    def do_open(
        self,
        parts: Collection[str],
        limits: Mapping[str, Any],
        timeouts: Mapping[str, float | None],
    ) -> str | tuple[str, int]:
        """Begin to serve, with these troubled parts; return where."""
        self._ledger = Ledger()
        server = self._server = self._build(parts, Limits(**limits), Timeouts(**timeouts))
        address = server.listen().address
        self._queue.put(server)
        path: str | None = getattr(address, "path", None)
        return (address.host, address.port) if path is None else path

    def _build(
        self, names: Collection[str], limits: Limits, timeouts: Timeouts
    ) -> Server[Any, Any]:
        transport = TRANSPORTS[self._transport.removesuffix(FRAMED_SUFFIX)](self._path)
        handler: Any = TormentedByDatagrams if transport.request_type is Datagram else Tormented  # type: ignore[attr-defined]
        is_framed = self._transport in FRAMED
        if is_framed:
            transport = attrs.evolve(transport, socket_options=SMALL_BUFFERS)  # type: ignore[misc]
        elif "listener" in names:
            transport = parts.TroubledTransport(transport)
        stage: Any = ServerBuilder().transport(transport).limits(limits).timeouts(timeouts)
        if "policy" in names:
            stage = stage.access(parts.policy)
        if is_framed:
            stage, handler = framed(stage, names), tormented_by_messages
        if "observer" in names:
            stage = stage.observe(parts.observer)
        stage = getattr(stage.observe(self._ledger), self._strategy)()
        server: Server[Any, Any] = stage.handler(handler).build()
        return server

    def do_begin(self, trouble: str) -> None:
        """Bring the server into trouble."""
        assert self._server is not None
        self._trouble.enter_context(TROUBLES[trouble](self._server))

    def do_end(self) -> None:
        """End the trouble."""
        self._trouble.pop_all().close()

    def do_books(self) -> Books:
        """Return what the server has told."""
        return {**self._ledger.books(), "struck": sum(parts.STRUCK.values())}

    def do_resources(self) -> Mapping[str, int]:
        """Return what this process holds."""
        return attrs.asdict(own_resources())

    def do_close(self) -> None:
        """Stop the server."""
        self.do_end()
        server, self._server = self._server, None
        if server is not None:
            server.stop()


def _orders(source: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # Without a file object: a forked child would wait for its lock.
    heard = b""
    while read := os.read(source, 65536):
        *lines, heard = (heard + read).split(b"\n")
        for line in lines:
            order, values = json.loads(line)
            yield order, values


def main(transport: str, strategy: str, path: str) -> None:
    """Obey until standard input ends."""
    faulthandler.enable()  # whoever ends a hang with SIGABRT sees where it was
    warm_threads.KEEP_WARM = _KEEP_WARM  # type: ignore[misc] # pyright: ignore
    stream.LINGER_SECONDS = _LINGER  # type: ignore[misc] # pyright: ignore
    # As a program has them that minds its own children and talks to itself.
    for number in (signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    if transport in FRAMED:
        trouble_held()
    conductor = Conductor(transport, strategy, path)
    gc.freeze()  # what is here for good need not be looked through each time that we measure
    threading.Thread(target=conductor.obey, name="orders", daemon=True).start()
    conductor.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
