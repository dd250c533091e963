"""Measures ours against the standard library's, cell by cell, round by round, as ratios."""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import attrs

from benchmarks.load import load
from benchmarks.work import STRATEGIES, TRANSPORTS

# Each with its name, and whom it is measured against.
CONTESTANTS = {
    "ours": ("composed servers", "theirs"),
    "classic": ("`acceptor.classic`", "theirs"),
    "observed": ("composed servers with an observer", "ours"),
}
NAMES = {"theirs": "`socketserver`", "ours": "composed servers without one"}

TICK = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Measured:
    """One round with one server."""

    rate: float  # answers per second
    cpu: float  # microseconds of the server, children included, per answer
    lost: int


def measure(who: str, transport: str, strategy: str, clients: int, seconds: float) -> Measured:
    """Start a server, load it, end it."""
    command = [sys.executable, "-m", f"benchmarks.{who}", transport, strategy]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline().strip()
            address: Any = ("127.0.0.1", int(line)) if line.isdigit() else line
            before = cpu_seconds(server.pid)
            result = load(transport, address, clients, seconds)
            cpu = cpu_seconds(server.pid) - before
        finally:
            server.kill()
    return Measured(result.rate, 1e6 * cpu / max(1, result.answered), result.lost)


def cpu_seconds(pid: int) -> float:
    """Return what a process and its reaped children have used so far; proc(5)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def row(both: tuple[str, str], cell: tuple[str, str], options: argparse.Namespace) -> str:
    """Measure one cell, the two contestants in turn, and return its line of the table."""
    size = (options.clients, options.seconds)
    pairs = [tuple(measure(who, *cell, *size) for who in both) for _ in range(options.rounds)]
    transport, strategy = cell
    rates = [one.rate / other.rate for one, other in pairs]
    cpus = [one.cpu / other.cpu for one, other in pairs if other.cpu]
    one, other = (statistics.median(pair[i].rate for pair in pairs) for i in (0, 1))
    lost = " / ".join(str(sum(pair[i].lost for pair in pairs)) for i in (0, 1))
    return (
        f"| {transport} | {strategy} | {one:,.0f} | {other:,.0f} | "
        f"**{statistics.median(rates):.2f}** ({min(rates):.2f} to {max(rates):.2f}) | "
        f"{statistics.median(cpus) if cpus else float('nan'):.2f} | {lost} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8, help="how many ask at once")
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a round")
    parser.add_argument("--only", default="", help="a part of 'transport strategy'")
    parser.add_argument("--of", choices=["all", *CONTESTANTS], default="all")
    options = parser.parse_args(arguments)
    for one, (name, other) in CONTESTANTS.items():
        if options.of not in ("all", one):
            continue
        print(f"\nAnswers per second, {name} against {NAMES[other]}; ratios round by round.\n")
        print(f"| transport | strategy | {one} | {other} | ratio | CPU per answer, ratio | lost |")
        print("|---|---|---:|---:|---:|---:|---:|")
        for transport in TRANSPORTS:
            for strategy in STRATEGIES:
                if options.only in f"{transport} {strategy}":
                    print(row((one, other), (transport, strategy), options), flush=True)


if __name__ == "__main__":
    main()
