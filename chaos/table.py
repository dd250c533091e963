"""The table in Markdown, and what has to be said around it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from chaos.fault import Fault
from chaos.matrix import Effort, Result

# What a next client may be kept waiting when a fault is over. Seconds.
AT_ONCE: Final = 1.0

# KiB. Less is a page here and there; a leak of some worth soon comes to more.
_NOTHING: Final = 64
_MUCH: Final = 1024

_HEAD: Final = """\
Required in every cell: within {at_once:g} s of the fault's end the next client is served;
descriptors, threads and children go back to where they were; each `Accepted` has one `Closed`.
A cell says how long the next client was kept waiting at most, in {repetitions} repetitions, how
requests ended if not as finished, and what memory was gained between the first repetition and
the last, if any.
"""


def head(effort: Effort) -> str:
    """Return what is said once, before the tables."""
    return _HEAD.format(at_once=AT_ONCE, repetitions=effort.repetitions)


def table(
    transport: str,
    strategies: Sequence[str],
    faults: Sequence[Fault],
    results: Collection[Result],
) -> Iterator[str]:
    """Return the lines of one transport's table."""
    found = {(it.cell.fault.name, it.cell.strategy): it for it in results}
    yield f"| {transport} | required | {' | '.join(strategies)} |"
    yield "|---|---|" + "---|" * len(strategies)
    for fault in faults:
        shown = [_cell(found.get((fault.name, strategy))) for strategy in strategies]
        yield f"| {fault.name} | {fault.required} | {' | '.join(shown)} |"


def _cell(result: Result | None) -> str:
    if result is None:
        return "-"
    said = [f"{result.wait * 1000:.0f} ms"]
    for outcome, many in result.told.items():
        if outcome != "FINISHED":
            said.append(f"{many} {outcome.lower().replace('_', ' ')}")
    if result.growth >= _NOTHING:
        said.append(f"+{result.growth} KiB")
    return ("**FAILED** " if is_bad(result) else "") + ", ".join(said)


def is_bad(result: Result) -> bool:
    """Whether something in it was not as required."""
    return bool(what_is_wrong(result))


def what_is_wrong(result: Result) -> str:
    """Say what was not as required; empty if all was."""
    if result.problem:
        return result.problem
    if result.wait > AT_ONCE:
        return f"the next client waited {result.wait:.2f} s"
    return f"gained {result.growth} KiB" if result.growth > _MUCH else ""


def notes(faults: Sequence[Fault], results: Collection[Result]) -> Iterator[str]:
    """Say why cells are empty, then what was wrong."""
    why: Mapping[str, list[str]] = {fault.elsewhere: [] for fault in faults if fault.elsewhere}
    for fault in faults:
        if fault.elsewhere:
            why[fault.elsewhere].append(fault.name)
    for reason, names in why.items():
        yield f"* `-` {reason}: {', '.join(names)}"
    for result in results:
        if is_bad(result):
            yield f"\n## {result.cell}\n\n{what_is_wrong(result)}"
    good = sum(not is_bad(result) for result in results)
    yield f"\n{good} of {len(results)} cells are as required."
