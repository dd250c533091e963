"""Every fault on every transport under every strategy, and what becomes of it."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import attrs

from chaos.client_faults import CLIENT_FAULTS
from chaos.fault import STRATEGIES, TRANSPORTS, Fault
from chaos.framed_faults import FRAMED_FAULTS
from chaos.host import Host, HostLostError, host
from chaos.lab import Lab
from chaos.labs import opened
from chaos.ledger import Books
from chaos.patience import pause, wait_until
from chaos.resources import Resources
from chaos.server_faults import SERVER_FAULTS

FAULTS: Final = (*CLIENT_FAULTS, *FRAMED_FAULTS, *SERVER_FAULTS)


@attrs.frozen
class Effort:
    """How hard it is tried."""

    repetitions: int = attrs.field(default=1, kw_only=True)
    size: int = attrs.field(default=1, kw_only=True)  # how much of everything
    endurance: float = attrs.field(default=0.0, kw_only=True)  # seconds without descriptors, say


@attrs.frozen
class Cell:
    """One fault in one place."""

    transport: str
    strategy: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.fault.name}, {self.transport}, {self.strategy}"


@attrs.frozen
class Result:
    """What happened in a cell."""

    cell: Cell
    wait: float = 0.0
    """Seconds from the fault's end until the next client had its answer; the longest."""
    growth: int = 0
    """KiB of memory gained between the first repetition and the last."""
    told: Mapping[str, int] = attrs.field(factory=dict)
    """The outcomes that the server has told, with how many requests ended so."""
    problem: str = ""
    """What was not as required; empty if all was."""


def cells(
    transports: Collection[str] = TRANSPORTS,
    strategies: Collection[str] = STRATEGIES,
    faults: Collection[Fault] = FAULTS,
) -> list[Cell]:
    """Return the cells in which something can happen."""
    return [
        Cell(transport, strategy, fault)
        for transport in TRANSPORTS
        for strategy in STRATEGIES
        for fault in faults
        if transport in transports and strategy in strategies and fault.happens(transport, strategy)
    ]


def run(chosen: Sequence[Cell], effort: Effort) -> Iterator[Result]:
    """Try cells of one transport and one strategy, all in one process unless one spoils it."""
    left = list(chosen)
    while left:
        with host(left[0].transport, left[0].strategy) as it:
            whole = True
            while left and whole:
                result = try_cell(it, left.pop(0), effort)
                whole = not result.problem
                yield result


def try_cell(it: Host, cell: Cell, effort: Effort) -> Result:
    """Let a fault happen to a new server; say what came of it."""
    trial = Trial(cell, effort)
    try:
        before = it.resources()
        trial.run(it)
        await_return(it, before)
    except (HostLostError, OSError, ValueError) as error:
        return trial.result(f"{type(error).__name__}: {error}")
    return trial.result("; ".join(objections(cell.fault, trial.books)))


def objections(fault: Fault, books: Books) -> Iterator[str]:
    """Say what the server should have told, or not."""
    outcomes = set(books["outcomes"])
    yield from books["wrong"]
    if books["accepted"] != books["closed"]:
        yield f"{books['accepted']} accepted, {books['closed']} closed"
    if books["most"] > fault.limits.get("max_connections", books["most"]):
        yield f"{books['most']} were open at a time"
    if fault.must_tell and fault.must_tell not in outcomes:
        yield f"no request ended as {fault.must_tell}"
    for outcome in sorted(outcomes - {"FINISHED", fault.must_tell, *fault.may_tell}):
        yield f"a request ended as {outcome}"


@attrs.define(eq=False)
class Trial:
    """One cell being tried."""

    _cell: Cell
    _effort: Effort
    _waits: list[float] = attrs.field(factory=list, init=False)
    _memory: list[int] = attrs.field(factory=list, init=False)
    books: Books = attrs.field(factory=dict, init=False)

    def run(self, it: Host) -> None:
        """Open a server, and let the fault happen to it as often as is to be."""
        fault, effort = self._cell.fault, self._effort
        with opened(
            it,
            self._cell.transport,
            self._cell.strategy,
            parts=fault.parts,
            limits=fault.limits,
            timeouts=fault.timeouts,
            size=effort.size,
            endurance=effort.endurance,
        ) as lab:
            lab.warm_up()
            before = it.resources()
            lab.ask()
            await_return(it, before)
            for _ in range(effort.repetitions):
                self._waits.append(_strike(lab, fault))
                self._memory.append(await_return(it, before).memory)
                wait_until(lambda: not lab.books()["open"], "all requests have ended")
                lab.leave()
            self.books = lab.books()

    def result(self, problem: str) -> Result:
        """Put together what is known."""
        return Result(
            self._cell,
            wait=max(self._waits, default=0.0),
            growth=self._memory[-1] - self._memory[0] if self._memory else 0,
            told=self.books.get("outcomes", {}),
            problem=problem,
        )


def _strike(lab: Lab, fault: Fault) -> float:
    """Let it happen; return how long after its end the next client had its answer."""
    if not (fault.timeouts or fault.limits):  # which hold for who is at rest, too
        lab.begin_rest()
    end = fault.strike(lab)
    if end is None:
        end = time.monotonic()
    lab.ask()
    lab.end_rest()
    wait = time.monotonic() - end
    pause(-wait)  # what it ends is not looked for before: each look takes more than waiting does
    return max(0.0, wait)


def await_return(it: Host, before: Resources) -> Resources:
    """Wait until the process holds no more than before; return what it holds.

    Raises:
        ValueError: It holds more, and keeps it.
    """
    now = it.resources()

    def is_back() -> bool:
        nonlocal now
        now = it.resources()
        return not now.excess(before)

    try:
        wait_until(is_back, "all is given back")
    except TimeoutError as error:
        raise ValueError(f"keeps {now.excess(before)}") from error
    return now
