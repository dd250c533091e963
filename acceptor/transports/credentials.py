"""Who is at the other end of a connected Unix socket, as the kernel vouches for it."""

import functools
import socket
import struct
import sys
from typing import Final

from acceptor.core.peers import UnixPeer, unix_path

if sys.platform == "linux":
    _UCRED: Final = struct.Struct("iII")  # pid, uid, gid; unix(7)
    _SIZE: Final = _UCRED.size

    def unix_peer(client: socket.socket, sockaddr: str | bytes | None) -> UnixPeer:
        """Return the peer of an accepted connection with its pid, uid and gid."""
        return _peer(sockaddr, client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _SIZE))

    @functools.lru_cache  # the same processes come again, and a look takes a tenth of making one
    def _peer(sockaddr: str | bytes | None, packed: bytes) -> UnixPeer:
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
