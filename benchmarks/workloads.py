"""The workloads: who does what, how much at once, and what ours is to reach."""

import attrs

from benchmarks.drive import IDLE, Drive


@attrs.frozen
class Target:
    """What one contestant is to reach: so many times another's figure, or a figure by itself."""

    who: str
    factor: float
    than: str | None = None
    """The other; None for an absolute figure."""
    figure: str = "rate"
    """A field of `Measured`."""
    at_most: bool = False
    elsewhere: str | None = None
    """The workload in which the other's figure was seen; None for this one."""


@attrs.frozen
class Workload:
    """One table of the results."""

    key: str
    title: str
    kind: str
    """What the servers do; workloads of one kind in a row share a process in each round."""
    drive: Drive
    contestants: tuple[str, ...]
    base: str
    """Whom the ratios are of."""
    targets: tuple[Target, ...] = ()
    unit: str = "lines/s"
    long_only: bool = False
    rounds: float = 1.0
    """As a share of the others': more for a small difference, fewer where one takes long."""
    note: str = ""


CONNECT = (
    "c framed-sync threaded pooled classic-threaded socketserver-threaded asyncio-streams "
    "asyncio-protocol uvloop-streams uvloop-protocol gevent twisted trio"
)
LINES = CONNECT.replace("pooled", "framed-pooled framed-threaded")
SLOW = (
    "framed-pooled framed-threaded threaded socketserver-threaded asyncio-streams uvloop-streams "
    "gevent"
)
DATAGRAMS = (
    "c sync threaded classic-sync socketserver-sync socketserver-threaded asyncio-protocol "
    "uvloop-protocol twisted"
)
HTTP = "threaded pooled socketserver-threaded waitress cheroot gunicorn"
COST = "{0} {0}-observed {0}-unlimited"


def _connect(count: int) -> Workload:
    return Workload(
        f"connect-{count}",
        f"Connect, one line, close; {count} at once",
        "lines",
        Drive("connect", count),
        tuple(CONNECT.split()),
        "socketserver-threaded",
        (
            Target("framed-sync", 1.0, "uvloop-protocol"),
            Target("framed-sync", 0.8, "c"),
            Target("threaded", 3.0, "socketserver-threaded"),
            Target("threaded", 1.0, "asyncio-streams"),
            Target("pooled", 5.0, "socketserver-threaded"),
            Target("pooled", 1.0, "gevent"),
        ),
        "connections/s",
    )


def _lines(count: int) -> Workload:
    threaded = {16: 2.0, 64: 1.25}.get(count)
    return Workload(
        f"lines-{count}",
        f"Lines back and forth on {count} open connections",
        "lines",
        Drive("lines", count),
        tuple(LINES.split()),
        "socketserver-threaded",
        (
            Target("framed-sync", 1.0, "uvloop-protocol"),
            Target("framed-sync", 1.2, "asyncio-protocol"),
            Target("framed-sync", 0.75, "c"),
            Target("framed-pooled", 1.2, "asyncio-streams"),
            Target("framed-pooled", 3.0, "socketserver-threaded"),
            *([Target("threaded", threaded, "socketserver-threaded")] if threaded else []),
            *(
                Target(f"framed-{it}", 0.5, figure="fairness")
                for it in ("sync", "pooled", "threaded")
                if count == 64
            ),
        ),
        long_only=count == 256,
    )


def _datagrams(kind: str, count: int) -> Workload:
    name = {"udp": "UDP", "unix": "Unix"}[kind]
    others = ("asyncio-protocol", "uvloop-protocol", "twisted")
    return Workload(
        f"{kind}-{count}",
        f"{name} datagrams back and forth, {count} in flight",
        kind,
        Drive("datagrams", count),
        tuple(DATAGRAMS.split()),
        "socketserver-sync",
        (
            *([Target("sync", 1.8, "socketserver-sync")] if count > 1 else []),
            *(Target("sync", 1.0, other) for other in others),
            Target("sync", 0.65, "c"),
            Target("threaded", 5.0, "socketserver-threaded"),
            Target("threaded", 0, figure="errors", at_most=True),
        ),
        "datagrams/s",
        long_only=count == 1 or (kind, count) == ("unix", 16),
    )


