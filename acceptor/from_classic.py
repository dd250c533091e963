"""Reads the choices that a classic server class has made, for the builder to take over.

Knows the classic classes by their names only: whoever has one has imported its module.
"""

import socket
from abc import abstractmethod
from typing import Any, Final, Protocol

from acceptor.core.access import Policy
from acceptor.core.errors import ConfigurationError
from acceptor.core.interfaces import AccessPolicy
from acceptor.core.values import frozen

# Their own methods are what the parts of a composed server do already; so is what HTTPServer adds,
# the names that only CGI scripts are told.
_LIBRARY: Final = frozenset(
    ("socketserver", "acceptor.classic.servers", "acceptor.classic.mixins", "http.server")
)

# What cannot be carried over, and what stands in its place.
_ELSEWHERE: Final = {
    "get_request": "wrap the connection in the handler's setup, where it holds up nobody else",
    "server_bind": "bind a socket yourself and hand it to socket()",
    "server_activate": "bind a socket yourself and hand it to socket()",
    "process_request": "choose a concurrency strategy, or write one for concurrency()",
    "process_request_thread": "choose a concurrency strategy, or write one for concurrency()",
    "finish_request": "give handler() a functools.partial or a function of your own",
    "shutdown_request": "close in the handler's finish, or observe the Closed event",
    "close_request": "close in the handler's finish, or observe the Closed event",
    "handle_error": "observe the HandlerFailed event",
    "handle_timeout": "look at what handle_request(timeout) returns",
    "timeout": "give it to handle_request(timeout)",
    "service_actions": "run periodic work in a thread of your own",
    "collect_children": "children are reaped by the strategy",
    "server_close": "call what it does after drain() or stop()",
    "shutdown": "call what it does beside shutdown()",
    "serve_forever": "call what it does around serve_forever()",
    "handle_request": "call what it does around handle_request()",
    "fileno": "hand the socket to socket()",
}

_KINDS: Final = {
    (socket.AF_INET, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET6, socket.SOCK_STREAM): "tcp",
    (socket.AF_INET, socket.SOCK_DGRAM): "udp",
    (socket.AF_INET6, socket.SOCK_DGRAM): "udp",
}
if hasattr(socket, "AF_UNIX"):
    _KINDS[socket.AF_UNIX, socket.SOCK_STREAM] = "unix_stream"
    _KINDS[socket.AF_UNIX, socket.SOCK_DGRAM] = "unix_datagram"


class ClassicStreams(Protocol):
    """A classic server of connections, the standard library's or ours, as checkers see it."""

    @abstractmethod
    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection."""


class ClassicDatagrams(Protocol):
    """A classic server of datagrams, the standard library's or ours, as checkers see it."""

    @abstractmethod
    def get_request(self) -> tuple[tuple[bytes, socket.socket], object]:
        """Receive a datagram."""


@frozen
class Choices:
    """What a classic server is made of, in the builder's words."""

    opening: str
    """The builder's method that opens the port: `tcp`, …, or `socket` for one that is bound."""
    where: Any
    """The address, or the socket."""
    options: dict[str, Any]
    strategy: str
    bound: tuple[int, ...]
    """What the strategy's method is given."""
    policy: AccessPolicy[Any] | None
    handler: Any
    """The instance's handler class; None if only the class is known."""


def read_choices(source: Any, address: Any) -> Choices:
    """Read a classic server class, or a server that has been made of one.

    Raises:
        ConfigurationError: It is no such class, it overrides what cannot be carried over, or the
            address is missing or of another family.
    """
    kind = source if isinstance(source, type) else type(source)
    if not _is_a(kind, "TCPServer"):
        raise ConfigurationError(f"expected a class of socketserver servers, got {source!r}")
    _refuse_overrides(source, kind)
    opening, where = _opening(source, kind, address)
    children = _is_a(kind, "ForkingMixIn")
    threads = _is_a(kind, "ThreadingMixIn")
    return Choices(
        opening,
        where,
        {} if opening == "socket" else _options(source, opening),
        "forked" if children else "threaded" if threads else "sync",
        (source.max_children,) if children else (),
        Verification(source) if _overrides(source, kind, "verify_request") else None,
        None if isinstance(source, type) else source.RequestHandlerClass,
    )


