"""What it costs until a server listens: over bare Python, and over what it is built on."""

import os
import subprocess
import sys
import time

import attrs

from benchmarks.drive import children_cpu
from benchmarks.figures import Spread
from benchmarks.process import ROOT
from benchmarks.tables import with_range

BUDGET = 25.0  # milliseconds
PLAIN_SERVER = """
from acceptor import ServerBuilder, StreamHandler
class Hello(StreamHandler):
    def handle(self):
        self.wfile.write(b"hello")
ServerBuilder().tcp(("127.0.0.1", 0)).threaded().handler(Hello).build().listen().stop()
"""
BARE, BASE, IMPORT, PLAIN = (
    "`pass`",
    "`import attrs, typing_extensions`",
    "`import acceptor`",
    "a plain TCP server listens",
)
PROGRAMS = {
    BARE: "pass",
    BASE: "import attrs, typing_extensions",
    IMPORT: "import acceptor",  # the names alone: each is loaded when it is asked for
    PLAIN: PLAIN_SERVER,
}
ALL = f"import attrs, typing_extensions\n{PLAIN_SERVER}"

# Modules are to be compiled before, as those of an installed package are.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@attrs.frozen
class StartUp:
    """What all rounds showed; milliseconds."""

    walls: dict[str, list[float]]
    cpus: dict[str, list[float]]  # of the same runs; others on the machine disturb it less
    totals: list[float]  # of a plain server by -X importtime, after what it is built on
    modules: list[tuple[str, float]]  # the costliest, by themselves

    def over(self, name: str, other: str) -> Spread | None:
        """What one program takes beyond another; of the processor, which is disturbed less."""
        pairs = zip(self.cpus[name], self.cpus[other], strict=True)
        return Spread.of(a - b for a, b in pairs)


def python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def import_times(said: str) -> list[tuple[str, float, float]]:
    """Read what -X importtime has said: module, own and total time, in milliseconds."""
    found = []
    for line in said.splitlines():
        head, _, rest = line.partition(":")
        cells = [cell.strip() for cell in rest.split("|")]
        if head == "import time" and len(cells) == 3 and cells[0].isdigit():
            found.append((cells[2], int(cells[0]) / 1e3, int(cells[1]) / 1e3))
    return found


def measure(rounds: int) -> StartUp:
    walls: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    cpus: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    totals: list[float] = []
    after: list[tuple[str, float]] = []
    for program in PROGRAMS.values():  # compiles
        python("-c", program)
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            began, before = time.perf_counter(), children_cpu()
            python("-c", program)
            cpus[name].append(1e3 * (children_cpu() - before))
            walls[name].append(1e3 * (time.perf_counter() - began))
        times = import_times(python("-X", "importtime", "-c", ALL))
        at = [module for module, _, _ in times].index("typing_extensions")
        after = sorted(((module, own) for module, own, _ in times[at + 1 :]), key=lambda it: -it[1])
        totals.append(sum(own for _, own in after))
    return StartUp(walls, cpus, totals, after[:6])


def section(seen: StartUp) -> str:
    """Return it as Markdown."""
    costliest = ", ".join(f"`{module}` {own:.1f}" for module, own in seen.modules)
    lines = [
        "### Start-up\n",
        "| `python -c` | ms (min to max) | CPU, ms |",
        "|---|---:|---:|",
        *(
            f"| {name} | {with_range(Spread.of(it))} | {with_range(Spread.of(seen.cpus[name]))} |"
            for name, it in seen.walls.items()
        ),
        f"| of it after attrs, by `-X importtime` | {with_range(Spread.of(seen.totals))} | |",
        f"\nThe costliest modules, ms: {costliest}.\n",
        "| | to reach | seen (min to max) | reached |",
        "|---|---|---|---|",
        _verdict(seen, IMPORT, BARE),
        _verdict(seen, PLAIN, BASE),
    ]
    return "\n".join(lines)


def _verdict(seen: StartUp, name: str, other: str) -> str:
    over = seen.over(name, other)
    reached = "yes" if over is not None and over.median <= BUDGET else "**no**"
    return f"| {name} | ≤ {BUDGET:g} ms over {other} | {with_range(over)} | {reached} |"
