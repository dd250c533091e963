"""What all contestants share: the cells of the table, and where each of them listens."""

import os
import sys
import tempfile
from typing import Any

TRANSPORTS = ("tcp", "unix_stream", "udp", "unix_datagram")
STRATEGIES = ("sync", "threaded", "forked")
STREAMS = ("tcp", "unix_stream")


def cell() -> tuple[str, str, Any]:
    """Return transport, strategy and address, as the command line has them."""
    transport, strategy = sys.argv[1:]
    if transport in ("tcp", "udp"):
        return transport, strategy, ("127.0.0.1", 0)
    return transport, strategy, os.path.join(tempfile.mkdtemp(prefix="bench-"), "it.sock")


def announce(address: Any) -> None:
    """Print the port, or the path, that the clients shall use."""
    print(address if isinstance(address, str) else address[1], flush=True)
