"""The arithmetic: medians, ratios of the same round, and whether a target is reached."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from benchmarks.drive import Measured
from benchmarks.workloads import Target

Rounds = Sequence[Measured | None]
"""What each round with one contestant showed; None where it could not take part."""
Seen = Mapping[str, Mapping[str, Rounds]]
"""By workload and contestant."""


@attrs.frozen
class Spread:
    """The median of some figures, and how far they lie apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, figures: Iterable[float]) -> "Spread | None":
        """Return None where there are none."""
        values = list(figures)
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values))


def figure(measured: Measured | None, name: str) -> float | None:
    """Return one figure of a round, if it has it."""
    value: float | None = None if measured is None else getattr(measured, name)
    return value


def spread(rounds: Rounds, name: str) -> Spread | None:
    """Return a figure over the rounds."""
    values = (figure(measured, name) for measured in rounds)
    return Spread.of(value for value in values if value is not None)


def ratios(one: Rounds, other: Rounds, name: str = "rate") -> Spread | None:
    """Return one's figure over the other's, round by round: both had the same neighbours."""
    pairs = (
        (figure(a, name), figure(b, name))
        for a, b in zip(one, other, strict=False)  # a target elsewhere may have fewer rounds
    )
    return Spread.of(a / b for a, b in pairs if a is not None and b)


@attrs.frozen
class Verdict:
    """A target, and what was seen."""

    target: Target
    seen: Spread | None
    by_cpu: Spread | None = None
    """For rates, the same of operations per second of CPU, which a busy machine disturbs less."""

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches it; None where nothing was seen."""
        if self.seen is None:
            return None
        compare: Callable[[float, float], bool] = (
            float.__le__ if self.target.at_most else float.__ge__
        )
        return compare(float(self.seen.median), float(self.target.factor))


def judge(target: Target, workload: str, seen: Seen) -> Verdict:
    """Hold a target against the rounds."""
    own = seen.get(workload, {}).get(target.who, ())
    if target.than is None:
        if target.figure == "errors":  # one bad round is one too many
            total = [sum(measured.errors for measured in own if measured)] if any(own) else []
            return Verdict(target, Spread.of(map(float, total)))
        return Verdict(target, spread(own, target.figure))
    other = seen.get(target.elsewhere or workload, {}).get(target.than, ())
    by_cpu = ratios(other, own, "cpu") if target.figure == "rate" else None
    return Verdict(target, ratios(own, other, target.figure), by_cpu)
