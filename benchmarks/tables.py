"""The results as Markdown."""

from collections.abc import Mapping, Sequence

from benchmarks.contestants import CONTESTANTS
from benchmarks.figures import Rounds, Seen, Spread, Verdict, judge, ratios, spread
from benchmarks.workloads import ALL, Target, Workload

WORDS = {
    "rate": "",
    "fairness": "slowest client / mean",
    "errors": "errors and losses",
    "memory": "memory",
    "opened": "time to open",
    "p99": "p99",
}
TITLES = {workload.key: workload.title for workload in ALL}


def number(value: float) -> str:
    """Write a figure with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def with_range(figure: Spread | None) -> str:
    if figure is None:
        return ""
    return f"{number(figure.median)} ({number(figure.least)} to {number(figure.most)})"


def name_of(key: str) -> str:
    contestant = CONTESTANTS[key]
    return f"**{contestant.name}**" if contestant.ours else contestant.name


def median(rounds: Rounds, name: str, scale: float = 1.0) -> str:
    figure = spread(rounds, name)
    return "" if figure is None else number(figure.median * scale)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _columns(workload: Workload) -> list[str]:
    base = CONTESTANTS[workload.base].name
    columns = ["", workload.unit, f"× {base} (min to max)", "CPU each, µs", "p50, ms", "p99, ms"]
    if workload.drive.mode in ("lines", "http"):
        columns.append("slowest client / mean")
    if workload.drive.mode == "idle":
        columns = ["", "KiB each", "opened in, s", "p50, ms", "p99, ms", "CPU at rest, %"]
    return [*columns, "errors, losses"]


def _row(workload: Workload, who: str, rounds: Rounds, base: Rounds) -> list[str]:
    errors = f"{sum(measured.errors for measured in rounds if measured):,}"
    times = [median(rounds, "p50", 1e3), median(rounds, "p99", 1e3)]
    if workload.drive.mode == "idle":
        memory, opened = median(rounds, "memory", 1 / 1024), median(rounds, "opened")
        return [name_of(who), memory, opened, *times, median(rounds, "resting", 100), errors]
    cells = [name_of(who), median(rounds, "rate"), with_range(ratios(rounds, base))]
    cells += [median(rounds, "cpu"), *times]
    if workload.drive.mode in ("lines", "http"):
        cells.append(median(rounds, "fairness"))
    return [*cells, errors]


def measured_table(
    workload: Workload, seen: Mapping[str, Rounds], reasons: Mapping[str, str]
) -> str:
    """Return who reached what, the fastest first, and who could not take part and why."""
    columns = _columns(workload)
    lines = [_line(columns), _line(["---", *["---:"] * (len(columns) - 1)])]
    took_part = [who for who in seen if any(seen[who])]
    idle = workload.drive.mode == "idle"

    def order(who: str) -> float:
        figure = spread(seen[who], "memory" if idle else "rate")
        return 0.0 if figure is None else figure.median if idle else -figure.median

    base = seen.get(workload.base, ())
    lines += [_line(_row(workload, who, seen[who], base)) for who in sorted(took_part, key=order)]
    for who in seen:
        if who not in took_part:
            why = reasons.get(who, "").replace("|", "/")
            lines.append(_line([name_of(who), "n/a", f"{why}", *[""] * (len(columns) - 3)]))
    return "\n".join(lines)


def wanted(target: Target) -> str:
    """Say what a target asks for."""
    sign = "≤" if target.at_most else "≥"
    what = WORDS[target.figure]
    if target.than is None:
        return f"{what} {sign} {target.factor:g}"
    than = CONTESTANTS[target.than].name
    if target.elsewhere:
        than = f"its own {TITLES[target.elsewhere].lower()}"
    return f"{what + ' ' if what else ''}{sign} {target.factor:g} × {than}"


def target_row(verdict: Verdict) -> str:
    target = verdict.target
    reached = {True: "yes", False: "**no**", None: "n/a"}[verdict.reached]
    by_cpu = "" if verdict.by_cpu is None else number(verdict.by_cpu.median)
    name, seen = CONTESTANTS[target.who].name, with_range(verdict.seen)
    return _line([name, wanted(target), seen, reached, by_cpu])


def target_table(workload: Workload, seen: Seen) -> str:
    """Return what is to be reached, what was seen, and whether that is enough."""
    lines = [_line(["", "to reach", "seen (min to max)", "reached", "by CPU"]), _line(["---"] * 5)]
    here = seen.get(workload.key, {})
    verdicts = (judge(target, workload.key, seen) for target in workload.targets)
    rows = [target_row(verdict) for verdict in verdicts if verdict.target.who in here]
    return "\n".join([*lines, *rows]) if rows else ""


def section(workload: Workload, seen: Seen, reasons: Mapping[str, str]) -> str:
    """Return all about one workload."""
    parts = [f"### {workload.title}", workload.note]
    parts.append(measured_table(workload, seen.get(workload.key, {}), reasons))
    parts.append(target_table(workload, seen))
    return "\n\n".join(part for part in parts if part)