def _is_a(kind: type, name: str) -> bool:
    return any(base.__name__ == name and base.__module__ in _LIBRARY for base in kind.__mro__)


def _overrides(source: Any, kind: type, name: str) -> bool:
    """Whether the program, and not the library, has the last word on this attribute."""
    if not isinstance(source, type) and name in vars(source):
        return True
    owner = next((base for base in kind.__mro__ if name in vars(base)), None)
    return owner is not None and owner.__module__ not in _LIBRARY


def _refuse_overrides(source: Any, kind: type) -> None:
    found = [name for name in _ELSEWHERE if _overrides(source, kind, name)]
    if found:
        advice = "; ".join(f"{name}: {_ELSEWHERE[name]}" for name in found)
        raise ConfigurationError(
            f"cannot carry over {', '.join(found)} of {kind.__name__} ({advice})"
        )
    if isinstance(source, type) and _overrides(source, kind, "__init__"):
        raise ConfigurationError(
            f"cannot carry over __init__ of {kind.__name__}, which no composed server calls; "
            "make an instance, with bind_and_activate=False, and give that; what its handlers look "
            "up in their server give them otherwise, by functools.partial say"
        )


def _opening(source: Any, kind: type, address: Any) -> tuple[str, Any]:
    opening = _KINDS.get((source.address_family, source.socket_type))
    if opening is None:
        raise ConfigurationError(
            f"cannot serve family {source.address_family!r}, type {source.socket_type!r} "
            f"of {kind.__name__}"
        )
    if not isinstance(source, type):
        if address is not None:
            raise ConfigurationError("a server has its address; give one only with a class")
        if type(source.socket) is not socket.socket:
            raise ConfigurationError(
                f"cannot carry over the socket of {kind.__name__}, got {source.socket!r}; "
                "wrap the connections in the handler's setup instead"
            )
        if _is_bound(source.socket):
            return "socket", source.socket
        source.socket.close()
        address = source.server_address
    if address is None:
        raise ConfigurationError(f"where shall it listen? from_classic({kind.__name__}, address)")
    if source.address_family == socket.AF_INET6:
        address = _ipv6(address)
    return opening, address


def _is_bound(sock: socket.socket) -> bool:
    try:
        name = sock.getsockname()
    except OSError:  # closed; or, on Windows, not bound
        return False
    return bool(name[1] if isinstance(name, tuple) else name)


def _ipv6(address: Any) -> Any:
    host = address[0]
    if host == "":
        return ("::", *address[1:])
    if ":" not in host:
        raise ConfigurationError(
            f"an address of AF_INET6 must be written as one, such as '::1', got {host!r}"
        )
    return address


def _options(source: Any, opening: str) -> dict[str, Any]:
    """Return the builder's options for what the class sets differently from its base."""
    options: dict[str, Any] = {}
    if opening in ("tcp", "udp"):
        if source.allow_reuse_address:
            options["reuse_address"] = True
        if getattr(source, "allow_reuse_port", False):
            options["reuse_port"] = True
    if opening in ("tcp", "unix_stream") and source.request_queue_size != 5:
        options["backlog"] = source.request_queue_size
    if opening in ("udp", "unix_datagram") and source.max_packet_size != 8192:
        options["max_datagram_size"] = source.max_packet_size
    return options


class _NoRequest:
    """What a carried `verify_request` is given as its request."""

    def __getattr__(self, name: str) -> Any:
        raise ConfigurationError(
            "this verify_request looks at the request, and an access policy only has the peer; "
            "look at it in the handler"
        )


@frozen
class Verification(Policy[Any]):
    """Asks the `verify_request` of a classic server, or of its class, about the peer."""

    _source: Any

    def allows(self, peer: Any, /) -> bool:
        """Call it without a request."""
        server = self._source
        if isinstance(server, type):
            server = object.__new__(server)
        return bool(server.verify_request(_NoRequest(), peer))

    def __repr__(self) -> str:
        kind = self._source if isinstance(self._source, type) else type(self._source)
        return f"{kind.__name__}.verify_request"
