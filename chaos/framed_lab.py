"""A framed server under torment, as its clients see it; their connections can be at rest."""

import contextlib
import itertools
import os
import socket
from typing import Final

import attrs

from chaos.lab import ANSWER, QUESTION, Lab, expect

# A client that does not read shall soon be noticed.
_RECEIVE_BUFFER: Final = 65536  # bytes

_NUMBERS: Final = itertools.count()


@attrs.frozen
class _Gate:
    """What a handler reads from before it goes on: it sees its messages only, never a socket."""

    path: str
    fd: int

    def open(self) -> None:
        os.write(self.fd, b".")

    def remove(self) -> None:
        """Let go of a handler that still waits, too."""
        os.close(self.fd)
        os.unlink(self.path)


@attrs.define(eq=False)
class FramedLab(Lab):
    """Makes clients that send and read lines."""

    _gates: dict[socket.socket, _Gate] = attrs.field(factory=dict, init=False)
    _resting: socket.socket | None = attrs.field(default=None, init=False)
    _unheard: int = attrs.field(default=0, init=False)  # answers that it waits for

    @property
    def has_workers(self) -> bool:
        """Whether one client need not wait for another: as long as no handler runs."""
        return True

    @property
    def floods(self) -> tuple[bytes, ...]:
        """With one large reply everywhere, and with many where a handler may wait for room."""
        return (b"much\n",) if self.strategy == "sync" else (b"much\n", b"flood\n")

    def connect(self) -> socket.socket:
        """Make a client."""
        client = super().connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        return client

    def occupy(self) -> socket.socket:
        """Make a client whose handler runs, once it has begun, until it is told to end."""
        path = f"{self.host.folder}/gate-{next(_NUMBERS)}"
        os.mkfifo(path)
        # For both, so that neither we nor the handler waits for the other in `open`.
        gate = _Gate(path, os.open(path, os.O_RDWR))
        client = self.send(f"hold {path}\n".encode())
        self._gates[client] = gate
        return client

    def await_handler(self, client: socket.socket) -> None:
        """Wait until the handler of such a client has begun."""
        expect(hear_line(client), b"!")

    def let_go(self, client: socket.socket) -> None:
        """Have the handler of a client that is held come to its end, and see it end well."""
        self._gates[client].open()
        expect(hear_line(client), b".")
        self.dismiss(client)

    def tell(self, message: bytes) -> None:
        """Send this as the last message, and wait until the server has closed the connection."""
        client = self.connect()
        with contextlib.suppress(ConnectionError):  # it was faster than we
            client.sendall(message)
            end_input(client)
            self.hear(client)
        self.dismiss(client)

    def rest(self) -> socket.socket:
        """Make a client who was answered, and whose connection is at rest then."""
        client = self.send(QUESTION)
        expect(hear_line(client), ANSWER)
        return client

    def ask(self) -> None:
        """Be an ordinary client: ask something, and see that the answer is right."""
        self.dismiss(self.rest())

    def answered(self, client: socket.socket) -> None:
        """See that a client which has sent the question before is answered now."""
        expect(hear_line(client), ANSWER)
        self.dismiss(client)

    def begin_rest(self) -> None:
        """Have a client connected to whom nothing shall happen."""
        served = self.books()["served"] + 1
        self._resting = self.rest()
        self.await_books("served", served)  # a child that has answered may not have ended yet

    def call_at_rest(self) -> None:
        """Have the client at rest, if there is one, ask something."""
        if self._resting is not None:
            self._resting.sendall(QUESTION)
            self._unheard += 1

    def hear_at_rest(self) -> None:
        """See that it is answered."""
        while self._resting is not None and self._unheard:
            expect(hear_line(self._resting), ANSWER)
            self._unheard -= 1

    def end_rest(self) -> None:
        """See that the client at rest, if there is one, is answered, and have it leave."""
        self.call_at_rest()
        self.hear_at_rest()
        if self._resting is not None:
            self.dismiss(self._resting)

    def dismiss(self, client: socket.socket) -> None:
        """Close a client as anybody would."""
        super().dismiss(client)
        if client is self._resting:
            self._resting, self._unheard = None, 0
        gate = self._gates.pop(client, None)
        if gate is not None:
            gate.remove()


def hear_line(client: socket.socket) -> bytes:
    """Return one answer; nothing may come behind it."""
    heard = b""
    while not heard.endswith(b"\n") and (data := client.recv(65536)):
        heard += data
    return heard.removesuffix(b"\n")


def end_input(client: socket.socket) -> None:
    """Send no more, but go on reading."""
    with contextlib.suppress(OSError):  # the server has closed the connection
        client.shutdown(socket.SHUT_WR)
