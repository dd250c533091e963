"""The command: `python -m acceptor MODULE:HANDLER --listen ENDPOINT …`, also `acceptor …`."""

import argparse
import functools
import importlib
import logging
import operator
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from acceptor.arguments import argument_parser
from acceptor.builder import ServerBuilder
from acceptor.core.access import Policy, allow_networks, deny_networks
from acceptor.core.endpoint import (
    Endpoint,
    TcpEndpoint,
    UdpEndpoint,
    UnixEndpoint,
    parse_endpoint,
)
from acceptor.core.errors import AcceptorError
from acceptor.core.framings import lines
from acceptor.core.interfaces import AccessPolicy
from acceptor.core.networks_file import allow_networks_in, deny_networks_in
from acceptor.core.peer_limit import limit_per_peer
from acceptor.core.rate_limit import limit_rate
from acceptor.core.reporting import LOGGER
from acceptor.core.runner import run
from acceptor.core.server import Server
from acceptor.core.values import frozen
from acceptor.stages import Ready

CLEAN: Final = 0
CUT: Final = 1


def _load(what: str, name: str) -> Any:
    """Import MODULE:NAME; whatever goes wrong is the user's to know in one line."""
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise _CannotStartError(f"the {what} must be given as MODULE:{what.upper()}, got {name!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` does; the installed command does not
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        raise _CannotStartError(f"cannot import {module_name!r}: {kind}: {error}") from error
    try:
        return operator.attrgetter(attribute)(module)
    except Exception as error:
        raise _CannotStartError(f"no {what} {attribute!r} in {module_name!r}: {error}") from error


class _CannotStartError(Exception):
    """The arguments are fine for the parser, but no server comes of them."""


@frozen
class _Listening:
    """A server and the endpoint that the user gave for it."""

    server: Server[Any, Any]
    endpoint: Endpoint

    def __str__(self) -> str:
        """Return the endpoint with the address and port that were bound."""
        if isinstance(self.endpoint, TcpEndpoint | UdpEndpoint):
            host, port = self.server.address
            return str(type(self.endpoint)(host, port))
        return str(self.endpoint)


def _build(options: argparse.Namespace, endpoint: Endpoint) -> _Listening:
    stage: Any = cast("Any", ServerBuilder().listen_on(endpoint))
    if options.threaded is not None:
        stage = stage.threaded(options.threaded)
    if options.pooled is not None:
        stage = stage.pooled(options.pooled)
    if options.forked is not None:
        stage = stage.forked(options.forked)
    stage = stage.limits(max_connections=options.max_connections)
    if options.proxy_protocol:
        stage = _stream(stage, endpoint, "--proxy-protocol").proxy_protocol(
            trusted=options.proxy_protocol
        )
    for policy in _policies(options):
        stage = stage.access(policy)
    if options.per_peer is not None and options.proxy_protocol:  # else they would be the proxy's
        stage = stage.access(limit_per_peer(options.per_peer))
    else:
        stage = stage.limits(per_peer=options.per_peer)
    if options.tls:
        stage = _stream(stage, endpoint, "--tls").tls(*options.tls, client_ca=options.client_ca)
    elif options.client_ca is not None:
        raise _CannotStartError("--client-ca needs --tls: certificates are a part of TLS")
    framing = lines() if options.lines else options.framing and _load("framing", options.framing)
    if framing is not None and _has_connections(endpoint):  # datagrams are messages as they are
        stage = stage.framed(framing)
    ready: Ready[Any, Any] = stage.handler(_load("handler", options.handler))
    return _Listening(ready.build(), endpoint)


def _has_connections(endpoint: Endpoint) -> bool:
    return isinstance(endpoint, TcpEndpoint | UnixEndpoint)


def _stream(stage: Any, endpoint: Endpoint, option: str) -> Any:
    if _has_connections(endpoint):
        return stage
    raise _CannotStartError(f"{option} needs connections, and {endpoint} has none")


def _policies(options: argparse.Namespace) -> Iterator[AccessPolicy[Any]]:
    """Yield what judges the clients, the cheapest first: the real ones, if there is a proxy."""
    networks, files = _sorted(options.allow)
    allowed: list[Policy[Any]] = [allow_networks_in(path) for path in files]
    if networks:
        allowed.append(allow_networks(*networks))
    if allowed:
        yield functools.reduce(operator.or_, allowed)
    networks, files = _sorted(options.deny)
    if networks:
        yield deny_networks(*networks)
    yield from map(deny_networks_in, files)
    if options.rate is not None:
        per_second, burst = options.rate
        yield limit_rate(per_second, burst=burst)


def _sorted(given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the networks, and the files that have more."""
    networks = [text for text in given if not text.startswith("@")]
    return networks, [text.removeprefix("@") for text in given if text.startswith("@")]


def _announce(listening: Sequence[_Listening]) -> None:
    LOGGER.setLevel(logging.INFO)
    for one in listening:
        print(f"listening on {one}", flush=True)  # noqa: T201 - the command's own output


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal; return the exit status."""
    parser = argument_parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # Until all of them listen, what goes wrong is told in the one line below.
    LOGGER.setLevel(logging.WARNING)
    try:
        listening = [_build(options, parse_endpoint(text)) for text in options.listen]
        reports = run(
            *(one.server for one in listening),
            grace=options.grace,
            on_ready=functools.partial(_announce, listening),
        )
    except (AcceptorError, _CannotStartError) as error:
        parser.error(str(error))
    return CUT if any(report.cut for report in reports) else CLEAN
