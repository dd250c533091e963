"""A stream handler at one end of a connection, and the client at the other."""

import contextlib
import socket
import threading
from collections.abc import Generator

from acceptor import ServerBuilder, StreamHandler, UnixPeer

server = ServerBuilder().unix_stream("@acceptor-never-bound").handler(StreamHandler).build()


class Pair:
    """A handler with its end of a connection, and the client's end."""

    def __init__(self, kind: type[StreamHandler], ours: socket.socket, client: socket.socket):
        self.handler = kind(ours, UnixPeer(), server)
        self.ours, self.client = ours, client

    def hear(self) -> bytes:
        """Return what the client has been sent so far."""
        self.client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            return self.client.recv(1 << 20)
        return b""


@contextlib.contextmanager
def pair(kind: type[StreamHandler] = StreamHandler) -> Generator[Pair, None, None]:
    ours, client = socket.socketpair()
    with ours, client:
        yield Pair(kind, ours, client)


@contextlib.contextmanager
def tcp_pair(kind: type[StreamHandler]) -> Generator[Pair, None, None]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as ours,
    ):
        yield Pair(kind, ours, client)


@contextlib.contextmanager
def reading(client: socket.socket, received: bytearray) -> Generator[None, None, None]:
    def read() -> None:
        while data := client.recv(1 << 16):
            received.extend(data)

    thread = threading.Thread(target=read)
    thread.start()
    yield
    thread.join()
