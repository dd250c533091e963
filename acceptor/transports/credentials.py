"""Who is at the other end of a connected Unix socket, as the kernel vouches for it."""

import socket
import struct
import sys
from typing import Final

from acceptor.core.peers import UnixPeer, unix_path

if sys.platform == "linux":
    _UCRED: Final = struct.Struct("iII")  # pid, uid, gid; unix(7)

    def unix_peer(client: socket.socket, sockaddr: str | bytes | None) -> UnixPeer:
        """Return the peer of an accepted connection with its pid, uid and gid."""
        packed = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return UnixPeer(unix_path(sockaddr), *_UCRED.unpack(packed))

elif sys.platform == "win32":

    def unix_peer(client: socket.socket, sockaddr: str | bytes | None) -> UnixPeer:
        """Return the peer of an accepted connection; Windows tells no credentials."""
        return UnixPeer(unix_path(sockaddr))

else:
    import ctypes
    import os

    _LIBC: Final = ctypes.CDLL(None, use_errno=True)

    def unix_peer(client: socket.socket, sockaddr: str | bytes | None) -> UnixPeer:
        """Return the peer of an accepted connection with its uid and gid; getpeereid(3)."""
        uid, gid = ctypes.c_uint32(), ctypes.c_uint32()
        if _LIBC.getpeereid(client.fileno(), ctypes.byref(uid), ctypes.byref(gid)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return UnixPeer(unix_path(sockaddr), None, uid.value, gid.value)
