"""What the tests of limits, deadlines, drains and events share."""

import contextlib
import ctypes
import functools
import os
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import attrs

from acceptor import Closed, Draining, NeedsHandler, Outcome, Server, ServerBuilder
from tests.fakes import Call
from tests.support import PATIENCE, Recorder, connect, wait_until

STRATEGIES = ("sync", "threaded", "pooled", "forked")
WORKERS = ("threaded", "pooled", "forked")
STREAMS = ("tcp", "unix_stream")
DATAGRAMS = ("udp", "unix_datagram")

Stage = NeedsHandler[Any, Any]


def stage_of(transport: str, strategy: str, folder: Path) -> Stage:
    """Begin a server on loopback, or in the folder."""
    place = folder / f"{transport}.sock" if transport.startswith("unix") else ("127.0.0.1", 0)
    stage = getattr(ServerBuilder(), transport)(place)
    chosen: Stage = getattr(stage, strategy)()
    return chosen


@contextlib.contextmanager
def crowd(address: Any, count: int) -> Generator[list[socket.socket], None, None]:
    """Connect so many clients one after the other; at the end all have left."""
    with contextlib.ExitStack() as stack:
        clients: list[socket.socket] = []
        for _ in range(count):
            clients.append(stack.enter_context(connect(address)))
            stack.callback(leave, clients[-1])
        yield clients


def leave(client: socket.socket) -> None:
    """Close for good: a forked child may hold a copy, which a mere close would not touch."""
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    client.close()


def reset(client: socket.socket) -> None:
    """Break a TCP connection off, for a child that holds a copy, too, and close.

    Source: connect(2), AF_UNSPEC dissolves the association.
    """
    assert ctypes.CDLL(None).connect(client.fileno(), bytes(16), 16) == 0
    client.close()


def connect_from(host: str, address: Any) -> socket.socket:
    """Connect from another address of the loopback interface; the caller closes."""
    return socket.create_connection(tuple(address), timeout=PATIENCE, source_address=(host, 0))


@contextlib.contextmanager
def sender(
    address: Any, folder: Path, host: str = "127.0.0.1"
) -> Generator[socket.socket, None, None]:
    """Open a datagram socket that is connected to a server and can be answered."""
    path = getattr(address, "path", None)
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.bind(str(folder / f"{host}-{client.fileno()}.sock") if path else (host, 0))
        client.connect(path or tuple(address))
        yield client


def ending(client: socket.socket) -> bytes | type[Exception]:
    """Read until the other side ends; return what came, or how it broke off."""
    read = b""
    try:
        while piece := client.recv(65536):
            read += piece
    except ConnectionError as error:
        return type(error)
    return read


def at_once(*calls: Callable[[], object]) -> list[Call]:
    """Make these calls in a thread each, as nearly at the same time as can be."""
    together = threading.Barrier(len(calls))

    def after_all(call: Callable[[], object]) -> object:
        together.wait()
        return call()

    return [Call(functools.partial(after_all, call)) for call in calls]


def wait_for_active(server: Server[Any, Any], count: int) -> None:
    """Wait until so many slots are held."""
    wait_until(lambda: server.stats.active == count, f"{count} slots are held")


def begin_drain(server: Server[Any, Any], recorder: Recorder) -> Call:
    """Begin a drain with much patience in another thread; return once it is announced."""
    call = Call(lambda: server.drain(60.0))
    recorder.wait_for(Draining)
    return call


def since_draining(recorder: Recorder) -> tuple[int, int]:
    """Return how many requests ended by themselves, and how many were cut, as was told."""
    events = recorder.events
    began = next(place for place, event in enumerate(events) if isinstance(event, Draining))
    ends = [event.outcome for event in events[began:] if isinstance(event, Closed)]
    return len(ends) - ends.count(Outcome.CUT), ends.count(Outcome.CUT)


def visit(address: Any) -> bytes | type[Exception]:
    """Connect, say nothing, and read until the other side ends; as `ending`.

    A reset may come before Python has looked how the connect went.
    """
    try:
        with connect(address) as client:
            return ending(client)
    except ConnectionError as error:
        return type(error)


@attrs.define(eq=False)
class Gate:
    """Holds handlers, in threads and in children alike, until it lets so many pass."""

    _reader: int
    _writer: int

    @classmethod
    @contextlib.contextmanager
    def shut(cls) -> "Generator[Gate, None, None]":
        """Make one; at the end all pass who still wait."""
        reader, writer = os.pipe()
        gate = cls(reader, writer)
        try:
            yield gate
        finally:
            gate.let(1000)
            os.close(reader)
            os.close(writer)

    def wait(self) -> None:
        """Wait in a handler until one may pass."""
        os.read(self._reader, 1)

    def let(self, count: int) -> None:
        """Let so many pass."""
        os.write(self._writer, b"." * count)


@contextlib.contextmanager
def in_background(step: Callable[[], bool]) -> Generator[None, None, None]:
    """Repeat a step until it says False, or the block ends."""
    done = threading.Event()

    def repeat() -> None:
        while not done.is_set() and step():
            pass

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
