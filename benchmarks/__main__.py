"""Measures acceptor side by side with its peers, round by round: `make bench`."""

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import attrs

from benchmarks import chart, machine, startup, tables, workloads
from benchmarks.contestants import CONTESTANTS
from benchmarks.drive import Measured
from benchmarks.figures import Spread
from benchmarks.native import Programs, compiled
from benchmarks.process import Process, UnavailableError
from benchmarks.workloads import Workload

HERE = Path(__file__).parent
INTRODUCTION = """# Side by side with the peers

Written by `{form}` in {minutes:.0f} minutes. Figures are medians of about {rounds} rounds of
{seconds:g} s; contestants take turns in every round, each in a fresh process, and ratios are of the
same round. CPU is the server's, its children's included. With two cores, a server with several
threads shares one of them with the clients; where its threads pass the interpreter's lock from core
to core, each operation takes up to four times the CPU, and whether they do may change from round to
round. Other programs used {typical:.0f} % of the machine in the median of all measurements,
{worst:.0f} % in the worst: {worth}. "By CPU" is the ratio of operations per second of CPU, which
that disturbs less.

{machine}"""
SHORT = (3, 0.25, 0)  # rounds, seconds of each, and how often a disturbed one is repeated
LONG = (5, 2.0, 2)
CALM = 0.05  # of the machine, used by others


@attrs.define(eq=False)
class Run:
    """One run of some workloads, and what it has seen."""

    programs: Programs
    folder: Path
    seconds: float
    patience: int = 0
    """How often to measure again what others have disturbed."""
    only: frozenset[str] = frozenset()
    """The contestants that take part; none named means all."""
    seen: dict[str, dict[str, list[Measured | None]]] = attrs.field(factory=dict, init=False)
    reasons: dict[str, dict[str, str]] = attrs.field(factory=dict, init=False)

    def group(self, group: Sequence[Workload], rounds: int) -> None:
        """Measure workloads that share a server; all contestants in turn in every round."""
        for workload in group:
            takes_part = [it for it in workload.contestants if not self.only or it in self.only]
            self.seen[workload.key] = {who: [] for who in takes_part}
            self.reasons[workload.key] = {}
        everyone = dict.fromkeys(who for workload in group for who in self.seen[workload.key])
        for number in range(max(1, round(rounds * group[0].rounds))):
            for who in everyone:
                theirs = [workload for workload in group if who in self.seen[workload.key]]
                self._start(who, theirs)
                figures = ", ".join(self._last(workload, who) for workload in theirs)
                print(f"{group[0].kind} {number + 1} {who}: {figures}", file=sys.stderr, flush=True)

    def _start(self, who: str, group: Sequence[Workload]) -> None:
        """Measure one contestant, started afresh, with one workload after another."""
        path = self.folder / "it.sock"
        path.unlink(missing_ok=True)
        command = CONTESTANTS[who].command(group[0].kind, str(path), self.programs.echo)
        try:
            with Process(command) as process:
                group[0].drive.warm_up(process, self.programs.load)
                for workload in group:
                    self._measure(workload, who, process)
        except UnavailableError as error:
            for workload in group:
                self.seen[workload.key][who].append(None)
                self.reasons[workload.key][who] = str(error)

    def _measure(self, workload: Workload, who: str, process: Process) -> None:
        """Measure, and again while others use the machine; the calmest counts."""
        tries: list[Measured] = []
        try:
            while len(tries) <= self.patience and not any(it.foreign < CALM for it in tries):
                tries.append(workload.drive(process, self.programs.load, self.seconds))
        except UnavailableError as error:
            self.reasons[workload.key][who] = str(error)
        calmest = min(tries, key=lambda it: it.foreign, default=None)
        self.seen[workload.key][who].append(calmest)

    def _last(self, workload: Workload, who: str) -> str:
        measured = self.seen[workload.key][who][-1]
        return "n/a" if measured is None else tables.number(measured.rate)

    def foreign(self) -> Spread | None:
        """Return how much of the machine others have used."""
        rounds = (it for by_who in self.seen.values() for it in by_who.values())
        return Spread.of(measured.foreign for it in rounds for measured in it if measured)

    def document(self, chosen: Sequence[Workload]) -> str:
        """Return all tables."""
        sections = (
            tables.section(workload, self.seen, self.reasons[workload.key]) for workload in chosen
        )
        return "\n\n".join(sections)


def groups(chosen: Iterable[Workload]) -> Iterator[list[Workload]]:
    """Put those together that can share a process; memory is measured in one of its own."""
    for _, group in groupby(chosen, lambda it: (it.kind, it.rounds, it.drive.mode == "idle")):
        yield list(group)


def chosen_from(options: argparse.Namespace) -> list[Workload]:
    """Return the workloads that the command line asks for."""
    if options.only:
        wanted = options.only.split(",")
        return [it for it in workloads.ALL if any(it.key.startswith(one) for one in wanted)]
    return [it for it in workloads.ALL if options.long or not it.long_only]


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the form for the record")
    parser.add_argument("--only", default="", help="workloads: `lines-64`, `connect,udp`")
    parser.add_argument("--contestants", default="", help="`framed-sync,c`")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="length of one measurement")
    parser.add_argument("--patience", type=int, help="how often to repeat what was disturbed")
    parser.add_argument("--list", action="store_true", help="say what there is, and do nothing")
    options = parser.parse_args(arguments)
    rounds, seconds, patience = LONG if options.long else SHORT
    options.rounds = options.rounds or rounds
    options.seconds = options.seconds or seconds
    options.patience = patience if options.patience is None else options.patience
    unknown = set(filter(None, options.contestants.split(","))) - set(CONTESTANTS)
    if unknown:
        parser.error(f"no such contestant: {', '.join(unknown)}; --list has them")
    return options


def introduction(options: argparse.Namespace, run: Run, minutes: float, load: float) -> str:
    """Say how the figures came about."""
    foreign = run.foreign()
    calm = foreign is None or foreign.median < 2 * CALM
    return INTRODUCTION.format(
        form="make bench-long" if options.long else "make bench",
        rounds=options.rounds,
        seconds=options.seconds,
        minutes=minutes,
        typical=100 * (foreign.median if foreign else 0.0),
        worst=100 * (foreign.most if foreign else 0.0),
        worth="the machine was calm" if calm else "**too much for the rates to mean anything**",
        machine=machine.description(load),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, and write them down if nothing was left out."""
    options = parsed(arguments)
    if options.list:
        print("workloads:", *(it.key for it in workloads.ALL), "start-up")
        print("contestants:", *CONTESTANTS)
        return
    began, load_before = time.monotonic(), os.getloadavg()[0]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # servers and clients inherit it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and so end the servers, too
    chosen = chosen_from(options)
    everything = not options.only and not options.contestants
    only = frozenset(filter(None, options.contestants.split(",")))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        run = Run(compiled(Path(folder)), Path(folder), options.seconds, options.patience, only)
        for group in groups(chosen):
            run.group(group, options.rounds)
    parts = [run.document(chosen)] if chosen else []
    if everything or options.only.startswith("start-up"):
        parts.append(startup.section(startup.measure(3 * options.rounds)))
    document = (
        "\n\n".join(
            [introduction(options, run, (time.monotonic() - began) / 60, load_before), *parts]
        )
        + "\n"
    )
    print(document)
    if everything:
        (HERE / "results.md").write_text(document)
        (HERE / "results.svg").write_text(chart.drawn(run.seen))


if __name__ == "__main__":
    main()
