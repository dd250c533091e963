"""The end of a TCP port that other sockets share: no handshake begun with it may be lost.

A connection belongs to the socket that its first packet was given to. If that socket is closed
before the handshake is over, the client, which believes to be connected, is reset; at a busy port
that hits one client in some restarts on loopback, and many where packets take their time. So
before the end, first packets are dropped, which their clients send again a second later, to
another socket by then; and handshakes that have begun may come to their end.
"""

import array
import contextlib
import socket
import struct
import sys
from collections.abc import Generator
from typing import Final

import attrs

from acceptor.core.deadlines import Deadline
from acceptor.core.values import define

# A handshake takes one round trip, and a second more if a packet is lost (RFC 6298, section 2).
# Not longer: who floods us with first packets never finishes.
LONGEST_HANDSHAKE: Final = 1.0  # seconds

if sys.platform == "linux":
    # Source: socket(7), linux/filter.h. In a filter of a TCP socket a packet begins with its TCP
    # header; byte 13 has the flags, and a filter that returns 0 drops the packet.
    _SO_ATTACH_FILTER: Final = 26
    _INSTRUCTION: Final = struct.Struct("=HBBI")  # code, jump if true, jump if false, operand
    _DROP_SYN: Final = b"".join(
        _INSTRUCTION.pack(*instruction)
        for instruction in (
            (0x30, 0, 0, 13),  # load the byte
            (0x45, 0, 1, 0x02),  # unless SYN is set, skip one
            (0x06, 0, 0, 0),
            (0x06, 0, 0, 0xFFFFFFFF),
        )
    )
    _PROGRAM: Final = struct.Struct("@HP")  # how many instructions, and where

    # Source: sock_diag(7), netlink(7), linux/inet_diag.h.
    _NETLINK_SOCK_DIAG: Final = 4
    _SOCK_DIAG_BY_FAMILY: Final = 20
    _REQUEST_DUMP: Final = 0x301
    _HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
    _QUESTION: Final = struct.Struct("=BBBxI")  # family, protocol, extensions, states
    _PORTS: Final = struct.Struct(">HH")  # ours, theirs
    _ANY_ADDRESS: Final = bytes(36)  # ours, theirs, interface
    _ANY_COOKIE: Final = b"\xff" * 8
    _HALF_OPEN: Final = 1 << 3 | 1 << 12  # TCP_SYN_RECV, TCP_NEW_SYN_RECV
    _WHO: Final = slice(_HEADER.size + 6, _HEADER.size + 40)  # their port, both addresses

    def _take_no_more(listening: socket.socket) -> None:
        code = array.array("B", _DROP_SYN)
        count = len(code) // _INSTRUCTION.size
        program = _PROGRAM.pack(count, code.buffer_info()[0])
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def _half_open(listening: socket.socket) -> set[bytes]:
        """Return the clients whose handshake with this port is under way."""
        families = {listening.family, socket.AF_INET}  # a dual-stack socket has clients of both
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            return {client for family in families for client in _ask(kernel, family, listening)}

    def _ask(
        kernel: socket.socket, family: int, listening: socket.socket
    ) -> Generator[bytes, None, None]:
        question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, _HALF_OPEN)
        question += _PORTS.pack(listening.getsockname()[1], 0) + _ANY_ADDRESS + _ANY_COOKIE
        length = _HEADER.size + len(question)
        kernel.send(_HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + question)
        while True:
            part = kernel.recv(65536)
            while part:
                length, kind, _, _, _ = _HEADER.unpack_from(part)
                if kind != _SOCK_DIAG_BY_FAMILY:  # the end, or an error
                    return
                yield part[_WHO]
                part = part[(length + 3) & ~3 :]

else:

    def _take_no_more(listening: socket.socket) -> None:
        pass

    def _half_open(listening: socket.socket) -> set[bytes]:
        return set()


@define(eq=False)
class LastHandshakes:
    """Ends the handshakes with a port that is about to be closed; takes no new ones from now on."""

    _listening: socket.socket
    _pending: set[bytes] = attrs.field(factory=set[bytes], init=False)
    _until: Deadline = attrs.field(
        factory=lambda: Deadline.after(LONGEST_HANDSHAKE), init=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        with contextlib.suppress(OSError, struct.error):  # no such module in this kernel
            _take_no_more(self._listening)
            self._pending = _half_open(self._listening)

    def are_under_way(self) -> bool:
        """Say whether one may still come to its end."""
        if self._pending and not self._until.passed:
            with contextlib.suppress(OSError, struct.error):
                self._pending &= _half_open(self._listening)
                return bool(self._pending)
        return False
