"""The table in Markdown, and what has to be said below it."""

from collections import Counter
from collections.abc import Iterator, Mapping

from conformance.outcome import Verdict

HEADER = (
    "| suite | Python | ran | passed | failed | skipped | seconds | verdict |",
    "|---|---|---:|---:|---:|---:|---:|---|",
)


def row(suite: str, python: str, verdict: Verdict) -> str:
    """Return a line of the table."""
    ours = verdict.ours
    counts = f"{ours.ran} | {ours.passed} | {len(ours.failed)} | {len(ours.skipped)}"
    return f"| {suite} | {python} | {counts} | {ours.seconds:.1f} | {verdict} |"


def notes(verdicts: Mapping[str, Verdict], left_out: Mapping[str, str]) -> Iterator[str]:
    """Say what was not run and why, then what failed and how."""
    for test, reason in left_out.items():
        yield f"* left out: `{test}`: {reason}"
    for suite, verdict in verdicts.items():
        for reason, count in Counter(verdict.ours.skipped.values()).most_common():
            yield f"* {suite} skipped {count}: {reason}"
    for suite, verdict in verdicts.items():
        for test, text in verdict.ours.failed.items():
            if test in verdict.new:
                yield f"\n## {suite}: `{test}`\n\n```\n{text.strip()}\n```"
            else:
                yield f"* {suite} fails with the standard module, too: `{test}`"
