"""Opening sockets for TCP and UDP: which family, which options, which errors."""

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Generator, Iterable
from typing import Any, Final, TypeAlias

import attrs

from acceptor.core.errors import ConfigurationError, ListenError, UnsupportedError
from acceptor.core.values import frozen

SocketOption: TypeAlias = tuple[int, int, int | bytes]

_HINTS: Final = {
    errno.EADDRINUSE: "another server has it; stop that one, or let port 0 choose a free port",
    errno.EACCES: "ports below 1024 need privileges; choose a higher one",
    errno.EADDRNOTAVAIL: "no interface of this machine has this address",
}


_UNIX_HINTS: Final = {errno.EADDRINUSE: "another server has it; stop that one first"}


@contextlib.contextmanager
def naming(endpoint: object) -> Generator[None, None, None]:
    """Turn the system's errors into a `ListenError` that names the endpoint and the way out."""
    try:
        yield
    except ListenError:
        raise
    except UnicodeError as error:  # the host cannot be written in a DNS query
        raise ListenError(errno.EINVAL, f"cannot listen on {endpoint}: {error}") from error
    except OSError as error:
        hints = _UNIX_HINTS if str(endpoint).startswith("unix") else _HINTS
        hint = hints.get(error.errno or 0)
        text = error.strerror or str(error)
        message = f"cannot listen on {endpoint}: {text}" + (f"; {hint}" if hint else "")
        raise ListenError(error.errno, message) from error


def options(given: Iterable[SocketOption]) -> tuple[SocketOption, ...]:
    """Check socket options: (level, name, value), as `setsockopt` takes them."""
    try:
        checked = tuple(given)
    except TypeError:
        raise ConfigurationError(f"expected a list of socket options, got {given!r}") from None
    for option in checked:
        if not (
            isinstance(option, tuple)
            and len(option) == 3
            and isinstance(option[0], int)
            and isinstance(option[1], int)
            and isinstance(option[2], int | bytes)
        ):
            raise ConfigurationError(
                f"a socket option must be (level, name, int or bytes), got {option!r}"
            )
    return checked


def check_size(instance: object, attribute: "attrs.Attribute[Any]", size: object) -> None:
    """Refuse what is no size in bytes; None is the system's choice. An attrs validator."""
    if size is not None:
        check_limit(instance, attribute, size)


def check_limit(instance: object, attribute: "attrs.Attribute[Any]", size: object) -> None:
    """Refuse what is no size, None included; an attrs validator."""
    # The system's calls take a C int, and raise OverflowError for more.
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size < 2**31:
        raise ConfigurationError(
            f"{attribute.name} must be 1 or more, and below 2**31, got {size!r}"
        )


def check_flag(instance: object, attribute: "attrs.Attribute[Any]", flag: object) -> None:
    """Refuse what is neither True nor False; an attrs validator."""
    if not isinstance(flag, bool):
        raise ConfigurationError(f"{attribute.name} must be True or False, got {flag!r}")


def check_reuse_port(instance: object, attribute: "attrs.Attribute[Any]", wanted: object) -> None:
    """Refuse `reuse_port` where the platform has no such thing; an attrs validator."""
    check_flag(instance, attribute, wanted)
    if wanted and not hasattr(socket, "SO_REUSEPORT"):
        raise UnsupportedError("reuse_port is not there on this platform; leave it out")


@frozen(kw_only=True)
class InetOptions:
    """What is set on the socket before it is bound."""

    reuse_address: bool | None
    reuse_port: bool
    receive_buffer_size: int | None
    send_buffer_size: int | None
    socket_options: tuple[SocketOption, ...]


def open_socket(
    host: str, port: int, kind: socket.SocketKind, choices: InetOptions
) -> socket.socket:
    """Open and bind a socket; the caller closes it.

    A name is looked up here; if it has addresses of both families, the first IPv4 address is
    taken, as the classic module and Go's `net.Listen` do. `::` takes clients of both families.

    Raises:
        OSError: The name is unknown, or the address cannot be bound.
    """
    family, sockaddr = _resolve(host, port, kind)
    with contextlib.ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, kind))
        if family == socket.AF_INET6:
            only = sockaddr[0] != "::"
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        _apply(sock, choices)
        sock.bind(sockaddr)
        undo.pop_all()
        return sock


def _is_address(host: str) -> bool:
    return host.isascii() and (":" in host or host.replace(".", "").isdigit())


def _resolve(host: str, port: int, kind: socket.SocketKind) -> tuple[socket.AddressFamily, Any]:
    wanted = host or "0.0.0.0"  # noqa: S104 - an empty host asks for all addresses
    found = socket.getaddrinfo(
        wanted.encode() if _is_address(wanted) else wanted,  # else `encodings.idna` is imported
        port,
        type=kind,
        flags=socket.AI_PASSIVE,
    )
    found = [entry for entry in found if entry[0] in (socket.AF_INET, socket.AF_INET6)]
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)  # stable: the resolver's order holds
    if not found:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return found[0][0], found[0][4]


def _apply(sock: socket.socket, choices: InetOptions) -> None:
    reuse = choices.reuse_address
    if reuse is None:
        # For TCP on POSIX it only lets a restarted server have its port back while old
        # connections linger. For UDP, and for TCP on Windows, it would let a second server
        # take the port away from the first.
        reuse = sock.type == socket.SOCK_STREAM and sys.platform != "win32"
    if reuse:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif sys.platform == "win32":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    if choices.reuse_port and sys.platform != "win32":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if choices.receive_buffer_size is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, choices.receive_buffer_size)
    if choices.send_buffer_size is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, choices.send_buffer_size)
    for level, name, value in choices.socket_options:
        sock.setsockopt(level, name, value)
