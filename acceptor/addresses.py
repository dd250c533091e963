"""The classic ways to write an address, turned into endpoints."""

import os
from typing import Any, TypeAlias

from acceptor.core.errors import EndpointError

InetAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
UnixAddress: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]


def host_and_port(address: Any) -> tuple[str, int]:
    """Read `(host, port)`, or IPv6's `(host, port, flowinfo, scope_id)`.

    Raises:
        EndpointError: It is neither; what host and port are is checked by the endpoint.
    """
    if not isinstance(address, tuple) or len(address) not in (2, 4):
        raise EndpointError(
            f"an address must be a tuple (host, port), got {address!r}; text such as "
            "tcp://127.0.0.1:80 is for listen_on"
        )
    host, port = address[:2]
    if len(address) == 4 and address[3] and isinstance(host, str) and "%" not in host:
        host = f"{host}%{address[3]}"
    return host, port


def unix_path(path: Any) -> str:
    """Read a path of any kind; a leading NUL byte, as the system has it, becomes "@".

    Raises:
        EndpointError: It is no path, but the text of an endpoint, say.
    """
    try:
        text = os.fsdecode(path)
    except TypeError:
        raise EndpointError(f"the path of a Unix socket must be a path, got {path!r}") from None
    scheme, colon, _ = text.partition("://")
    if colon and scheme.isalpha():  # others are names of files, or in the abstract namespace
        raise EndpointError(f"give {text!r} to listen_on, which reads such text, or the path alone")
    return "@" + text[1:] if text.startswith("\0") else text
