"""Whether a figure grows in the long run: a line through the samples, and how sure it is."""

import math
import statistics
from collections.abc import Sequence

import attrs


@attrs.frozen
class Trend:
    """A figure's growth from the first sample to the last, by the line of least squares."""

    growth: float
    doubt: float
    """Twice the growth's standard error; more than that and it is no accident."""

    def surely_exceeds(self, threshold: float) -> bool:
        """Whether it has grown by more than that, beyond doubt."""
        return self.growth - self.doubt > threshold

    def __str__(self) -> str:
        return f"{self.growth:+.0f} ± {self.doubt:.0f}"


def trend(times: Sequence[float], figures: Sequence[float]) -> Trend:
    """Fit a line; with fewer than three samples nothing is known."""
    if len(times) < 3 or times[0] == times[-1]:
        return Trend(0.0, math.inf)
    line = statistics.linear_regression(times, figures)
    off = [y - line.intercept - line.slope * x for x, y in zip(times, figures, strict=True)]
    middle = statistics.fmean(times)
    spread = math.fsum((x - middle) ** 2 for x in times)
    error = math.sqrt(math.fsum(d * d for d in off) / (len(off) - 2) / spread)
    length = times[-1] - times[0]
    return Trend(line.slope * length, 2 * error * length)
