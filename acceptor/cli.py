"""The command: `python -m acceptor MODULE:HANDLER --listen ENDPOINT …`, also `acceptor …`."""

import argparse
import functools
import importlib
import importlib.metadata
import logging
import math
import operator
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn, cast

from acceptor.builder import ServerBuilder
from acceptor.concurrency.bounds import DEFAULT_MAX_CHILDREN, DEFAULT_THREADS
from acceptor.concurrency.thread import DEFAULT_MAX_THREADS
from acceptor.core.access import Policy, allow_networks, deny_networks
from acceptor.core.deadlines import Timeouts
from acceptor.core.endpoint import (
    Endpoint,
    TcpEndpoint,
    UdpEndpoint,
    UnixEndpoint,
    parse_endpoint,
)
from acceptor.core.errors import AcceptorError
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
REFUSED: Final = 2

_EPILOG: Final = """\
ENDPOINT is tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH, unix://@NAME (abstract) or
unixgram:///PATH; an IPv6 address goes into brackets, and port 0 lets the system choose.
The first SIGTERM or SIGINT closes the port and lets running requests finish within the grace
period; the second stops at once. Exit status: 0 after a clean drain, 1 if requests had to be
cut, 2 if the server could not start. Behind --proxy-protocol, --allow, --deny, --rate and
--per-peer are about the real clients. SIGHUP has certificates and files of networks read again.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the line and leave with status 2."""
        self.exit(REFUSED, f"{self.prog}: {' '.join(message.split())}\n")


class _Version(argparse.Action):
    """Looks the version up only if it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it and leave with status 0."""
        print("acceptor", importlib.metadata.version("acceptor"))  # noqa: T201
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="acceptor",
        description="Serve a handler on one or several endpoints.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("handler", metavar="MODULE:HANDLER", help="such as http.server:CLASS")
    parser.add_argument(
        "--listen", metavar="ENDPOINT", action="append", required=True, help="may be repeated"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--sync", action="store_true", help="one request at a time (the default)")
    how.add_argument(
        "--threaded",
        metavar="N",
        nargs="?",
        type=int,
        const=DEFAULT_MAX_THREADS,
        help="a thread for each request, at most N (%(const)s)",
    )
    how.add_argument(
        "--pooled",
        metavar="N",
        nargs="?",
        type=int,
        const=DEFAULT_THREADS,
        help="a pool of N threads (%(const)s), which are there from the start",
    )
    how.add_argument(
        "--forked",
        metavar="N",
        nargs="?",
        type=int,
        const=DEFAULT_MAX_CHILDREN,
        help="a child process for each request, at most N (%(const)s)",
    )
    for option, verb in (("--allow", "let in only"), ("--deny", "keep out")):
        parser.add_argument(
            option,
            metavar="CIDR",
            action="extend",
            nargs="+",
            default=[],
            help=f"{verb} these networks, or those in @FILE; may be repeated",
        )
    _add_path(parser)
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=float,
        default=Timeouts().drain,
        help="how long running requests may take to finish at the end (%(default)s)",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser


def _add_path(parser: argparse.ArgumentParser) -> None:
    """Add what stands on a client's way, besides networks."""
    parser.add_argument(
        "--proxy-protocol",
        metavar="CIDR",
        action="append",
        default=[],
        help="expect PROXY headers, from proxies in this network; may be repeated",
    )
    parser.add_argument("--tls", metavar=("CERT", "KEY"), nargs=2, help="speak TLS")
    parser.add_argument(
        "--client-ca", metavar="FILE", help="let in only whose certificate one of these has signed"
    )
    parser.add_argument(
        "--rate",
        metavar="N[:BURST]",
        type=_rate,
        help="let in N clients a second of one address, and BURST at once (twice as many)",
    )
    parser.add_argument(
        "--max-connections", metavar="N", type=int, help="serve at most N; the others wait"
    )
    parser.add_argument(
        "--per-peer", metavar="N", type=int, help="serve at most N of one address; close the others"
    )


def _rate(text: str) -> tuple[float, int]:
    number, _, burst = text.partition(":")
    per_second = float(number)
    return per_second, int(burst) if burst else max(1, math.ceil(2 * per_second))


def _load(name: str) -> Any:
    """Import MODULE:HANDLER; whatever goes wrong is the user's to know in one line."""
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise _CannotStartError(f"the handler must be given as MODULE:HANDLER, got {name!r}")
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
        raise _CannotStartError(f"no handler {attribute!r} in {module_name!r}: {error}") from error


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
    ready: Ready[Any, Any] = stage.handler(_load(options.handler))
    return _Listening(ready.build(), endpoint)


def _stream(stage: Any, endpoint: Endpoint, option: str) -> Any:
    if isinstance(endpoint, TcpEndpoint | UnixEndpoint):
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
    parser = _parser()
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
