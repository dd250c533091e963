"""Datagram clients without a descriptor."""

import errno
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from typing_extensions import Buffer

from acceptor.core.deadlines import Deadline
from acceptor.core.peers import Peer
from acceptor.testing.bare_socket import BareSocket
from acceptor.testing.clock import wait_by_clock

MAX_DATAGRAM_SIZE: Final = 65_535  # bytes; nothing longer fits into UDP's length field; RFC 768


class MemoryDatagramSocket(BareSocket):
    """A datagram client without a descriptor: `send` and `receive`, or as a socket has them."""

    def __init__(
        self,
        names: tuple[Peer, Peer],
        deliver: "Callable[[bytes, MemoryDatagramSocket], object]",
        timeout: float | None,
    ) -> None:
        """Have these names, one's own and the server's."""
        super().__init__(names, socket.SOCK_DGRAM, time.monotonic, timeout)
        self._deliver = deliver
        self._changed = threading.Condition()
        self._inbox: deque[bytes] = deque()
        self._failure: Exception | None = None

    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """Send a datagram; return its length.

        Raises:
            ConnectionRefusedError: Nobody listens.
            OSError: It is too long for one datagram (`EMSGSIZE`).
        """
        self._check_open()
        payload = bytes(data)
        if len(payload) > MAX_DATAGRAM_SIZE:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self._deliver(payload, self)
        return len(payload)

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        """Send a datagram."""
        self.send(data)

    def sendto(self, data: Buffer, *flags_and_address: Any) -> int:
        """Send a datagram; there is one address that it can go to."""
        return self.send(data)

    def receive(self) -> bytes:
        """Wait for an answer, and return all of it.

        Raises:
            TimeoutError: None has come within the timeout.
        """
        return self.recv(MAX_DATAGRAM_SIZE)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Wait for an answer; return at most so many bytes of it."""
        with self._changed:
            self._check_open()
            deadline = Deadline.after(self._seconds, self._clock)
            if not wait_by_clock(self._changed, self._is_readable, deadline, self._clock):
                raise (
                    TimeoutError("timed out")
                    if self._seconds
                    else BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                )
            if self._failure is not None:
                raise self._failure
            self._check_open()
            payload = self._inbox[0] if flags & socket.MSG_PEEK else self._inbox.popleft()
            return payload[:bufsize]

    def _is_readable(self) -> bool:
        return bool(self._inbox or self._failure or self._closed)

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """Wait for an answer; return at most so many bytes of it, and the server's name."""
        return self.recv(bufsize, flags), self.getpeername()

    def put(self, payload: bytes) -> bool:
        """Have it arrive here; return False if this is closed."""
        with self._changed:
            if not self._closed:
                self._inbox.append(payload)
            self._changed.notify_all()
            return not self._closed

    def fail(self, error: Exception) -> None:
        """Have all further reads raise this."""
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _real_close(self, *_: object) -> None:
        with self._changed:
            self._inbox.clear()
            self._changed.notify_all()
