"""What the guide shows is run: each block is a module of tests."""

import contextlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import acceptor.testing
from acceptor.testing.fixture import starter

GUIDE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


@attrs.frozen
class Shown:
    """One test that the guide shows."""

    heading: str
    name: str
    function: Callable[..., None]

    def __str__(self) -> str:
        return self.name


def all_shown() -> list[Shown]:
    found = []
    heading = ""
    for title, source in re.findall(
        r"^#+ ([^\n]+)$|^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
    ):
        heading = title or heading
        names: dict[str, Any] = {"__name__": "shown"}
        exec(compile(source, heading, "exec"), names)
        found += [
            Shown(heading, name, value) for name, value in names.items() if name.startswith("test_")
        ]
    return found


SHOWN = all_shown()


def test_guide_shows_tests_in_each_section() -> None:
    headings = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)

    assert {shown.heading for shown in SHOWN} == set(headings)


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_shown_test_passes(shown: Shown) -> None:
    with contextlib.ExitStack() as stack:
        if "acceptor_serve" in inspect.signature(shown.function).parameters:
            shown.function(starter(stack))
        else:
            shown.function()


def test_guide_names_only_what_is_there() -> None:
    table = GUIDE[GUIDE.index("| you want to") : GUIDE.index("## A server")]
    names = set(re.findall(r"`(\w+)`", table)) - {"acceptor_serve"}

    assert names <= set(acceptor.testing.__all__)


def test_links_lead_to_headings() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", GUIDE, re.MULTILINE)
    }

    assert set(re.findall(r"\(#([\w-]+)\)", GUIDE)) <= anchors
