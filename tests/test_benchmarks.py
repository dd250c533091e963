"""The arithmetic and the drawing of `make bench`; its figures take a quiet machine."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

import pytest

from benchmarks import chart, native, startup, tables, workloads
from benchmarks.__main__ import groups, main
from benchmarks.contestants import CONTESTANTS
from benchmarks.drive import Drive, Measured
from benchmarks.figures import Spread, judge, ratios, spread
from benchmarks.process import ROOT
from benchmarks.workloads import Target, Workload

SVG = "{http://www.w3.org/2000/svg}"

Seen = dict[str, dict[str, list[Measured | None]]]


def rounds(*rates: float | None) -> list[Measured | None]:
    return [None if rate is None else Measured(rate=rate) for rate in rates]


def workload(*targets: Target, mode: str = "lines") -> Workload:
    return Workload("it-1", "It", "lines", Drive(mode, 1), ("threaded", "c", "trio"), "c", targets)


def test_spread_has_the_median_and_the_ends() -> None:
    assert spread(rounds(30.0, 10.0, None, 20.0), "rate") == Spread(20.0, 10.0, 30.0)


def test_spread_is_none_when_nothing_was_seen() -> None:
    assert spread(rounds(None, None), "rate") is None
    assert spread(rounds(1.0), "memory") is None


def test_ratios_compare_within_a_round() -> None:
    ours = rounds(20.0, 90.0, 50.0)
    theirs = rounds(10.0, 30.0, 100.0)

    assert ratios(ours, theirs) == Spread(2.0, 0.5, 3.0)


def test_ratios_leave_out_the_rounds_that_one_of_them_missed() -> None:
    assert ratios(rounds(20.0, None, 50.0), rounds(None, 30.0, 100.0)) == Spread(0.5, 0.5, 0.5)
    assert ratios(rounds(20.0), rounds(0.0)) is None


@pytest.mark.parametrize(("factor", "reached"), [(1.9, True), (2.0, True), (2.1, False)])
def test_judge_asks_for_at_least_the_factor(factor: float, reached: bool) -> None:
    seen = {"it-1": {"threaded": rounds(20.0), "c": rounds(10.0)}}

    verdict = judge(Target("threaded", factor, "c"), "it-1", seen)

    assert verdict.reached is reached


def test_judge_compares_operations_per_second_of_cpu_beside() -> None:
    ours, theirs = Measured(rate=10.0, cpu=2.0), Measured(rate=20.0, cpu=5.0)

    verdict = judge(
        Target("threaded", 1.0, "c"), "it-1", {"it-1": {"threaded": [ours], "c": [theirs]}}
    )

    assert verdict.seen == Spread(0.5, 0.5, 0.5)
    assert verdict.by_cpu == Spread(2.5, 2.5, 2.5)


def test_judge_asks_for_at_most_the_factor_where_less_is_better() -> None:
    seen = {"it-1": {"threaded": [Measured(p99=0.3)], "c": [Measured(p99=0.2)]}}
    target = Target("threaded", 1.0, "c", "p99", at_most=True)

    verdict = judge(target, "it-1", seen)

    assert verdict.reached is False


def test_judge_adds_up_the_errors_of_all_rounds() -> None:
    seen = {"it-1": {"threaded": [Measured(errors=2), Measured(errors=1), Measured()]}}

    verdict = judge(Target("threaded", 0, figure="errors", at_most=True), "it-1", seen)

    assert verdict.seen == Spread(3.0, 3.0, 3.0)
    assert verdict.reached is False


def test_judge_finds_the_other_figure_in_another_workload() -> None:
    seen = {"it-1": {"c": rounds(7.0)}, "quiet": {"c": rounds(10.0)}}

    verdict = judge(Target("c", 0.7, "c", elsewhere="quiet"), "it-1", seen)

    assert verdict.seen == Spread(0.7, 0.7, 0.7)


@pytest.mark.parametrize("seen", [{}, {"it-1": {"threaded": rounds(None), "c": rounds(1.0)}}])
def test_judge_says_nothing_when_one_could_not_take_part(
    seen: Mapping[str, Mapping[str, Sequence[Measured | None]]],
) -> None:
    assert judge(Target("threaded", 1.0, "c"), "it-1", seen).reached is None
    assert judge(Target("threaded", 0.5, figure="fairness"), "it-1", seen).reached is None
    errors = Target("threaded", 0, figure="errors", at_most=True)
    assert judge(errors, "it-1", seen).reached is None


def test_section_puts_the_fastest_first_and_says_why_one_is_missing() -> None:
    seen = {"it-1": {"threaded": rounds(10.0), "trio": rounds(None), "c": rounds(20.0)}}

    text = tables.section(workload(), seen, {"trio": "no module | named trio"})

    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| C, epoll, one thread",
        "| **acceptor `threaded()`**",
        "| Trio",
    ]
    assert "| n/a | no module / named trio |" in lines[-1]
    assert len({line.count("|") for line in lines}) == 1


def test_section_shows_errors_and_what_was_missed() -> None:
    ours: list[Measured | None] = [Measured(rate=5.0, cpu=2.0, errors=it) for it in (2, 1)]
    theirs: list[Measured | None] = [Measured(rate=10.0, cpu=3.0)] * 2
    seen: Seen = {"it-1": {"threaded": ours, "c": theirs}}

    text = tables.section(workload(Target("threaded", 0.8, "c")), seen, {})

    assert "| **acceptor `threaded()`** | 5.00 | 0.50 (0.50 to 0.50) |" in text
    assert "| 3 |\n" in text
    assert "| acceptor `threaded()` | ≥ 0.8 × C, epoll, one thread | 0.50 (" in text  # noqa: RUF001
    assert "| **no** | 1.50 |" in text


def test_section_shows_no_targets_of_who_was_left_out() -> None:
    text = tables.section(workload(Target("threaded", 0.8, "c")), {"it-1": {"c": rounds(1.0)}}, {})

    assert "to reach" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(0.456, "0.46"), (4.561, "4.56"), (45.61, "45.6"), (145_000.4, "145,000")]
)
def test_number_keeps_three_digits(value: float, text: str) -> None:
    assert tables.number(value) == text


def test_drawn_is_well_formed_and_has_a_bar_for_everyone() -> None:
    seen: Seen = {
        "lines-64": {"c": rounds(20.0), "framed-sync": rounds(10.0), "trio": rounds(None)},
        "idle": {"asyncio-protocol": [Measured(memory=2048.0)]},
    }

    root = ElementTree.fromstring(chart.drawn(seen))

    bars = [it for it in root.iter(f"{SVG}rect") if it.get("class") in ("bar", "ours")]
    assert [it.get("class") for it in bars] == ["bar", "ours", "bar"]
    widths = [float(it.get("width", 0)) for it in bars]
    assert widths[0] == pytest.approx(2 * widths[1])
    assert "2.00" in [it.text for it in root.iter(f"{SVG}text")]


def test_drawn_keeps_everything_inside() -> None:
    everyone = {who: rounds(1e6) for who in CONTESTANTS}
    seen = {panel.workload: everyone for panel in chart.PANELS}

    root = ElementTree.fromstring(chart.drawn(seen))

    height = float(root.get("height", 0))
    bottoms = [float(it.get("y", 0)) + float(it.get("height", 0)) for it in root.iter(f"{SVG}rect")]
    assert max(bottoms) <= height
    by_rate = [panel for panel in chart.PANELS if panel.figure == "rate"]
    assert len(bottoms) == 1 + len(by_rate) * len(everyone)


def test_workloads_name_contestants_and_workloads_that_exist() -> None:
    keys = {it.key for it in workloads.ALL}

    for it in workloads.ALL:
        targets = [target for target in it.targets if not target.elsewhere]
        assert set(it.contestants) <= set(CONTESTANTS), it.key
        assert it.base in it.contestants
        assert {target.who for target in it.targets} <= set(it.contestants)
        assert {target.than for target in targets} - {None} <= set(it.contestants)
        assert {target.elsewhere for target in it.targets} - {None} <= keys
    assert {panel.workload for panel in chart.PANELS} <= keys


def test_groups_share_a_process_but_for_memory() -> None:
    lines, idle = workload(), workload(mode="idle")

    assert list(groups([lines, lines, idle, lines])) == [[lines, lines], [idle], [lines]]


def test_native_names_every_source() -> None:
    sources = {path.name for path in native.SOURCES.glob("*.c")}

    assert sources == {*native.LOAD, "echo.c"}


def test_import_times_are_read_from_what_python_says() -> None:
    said = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       150 |        150 |     attr._compat\n"
        "import time:      2000 |       2150 |   attr\n"
        "noise\n"
    )

    assert startup.import_times(said) == [("attr._compat", 0.15, 0.15), ("attr", 2.0, 2.15)]


def test_main_names_a_contestant_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--contestants", "c,nobody"])

    assert "no such contestant: nobody" in capsys.readouterr().err


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("wrk")), reason="needs gcc and wrk")
def test_a_cell_is_measured_and_who_cannot_take_part_is_shown() -> None:
    arguments = ["--only", "udp-16", "--rounds", "1", "--seconds", "0.5", "--contestants"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments, "c,sync,twisted"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    rows = {line.split(" | ")[0]: line for line in done.stdout.splitlines()}
    assert "n/a" not in rows["| C, epoll, one thread"]
    assert "n/a" not in rows["| **acceptor `sync()`**"]
    if importlib.util.find_spec("twisted") is None:
        assert "ModuleNotFoundError: No module named 'twisted'" in rows["| Twisted"]