def _http(count: int) -> Workload:
    factor = {16: 10.0, 64: 4.0}[count]
    return Workload(
        f"http-{count}",
        f"HTTP hello with wrk, keep-alive, {count} connections",
        "http",
        Drive("http", count),
        tuple(HTTP.split()),
        "socketserver-threaded",
        tuple(
            target
            for who in ("threaded", "pooled")
            for target in (
                Target(who, factor, "socketserver-threaded"),
                *(Target(who, 1.0, other) for other in ("waitress", "cheroot", "gunicorn")),
                Target(who, 0.5, figure="fairness"),
            )
        ),
        "requests/s",
        rounds=0.7,
        note="The slowest client is from a short run of our own clients after wrk.",
    )


def _cost(who: str, mode: str, count: int, does: str, unit: str) -> Workload:
    """Ask what is paid for what is there by default, and for an observer of every event."""
    return Workload(
        f"cost-{who}-{mode}",
        f"The cost of timeouts and events, {does}, {count} at once",
        "lines",
        Drive(mode, count),
        tuple(COST.format(who).split()),
        f"{who}-unlimited",
        (
            Target(who, 0.9, f"{who}-unlimited"),
            Target(f"{who}-observed", 0.9, who),
        ),
        unit,
        rounds=1.7,
    )


OTHERS = [
    Workload(
        "slow-64",
        "Lines on 64 open connections, on two of which the handler sleeps for 50 ms each time",
        "slow",
        Drive("lines", 64, 2),
        tuple(SLOW.split()),
        "socketserver-threaded",
        (
            Target("framed-pooled", 0.7, "framed-pooled", elsewhere="lines-64"),
            Target("framed-pooled", 0.5, figure="fairness"),
        ),
        note="Counted are the lines of the fast clients.",
    ),
    Workload(
        "idle",
        f"{IDLE:,} idle connections, then a sample asked one by one",
        "lines",
        Drive("idle", IDLE),
        ("c", "framed-sync", "asyncio-protocol", "uvloop-protocol", "gevent"),
        "asyncio-protocol",
        (
            Target("framed-sync", 1.0, "asyncio-protocol", "memory", at_most=True),
            Target("framed-sync", 1.0, "uvloop-protocol", "opened", at_most=True),
            Target("framed-sync", 1.0, "asyncio-protocol", "p99", at_most=True),
        ),
        rounds=0.7,
    ),
    Workload(
        "forked",
        "A child for each connection: connect, one line, close; 8 at once",
        "lines",
        Drive("connect", 8),
        ("forked", "classic-forked", "socketserver-forked"),
        "socketserver-forked",
        unit="connections/s",
    ),
    Workload(
        "tls",
        "TLS: connect, one line, close; 8 at once",
        "tls",
        Drive("tls", 8),
        ("framed-sync", "threaded", "pooled", "socketserver-threaded", "asyncio-streams"),
        "socketserver-threaded",
        unit="connections/s",
        note=(
            "The clients are two processes of Python; `socketserver` has its listening socket "
            "wrapped, as the documentation of `ssl` shows it, which makes one handshake at a time."
        ),
    ),
]

ALL = [
    *map(_connect, (16, 64)),
    *map(_lines, (16, 64, 256)),
    OTHERS[0],
    *(_datagrams(kind, count) for kind in ("udp", "unix") for count in (1, 16, 64)),
    OTHERS[1],
    *map(_http, (16, 64)),
    _cost("framed-sync", "lines", 64, "lines back and forth", "lines/s"),
    _cost("threaded", "lines", 16, "lines back and forth", "lines/s"),
    _cost("threaded", "connect", 16, "connect, one line, close", "connections/s"),
    *OTHERS[2:],
]
