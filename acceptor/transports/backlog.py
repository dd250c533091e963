"""How many clients wait in a listening socket's queue, where the system tells."""

import os
import socket
import struct
import sys
from typing import Final

if sys.platform == "linux":
    # tcp_info of a listening socket: tcpi_unacked is the length of its queue. The eight bytes and
    # four numbers before it are about connections. Source: tcp_get_info in net/ipv4/tcp.c.
    _UNACKED: Final = struct.Struct("=8x16xI")

    # Source: sock_diag(7), linux/unix_diag.h.
    _NETLINK_SOCK_DIAG: Final = 4
    _SOCK_DIAG_BY_FAMILY: Final = 20
    _UDIAG_SHOW_RQLEN: Final = 0x10
    _UNIX_DIAG_RQLEN: Final = 4
    _NLM_F_REQUEST: Final = 1
    _HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
    _QUESTION: Final = struct.Struct("=BBHIIIII")  # family, ..., states, inode, show, cookie
    _ANSWER: Final = struct.Struct("=BBBBIII")  # family, type, state, ..., inode, cookie
    _ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
    _ANY: Final = 0xFFFFFFFF

    def clients_waiting(listening: socket.socket) -> int | None:
        """Return how many connections wait to be accepted; None if the system does not tell."""
        try:
            if listening.family == socket.AF_UNIX:
                return _ask_for_unix(os.fstat(listening.fileno()).st_ino)
            info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.size)
            return int(_UNACKED.unpack(info)[0])
        except (OSError, struct.error):  # no such module in this kernel, no more descriptors
            return None

    def _ask_for_unix(inode: int) -> int | None:
        question = _QUESTION.pack(socket.AF_UNIX, 0, 0, _ANY, inode, _UDIAG_SHOW_RQLEN, _ANY, _ANY)
        length = _HEADER.size + len(question)
        header = _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(1.0)
            kernel.send(header + question)
            return _queue_length(kernel.recv(4096))

    def _queue_length(message: bytes) -> int | None:
        _, kind, _, _, _ = _HEADER.unpack_from(message)
        at = _HEADER.size + _ANSWER.size
        while kind == _SOCK_DIAG_BY_FAMILY and at + _ATTRIBUTE.size <= len(message):
            length, name = _ATTRIBUTE.unpack_from(message, at)
            if name == _UNIX_DIAG_RQLEN:
                return int.from_bytes(message[at + 4 : at + 8], sys.byteorder)
            at += max(_ATTRIBUTE.size, (length + 3) & ~3)
        return None

else:

    def clients_waiting(listening: socket.socket) -> int | None:
        """Return None: this system does not tell."""
        return None
