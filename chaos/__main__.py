"""Prints what becomes of a server when all goes wrong; fails if a cell is not as required."""

import argparse
import sys
from collections.abc import Sequence

from chaos.fault import STRATEGIES, TRANSPORTS
from chaos.matrix import FAULTS, Effort, Result, cells, run
from chaos.resources import can_be_measured
from chaos.table import head, is_bad, notes, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the cells and print the tables; return the exit status."""
    options = _parse(arguments)
    effort = Effort(repetitions=options.repetitions, size=options.size, endurance=options.endurance)
    faults = [fault for fault in FAULTS if options.fault in fault.name]
    print(head(effort))
    results: list[Result] = []
    strategies = options.strategy or STRATEGIES
    for transport in options.transport or TRANSPORTS:
        here: list[Result] = []
        for strategy in strategies:
            here += run(cells({transport}, {strategy}, faults), effort)
        print(*table(transport, strategies, faults, here), "", sep="\n", flush=True)
        results += here
    print(*notes(faults, results), sep="\n", flush=True)
    return int(any(is_bad(result) for result in results))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("fault", nargs="?", default="", help="only those with this in their name")
    parser.add_argument("--transport", action="append", choices=TRANSPORTS)
    parser.add_argument("--strategy", action="append", choices=STRATEGIES)
    parser.add_argument("--repetitions", type=int, default=5, help="how often, for each cell")
    parser.add_argument("--size", type=int, default=2, help="how much of everything at once")
    parser.add_argument(
        "--endurance", type=float, default=0.5, help="seconds that the machine is out of something"
    )
    options = parser.parse_args(arguments)
    if not can_be_measured():
        parser.error("this system has no /proc to see what a process holds")
    return options


if __name__ == "__main__":
    sys.exit(main())
