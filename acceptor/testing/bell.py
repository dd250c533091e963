"""A descriptor that is readable when somebody says so, for listeners without a port."""

import contextlib
import socket

import attrs


def _quiet_pair() -> tuple[socket.socket, socket.socket]:
    # A socket pair and not a pipe: Windows can only select on sockets.
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends


@attrs.define(eq=False)
class Bell:
    """Rings until it is silenced. Whoever uses it from several threads has a lock."""

    _ends: tuple[socket.socket, socket.socket] = attrs.field(
        factory=_quiet_pair, init=False, repr=False
    )
    _rings: bool = attrs.field(default=False, init=False)

    def fileno(self) -> int:
        """Return the descriptor that is readable while it rings; -1 once it is closed."""
        return self._ends[0].fileno()

    def ring(self, on: bool = True) -> None:
        """Begin to ring, or end it."""
        if on != self._rings:
            self._rings = on
            with contextlib.suppress(OSError):  # closed
                if on:
                    self._ends[1].send(b"!")
                else:
                    self._ends[0].recv(1)

    def close(self) -> None:
        """Let go of the descriptors."""
        for end in self._ends:
            end.close()
