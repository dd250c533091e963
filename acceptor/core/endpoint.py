"""What to listen on, as a value and as text, such as `tcp://127.0.0.1:80`."""

import os
import string
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from acceptor.core.errors import EndpointError
from acceptor.core.lazily import LazyModule
from acceptor.core.values import frozen

if TYPE_CHECKING:
    import ipaddress as _ipaddress
    from urllib import parse as _url
else:  # only an endpoint that is given as text needs them
    _ipaddress = LazyModule("ipaddress")
    _url = LazyModule("urllib.parse")

_EXAMPLES: Final = (
    "tcp://127.0.0.1:80, tcp://[::1]:80, udp://0.0.0.0:53, unix:///run/it.sock, "
    "unix://@name or unixgram:///run/it.sock"
)


def _check_host(instance: object, attribute: object, host: str) -> None:
    if not isinstance(host, str):
        raise EndpointError(f"host must be a name or an address as text, got {host!r}")
    if "\0" in host or any(character.isspace() for character in host):
        raise EndpointError(f"host must not contain white space or NUL, got {host!r}")
    if host == "*" or host.startswith("["):
        raise EndpointError(
            'host is an address without brackets, "" for all of IPv4, or "::" for all of both '
            f"families, got {host!r}"
        )


def _check_port(instance: object, attribute: object, port: int) -> None:
    if isinstance(port, bool) or not isinstance(port, int):
        raise EndpointError(f"port must be a whole number, got {port!r}")
    if not 0 <= port <= 65535:
        raise EndpointError(f"port must be between 0 and 65535, got {port}")


def _check_path(instance: object, attribute: object, path: str) -> None:
    if not isinstance(path, str):
        raise EndpointError(f"the path of a Unix socket must be text, got {path!r}")
    if not path or path == "@":
        raise EndpointError(f"the path of a Unix socket must not be empty, got {path!r}")
    if "\0" in path:
        raise EndpointError(f"write an abstract name as '@name', without NUL, got {path!r}")


def _in_bytes(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError as error:
        raise EndpointError(f"no file can have the path {path!r}: {error}") from error


def _as_the_system_spells_it(path: str) -> str:
    """Return the one text that the system gives for a path, of all that stand for the same bytes.

    What the file system's encoding cannot read may be parts of what it can; see PEP 383.
    """
    return os.fsdecode(_in_bytes(path)) if isinstance(path, str) else path


_PLAIN: Final = frozenset(f"{string.ascii_letters}{string.digits}/@_.-~".encode())


def _quoted(path: str) -> str:
    # Here, because it is wanted when something is out of reach, and imports may be, too.
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(path))


def _host_text(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@frozen
class TcpEndpoint:
    """A TCP host and port; an empty host means all IPv4 addresses, `::` all of both families."""

    host: str = attrs.field(validator=_check_host)
    port: int = attrs.field(validator=_check_port)

    def __str__(self) -> str:
        return f"tcp://{_host_text(self.host)}:{self.port}"


@frozen
class UdpEndpoint:
    """A UDP host and port, as `TcpEndpoint`."""

    host: str = attrs.field(validator=_check_host)
    port: int = attrs.field(validator=_check_port)

    def __str__(self) -> str:
        return f"udp://{_host_text(self.host)}:{self.port}"


@frozen
class UnixEndpoint:
    """The path of a Unix stream socket; "@name" is a name in Linux's abstract namespace."""

    path: str = attrs.field(converter=_as_the_system_spells_it, validator=_check_path)

    def __str__(self) -> str:
        return f"unix://{_quoted(self.path)}"


@frozen
class UnixgramEndpoint:
    """The path of a Unix datagram socket, as `UnixEndpoint`."""

    path: str = attrs.field(converter=_as_the_system_spells_it, validator=_check_path)

    def __str__(self) -> str:
        return f"unixgram://{_quoted(self.path)}"


Endpoint: TypeAlias = TcpEndpoint | UdpEndpoint | UnixEndpoint | UnixgramEndpoint


def parse_endpoint(text: str) -> Endpoint:
    """Read an endpoint's text form; `str()` of the result gives it back.

    Raises:
        EndpointError: It says which part is wrong.
    """
    if not isinstance(text, str):
        raise EndpointError(f"an endpoint must be text such as {_EXAMPLES}, got {text!r}")
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise EndpointError(f"no '://' in endpoint {text!r}; write it as {_EXAMPLES}")
    match scheme:
        case "tcp":
            return TcpEndpoint(*_host_and_port(rest, text))
        case "udp":
            return UdpEndpoint(*_host_and_port(rest, text))
        case "unix":
            return UnixEndpoint(_path(rest, text))
        case "unixgram":
            return UnixgramEndpoint(_path(rest, text))
    raise EndpointError(
        f"unknown scheme {scheme!r} in endpoint {text!r}; it is tcp, udp, unix or unixgram"
    )


def _host_and_port(rest: str, text: str) -> tuple[str, int]:
    host, separator, port = rest.rpartition(":")
    if host.startswith("[") and port.endswith("]"):
        separator = ""  # the colon was one of the address
    elif (host + port).count("[") != (host + port).count("]"):
        raise EndpointError(f"the brackets of endpoint {text!r} do not match")
    if not separator:
        raise EndpointError(f"no port in endpoint {text!r}; add one, ':0' lets the system choose")
    if not (port.isascii() and port.isdigit()):
        raise EndpointError(f"port {port!r} in endpoint {text!r} is not a number")
    if len(port) > 5:
        raise EndpointError(f"port must be between 0 and 65535, got {port}")
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1], text), int(port)
    if ":" in host:
        raise EndpointError(f"put the IPv6 address of endpoint {text!r} in brackets: [{host}]")
    if set(host) & set("[]/?#@"):
        raise EndpointError(f"host {host!r} in endpoint {text!r} is neither name nor address")
    return host, int(port)


def _ipv6(host: str, text: str) -> str:
    try:
        _ipaddress.IPv6Address(host)
    except ValueError as error:
        raise EndpointError(f"host in endpoint {text!r} is no IPv6 address: {error}") from error
    return host


def _path(rest: str, text: str) -> str:
    if not rest.startswith(("/", "@")):
        raise EndpointError(
            f"path {rest!r} in endpoint {text!r} must be absolute (unix:///run/it.sock) "
            "or abstract (unix://@name)"
        )
    return os.fsdecode(_url.unquote_to_bytes(_in_bytes(rest)))
