"""The names of `ssl` for annotations, without loading it: it is loaded when TLS is asked for.

It takes as long to import as all of this package, and not every Python has it.
"""

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssl import SSLContext, SSLSocket
else:

    class SSLContext:
        """Stands for `ssl.SSLContext` where annotations are read at run time."""

    class SSLSocket(socket.socket):
        """Stands for `ssl.SSLSocket` where annotations are read at run time."""


__all__ = ["SSLContext", "SSLSocket"]
