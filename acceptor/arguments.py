"""What can be said to the command, and what it says of itself."""

import argparse
import importlib.metadata
import math
from typing import Final, NoReturn

from acceptor.concurrency.bounds import DEFAULT_MAX_CHILDREN, DEFAULT_THREADS
from acceptor.concurrency.thread import DEFAULT_MAX_THREADS
from acceptor.core.deadlines import Timeouts

REFUSED: Final = 2
"""The exit status if no server comes of it."""

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


def argument_parser() -> argparse.ArgumentParser:
    """Return what reads the command line; it leaves with status 2 where that is wrong."""
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
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--lines", action="store_true", help="give the handler each line instead of connections"
    )
    what.add_argument(
        "--framing", metavar="MODULE:FRAMING", help="give it messages, cut as this object says"
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
