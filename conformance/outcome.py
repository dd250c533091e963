"""What a run of a suite showed, and how it stands next to the standard module's."""

import json
from collections.abc import Iterable, Mapping

import attrs


@attrs.frozen(kw_only=True)
class Outcome:
    """One run of one suite."""

    passed: int = 0
    failed: Mapping[str, str] = attrs.field(factory=dict)  # test -> what it said
    skipped: Mapping[str, str] = attrs.field(factory=dict)  # test -> why
    absent: str = ""  # why the suite as a whole could not be run
    seconds: float = 0.0

    @property
    def ran(self) -> int:
        """How many tests were run to an end, or until they broke."""
        return self.passed + len(self.failed)


@attrs.frozen
class Verdict:
    """Ours, and the standard module's run of the same suite if there was reason to see it."""

    ours: Outcome
    standard: Outcome | None = None

    @property
    def new(self) -> set[str]:
        """What fails with ours alone."""
        return set(self.ours.failed) - set(self.standard.failed if self.standard else ())

    def __str__(self) -> str:
        if self.new:
            return f"**FAILED**: {len(self.new)} that the standard module does not fail"
        if self.ours.failed:
            return "passed: the standard module fails the same"
        if self.ours.absent:
            return f"skipped: {self.ours.absent}"
        return "passed" if self.ours.passed else "skipped: no test was run"


def read(suite: str, lines: Iterable[str], broken: str, output: str, seconds: float) -> Outcome:
    """Make out what became of a suite.

    Args:
        suite: Its module, which answers for what no test can.
        lines: What the child wrote.
        broken: How its process ended, if not as it should.
        output: What was printed, errors included.
        seconds: How long it took.
    """
    passed: set[str] = set()
    failed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    absent = running = ""
    ended = False
    for what, test, text in _records(lines):
        match what:
            case "started":
                running = test
                continue
            case "passed":
                passed.add(test)
            case "failed":
                failed[test] = text
            case "skipped":
                skipped[test] = text
            case "absent":
                absent = text
            case "altered":
                failed[f"{test}: leaves nothing behind"] = output
            case "ended":
                ended = True
        running = ""
    if broken or not ended:
        failed[running or suite] = f"{broken or 'ended before its end'}\n{output}"
    return Outcome(
        passed=len(passed - failed.keys()),
        failed=failed,
        skipped=skipped,
        absent=absent,
        seconds=seconds,
    )


def _records(lines: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    for line in lines:
        # The last line may be cut: whoever was killed was killed while it wrote.
        if line.endswith("\n"):
            what, test, text = json.loads(line)
            yield what, test, text
