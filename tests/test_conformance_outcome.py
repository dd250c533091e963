"""What is made of a run of a suite: counts, verdicts, the table."""

import json

import pytest

from conformance.outcome import Outcome, Verdict, read
from conformance.table import notes, row


def lines(*records: tuple[str, str, str]) -> list[str]:
    return [json.dumps(record) + "\n" for record in records]


def outcome_of(*records: tuple[str, str, str], broken: str = "") -> Outcome:
    return read("suite", lines(*records), broken, "printed", 1.5)


def test_read_counts_each_test_once() -> None:
    outcome = outcome_of(
        ("started", "a", ""),
        ("passed", "a", ""),
        ("started", "b", ""),
        ("failed", "b", "wrong"),
        ("passed", "b", ""),
        ("skipped", "c", "reason"),
        ("ended", "", ""),
    )

    assert (outcome.ran, outcome.passed) == (2, 1)
    assert outcome.failed == {"b": "wrong"}
    assert outcome.skipped == {"c": "reason"}
    assert outcome.seconds == 1.5


def test_read_blames_the_running_test_when_the_process_did_not_end() -> None:
    outcome = outcome_of(("passed", "a", ""), ("started", "b", ""), broken="did not end")

    assert outcome.failed == {"b": "did not end\nprinted"}


def test_read_blames_the_suite_when_no_test_was_running() -> None:
    outcome = outcome_of(("started", "a", ""), ("passed", "a", ""), ("ended", "", ""), broken="hm")

    assert outcome.failed == {"suite": "hm\nprinted"}


def test_read_blames_the_suite_when_its_end_is_missing() -> None:
    outcome = outcome_of(("started", "a", ""), ("passed", "a", ""))

    assert outcome.failed == {"suite": "ended before its end\nprinted"}


def test_read_forgives_a_line_that_was_cut() -> None:
    cut = [*lines(("started", "a", "")), '["failed", "a", "wro']

    outcome = read("suite", cut, "killed", "", 0.0)

    assert outcome.failed == {"a": "killed\n"}


def test_read_shows_what_was_printed_when_something_is_left_behind() -> None:
    outcome = outcome_of(("altered", "suite", ""), ("ended", "", ""))

    assert outcome.failed == {"suite: leaves nothing behind": "printed"}


@pytest.mark.parametrize(
    ("ours", "standard", "new", "words"),
    [
        (Outcome(passed=1), None, set(), "passed"),
        (Outcome(failed={"a": ""}), Outcome(passed=1), {"a"}, "**FAILED**: 1 that the standard"),
        (Outcome(failed={"a": ""}), None, {"a"}, "**FAILED**: 1"),
        (Outcome(failed={"a": ""}), Outcome(failed={"b": ""}), {"a"}, "**FAILED**: 1"),
        (
            Outcome(failed={"a": "", "b": ""}),
            Outcome(failed={"b": ""}),
            {"a"},
            "**FAILED**: 1",
        ),
        (
            Outcome(failed={"a": ""}),
            Outcome(failed={"a": "", "b": ""}),
            set(),
            "passed: the standard module fails the same",
        ),
        (Outcome(absent="it is not there"), None, set(), "skipped: it is not there"),
        (Outcome(skipped={"a": "reason"}), None, set(), "skipped: no test was run"),
        (Outcome(), None, set(), "skipped: no test was run"),
    ],
)
def test_verdict_compares_with_the_standard_module(
    ours: Outcome, standard: Outcome | None, new: set[str], words: str
) -> None:
    verdict = Verdict(ours, standard)

    assert verdict.new == new
    assert str(verdict).startswith(words)


def test_row_has_a_field_for_each_column() -> None:
    ours = Outcome(passed=3, failed={"a": "wrong"}, skipped={"b": "reason"}, seconds=1.25)

    line = row("test_it", "3.11.0", Verdict(ours, ours))

    assert line == (
        "| test_it | 3.11.0 | 4 | 3 | 1 | 1 | 1.2 | passed: the standard module fails the same |"
    )


def test_notes_say_what_was_skipped_and_how_what_failed() -> None:
    ours = Outcome(failed={"a": "wrong", "b": "bad"}, skipped={"c": "reason", "d": "reason"})
    verdicts = {"test_it": Verdict(ours, Outcome(failed={"b": "bad"}))}

    said = list(notes(verdicts, {"test_other": "because"}))

    assert said == [
        "* left out: `test_other`: because",
        "* test_it skipped 2: reason",
        "\n## test_it: `a`\n\n```\nwrong\n```",
        "* test_it fails with the standard module, too: `b`",
    ]
