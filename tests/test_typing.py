"""The checkers' verdict on `tests/typing/`, whose files no one runs, and on the public names.

A `# type: ignore[...]` there is a line that must fail: both checkers complain about one that is
not needed.
"""

import collections.abc
import inspect
import json
import os
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import acceptor

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "typing"
FILES = sorted(FOLDER.glob("*.py"))
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/migrating.md", "docs/testing.md")

# The first run of a checker on a machine fills its cache, and pyright's fetches its engine.
pytestmark = pytest.mark.timeout(300)

_OPENINGS = {
    "tcp": 'tcp(("127.0.0.1", 0))',
    "udp": 'udp(("127.0.0.1", 0))',
    "unix": 'unix_stream("/run/it")',
    "unixgram": 'unix_datagram("/run/it")',
    "steps": 'tcp(("127.0.0.1", 0)).threaded(4).observe(print).access(lambda peer: True)',
}


def check(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        # `pyright --verifytypes` does not find what is installed in editable form.
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def mypy(*paths: Path) -> subprocess.CompletedProcess[str]:
    return check("mypy", "--strict", *paths)


def pyright(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return check("pyright", "--pythonpath", sys.executable, *arguments)


def test_mypy_agrees_with_every_type_and_refuses_every_misuse() -> None:
    result = mypy(*FILES)

    assert result.returncode == 0, result.stdout + result.stderr


def test_pyright_agrees_with_every_type_and_refuses_every_misuse() -> None:
    result = pyright(*FILES)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("document", DOCUMENTS)
def test_checkers_agree_with_what_a_document_shows(document: str, tmp_path: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    shown = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    files = [tmp_path / f"shown_{number}.py" for number in range(len(shown))]
    for file, source in zip(files, shown, strict=True):
        # Code of old says so of classic handlers, and the attribute could be set.
        file.write_text(f"# pyright: reportIncompatibleVariableOverride=false\n{source}")

    verdicts = mypy(*files), pyright(*files)

    assert files
    assert [verdict.returncode for verdict in verdicts] == [0, 0], "".join(
        verdict.stdout for verdict in verdicts
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_pyright_is_told_to_be_strict_in_every_file(path: Path) -> None:
    first_line = path.read_text().splitlines()[0]

    assert first_line == "# pyright: strict, reportUnnecessaryTypeIgnoreComment=true"


def test_both_checkers_complain_about_an_ignore_that_is_not_needed(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    first_line = FILES[0].read_text().splitlines()[0]
    file.write_text(f"{first_line}\nnumber = 1  # type: ignore[attr-defined]\n")

    verdicts = mypy(file), pyright(file)

    assert [verdict.returncode for verdict in verdicts] == [1, 1]
    assert "unused-ignore" in verdicts[0].stdout
    assert "reportUnnecessaryTypeIgnoreComment" in verdicts[1].stdout


def test_checkers_name_the_stage_when_there_is_no_handler(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    lines = [f"ServerBuilder().{opening}.build()" for opening in _OPENINGS.values()]
    file.write_text("\n".join(["from acceptor import ServerBuilder", *lines, ""]))

    said_by_mypy = mypy(file).stdout.splitlines()
    said_by_pyright = pyright(file).stdout

    for line in range(2, 2 + len(lines)):
        message = next(said for said in said_by_mypy if f"sample.py:{line}:" in said)
        assert re.search(r'error: "(Stream)?NeedsHandler\[', message)
        assert 'has no attribute "build"' in message
    named = re.findall(r'attribute "build" for class "(?:Stream)?NeedsHandler\[', said_by_pyright)
    assert len(named) == 5


def test_public_types_are_complete() -> None:
    result = pyright("--verifytypes", "acceptor", "--ignoreexternal", "--outputjson")

    report = json.loads(result.stdout)["typeCompleteness"]
    incomplete = [symbol for symbol in report["symbols"] if not symbol["isTypeKnown"]]
    assert incomplete == []
    assert report["completenessScore"] == 1
    assert report["exportedSymbolCounts"]["withKnownType"] > len(acceptor.__all__)


@pytest.mark.parametrize("name", acceptor.__all__)
def test_no_any_is_in_what_users_see(name: str) -> None:
    loose = [where for where, hint in _hints(name, getattr(acceptor, name)) if _has_any(hint)]

    assert loose == []


def _hints(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield every annotation that a user of a public name meets."""
    if inspect.isclass(value) and value.__module__.startswith("acceptor."):
        for attribute, hint in inspect.get_annotations(value, eval_str=True).items():
            if not attribute.startswith("_"):
                yield f"{name}.{attribute}", hint
        for attribute, member in vars(value).items():
            # What attrs writes as `__init__` takes the annotated attributes above.
            called = attribute in _CALLED_BY_USERS and not attrs.has(value)
            if called or not attribute.startswith("_"):
                yield from _hints_of_callable(f"{name}.{attribute}", member)
    elif inspect.isfunction(value):
        yield from _hints_of_callable(name, value)
    elif not inspect.isclass(value):
        yield name, value  # an alias


_CALLED_BY_USERS = ("__init__", "__new__", "__call__", "__enter__", "__and__", "__rand__")


def _hints_of_callable(name: str, member: object) -> Iterator[tuple[str, object]]:
    function = member.fget if isinstance(member, property) else member
    if isinstance(function, staticmethod | classmethod):
        function = function.__func__
    if not inspect.isfunction(function):
        return
    for parameter, hint in typing.get_type_hints(function).items():
        yield f"{name}({parameter})", hint


def _has_any(hint: object) -> bool:
    if hint is Any:
        return True
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is collections.abc.Callable:
        parts = (*parts[0], parts[1]) if isinstance(parts[0], list) else parts
    return any(_has_any(part) for part in parts)
