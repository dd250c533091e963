"""A server under torment, as its clients see it."""

import contextlib
import itertools
import os
import socket
import struct
import time
from collections.abc import Generator, Mapping
from typing import Final

import attrs

from chaos.host import Host
from chaos.ledger import Books
from chaos.patience import PATIENCE, wait_until

# Streams that are cut into messages, and not served as whole connections.
FRAMED_SUFFIX: Final = "_framed"
FRAMED: Final = frozenset({f"tcp{FRAMED_SUFFIX}", f"unix_stream{FRAMED_SUFFIX}"})
STREAMS: Final = frozenset({"tcp", "unix_stream"}) | FRAMED
DATAGRAMS: Final = frozenset({"udp", "unix_datagram"})

QUESTION: Final = b"echo hello\n"
ANSWER: Final = b"hello"

# After that a datagram, or its answer, is taken for lost. Seconds.
_ASK_AGAIN: Final = 0.5

_NUMBERS: Final = itertools.count()


@attrs.define(eq=False)
class Lab:
    """Makes clients of one server, and brings the server into trouble.

    Closes in `leave` all clients that have not been closed before.
    """

    host: Host
    transport: str
    strategy: str
    address: str | tuple[str, int]
    timeouts: Mapping[str, float] = attrs.field(factory=dict)
    size: int = 1
    """How much of everything, from 1."""
    endurance: float = 0.0
    """How long the machine is without something. Seconds."""
    _clients: list[socket.socket] = attrs.field(factory=list, init=False)

    @property
    def is_stream(self) -> bool:
        """Whether clients connect."""
        return self.transport in STREAMS

    @property
    def is_framed(self) -> bool:
        """Whether they connect, but it is messages that are served."""
        return self.transport in FRAMED

    @property
    def has_workers(self) -> bool:
        """Whether one client need not wait for another."""
        return self.strategy != "sync"

    @property
    def keeps_threads(self) -> bool:
        """Whether threads that wait for clients stay from the first client on."""
        return self.strategy in ("threaded", "pooled")

    def warm_up(self) -> None:
        """Have the threads made that stay from the first client on, and nothing else kept."""
        if self.keeps_threads:
            self.ask()
            self.await_books("closed", 1)  # a client is answered before its connection is closed

    def connect(self) -> socket.socket:
        """Make a client."""
        on_path = isinstance(self.address, str)
        kind = socket.SOCK_STREAM if self.is_stream else socket.SOCK_DGRAM
        client = socket.socket(socket.AF_UNIX if on_path else socket.AF_INET, kind)
        self._clients.append(client)
        client.settimeout(PATIENCE)
        if on_path and not self.is_stream:
            client.bind(f"{self.host.folder}/client-{next(_NUMBERS)}")
        client.connect(self.address)
        return client

    def send(self, message: bytes) -> socket.socket:
        """Make a client that sends this."""
        client = self.connect()
        client.sendall(message)
        return client

    def occupy(self) -> socket.socket:
        """Make a client whose handler runs, once it has begun, until it is told to end."""
        return self.send(b"hold\n")

    def await_handler(self, client: socket.socket) -> None:
        """Wait until the handler of such a client has begun."""
        expect(client.recv(1), b"!")

    def hold(self) -> socket.socket:
        """Make a client whose handler runs until it is told to end."""
        client = self.occupy()
        self.await_handler(client)
        return client

    def let_go(self, client: socket.socket) -> None:
        """Have the handler of a client that is held come to its end, and see it end well."""
        client.sendall(b".")
        expect(self.hear(client), b".")
        self.dismiss(client)

    def tell(self, message: bytes) -> None:
        """Send this and wait, if there is a connection, until the server has closed it."""
        client = self.connect()
        with contextlib.suppress(ConnectionError):  # it was faster than we
            client.sendall(message)
            if self.is_stream:
                self.hear(client)
        self.dismiss(client)

    @property
    def floods(self) -> tuple[bytes, ...]:
        """The ways to have more sent to a client than it reads."""
        return (b"flood\n",)

    def hear(self, client: socket.socket) -> bytes:
        """Return the whole answer."""
        if self.is_stream:
            return b"".join(iter(lambda: client.recv(65536), b""))
        return client.recv(65536)

    def ask(self) -> None:
        """Be an ordinary client: ask something, and see that the answer is right."""
        client = self.send(QUESTION)
        answer = self.hear(client) if self.is_stream else self._hear_or_ask_again(client)
        expect(answer, ANSWER)
        self.dismiss(client)

    def _hear_or_ask_again(self, client: socket.socket) -> bytes:
        client.settimeout(_ASK_AGAIN)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                return client.recv(65536)
            except TimeoutError:
                with contextlib.suppress(TimeoutError):  # a Unix socket's queue is full
                    client.send(QUESTION)
        raise TimeoutError("no answer, however often it was asked")

    def answered(self, client: socket.socket) -> None:
        """See that a client which has sent the question before is answered now."""
        expect(self.hear(client), ANSWER)
        self.dismiss(client)

    def begin_rest(self) -> None:
        """Have a client connected to whom nothing shall happen, if connections can be at rest."""

    def call_at_rest(self) -> None:
        """Have the client at rest, if there is one, ask something."""

    def hear_at_rest(self) -> None:
        """See that it is answered."""

    def end_rest(self) -> None:
        """See that the client at rest, if there is one, is answered, and have it leave."""

    def dismiss(self, client: socket.socket) -> None:
        """Close a client as anybody would."""
        self._clients.remove(client)
        if client.family == socket.AF_UNIX and not self.is_stream and client.fileno() >= 0:
            os.unlink(client.getsockname())
        client.close()

    def reset(self, client: socket.socket) -> None:
        """Close a client with a reset, where the transport has that."""
        if client.family != socket.AF_UNIX and self.is_stream:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.dismiss(client)

    def leave(self) -> None:
        """Close all clients."""
        for client in list(self._clients):
            self.dismiss(client)

    def books(self) -> Books:
        """Return what the server has told."""
        books: Books = self.host.call("books")
        return books

    def await_books(self, line: str, many: int) -> None:
        """Wait until the server has told of so many, in all."""
        wait_until(lambda: self.books()[line] >= many, f"{line}: {many}")

    @contextlib.contextmanager
    def trouble(self, name: str) -> Generator[None, None, None]:
        """Bring the server into trouble for the length of the block."""
        self.host.call("begin", trouble=name)
        try:
            yield
        finally:
            self.host.call("end")


def expect(answer: bytes, right: bytes) -> None:
    """Refuse a wrong answer.

    Raises:
        ValueError: It is wrong.
    """
    if answer != right:
        raise ValueError(f"the answer is {answer[:100]!r} and not {right!r}")
