"""What `import acceptor` costs: over bare Python, and over what it is built on."""

import subprocess
import sys
import time

import attrs

from benchmarks.drive import children_cpu
from benchmarks.figures import Spread
from benchmarks.process import ROOT
from benchmarks.tables import with_range

BUDGET = 25.0  # milliseconds over attrs and typing-extensions
PROGRAMS = {
    "`pass`": "pass",
    "`import attrs, typing_extensions`": "import attrs, typing_extensions",
    "`import acceptor`": "import acceptor",
}
BOTH = "import attrs, typing_extensions, acceptor"


@attrs.frozen
class StartUp:
    """What all rounds showed; milliseconds."""

    walls: dict[str, list[float]]
    cpus: dict[str, list[float]]  # of the same runs; others on the machine disturb it less
    totals: list[float]  # of acceptor by -X importtime, after what it is built on
    modules: list[tuple[str, float]]  # the costliest, by themselves

    @property
    def over(self) -> Spread | None:
        """What acceptor takes beyond what it is built on."""
        _, base, ours = self.walls.values()
        return Spread.of(a - b for a, b in zip(ours, base, strict=True))


def python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
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
    times: list[tuple[str, float, float]] = []
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            began, before = time.perf_counter(), children_cpu()
            python("-c", program)
            cpus[name].append(1e3 * (children_cpu() - before))
            walls[name].append(1e3 * (time.perf_counter() - began))
        times = import_times(python("-X", "importtime", "-c", BOTH))
        totals += [total for module, _, total in times if module == "acceptor"]
    at = [module for module, _, _ in times].index("typing_extensions")
    after = sorted(((module, own) for module, own, _ in times[at + 1 :]), key=lambda it: -it[1])
    return StartUp(walls, cpus, totals, after[:6])


def section(seen: StartUp) -> str:
    """Return it as Markdown."""
    over = seen.over
    reached = "yes" if over is not None and over.median <= BUDGET else "**no**"
    costliest = ", ".join(f"`{module}` {own:.1f}" for module, own in seen.modules)
    target = f"≤ {BUDGET:g} ms over attrs and typing-extensions"
    lines = [
        "### Start-up\n",
        "| `python -c` | ms (min to max) | CPU, ms |",
        "|---|---:|---:|",
        *(
            f"| {name} | {with_range(Spread.of(it))} | {with_range(Spread.of(seen.cpus[name]))} |"
            for name, it in seen.walls.items()
        ),
        f"| acceptor alone, by `-X importtime` | {with_range(Spread.of(seen.totals))} | |",
        f"\nThe costliest modules, ms: {costliest}.\n",
        "| | to reach | seen (min to max) | reached |",
        "|---|---|---|---|",
        f"| `import acceptor` | {target} | {with_range(over)} | {reached} |",
    ]
    return "\n".join(lines)
