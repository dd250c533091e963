"""What is built and installed: a wheel and an sdist, with pip alone, as a user would."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import acceptor

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "acceptor").rglob("*") if path.is_file()
)
SHIPPED = [path for path in SOURCES if "__pycache__" not in path]

# Or an installed package would find its modules in the checkout.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "PYTHON"))}

# Building needs hatchling, and installing the dependencies: both come from an index.
pytestmark = pytest.mark.timeout(180)


def pip(*arguments: str | Path, python: str | Path = sys.executable) -> str:
    """Run pip; skip the test if what it needs cannot be had here."""
    result = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *arguments],
        # Without an index it is better to know it soon.
        env={**CLEAN, "PIP_RETRIES": "1", "PIP_DEFAULT_TIMEOUT": "15"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = result.stdout + result.stderr
    if result.returncode and "No matching distribution found" in said:
        pytest.skip(f"no package index is reachable: {said.splitlines()[-1]}")
    assert result.returncode == 0, said
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # pip builds no sdists, so hatchling is put into a folder and asked itself.
    hatchling, folder = (tmp_path_factory.mktemp(name) for name in ("hatchling", "sdist"))
    pip("install", "--quiet", "--target", hatchling, "hatchling>=1.26")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(hatchling)},
        capture_output=True,
        check=True,
    )
    (built,) = folder.glob("*.tar.gz")
    return built


def test_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert "acceptor/py.typed" in names
    assert sorted(name for name in names if name.startswith("acceptor/")) == SHIPPED
    assert {name.split("/")[0] for name in names} == {"acceptor", _information(wheel)}
    assert f"{_information(wheel)}/licenses/LICENSE" in names


def test_wheel_says_what_it_needs_and_what_it_installs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{_information(wheel)}/METADATA").decode()
        entry_points = archive.read(f"{_information(wheel)}/entry_points.txt").decode()

    assert wheel.name.endswith("-py3-none-any.whl")
    assert "Requires-Python: >=3.11" in metadata
    assert "Requires-Dist: attrs>=" in metadata
    assert "License-Expression: MIT" in metadata
    assert "acceptor = acceptor.cli:main" in entry_points


def test_sdist_holds_the_package_and_all_that_tests_it(sdist: Path) -> None:
    top = sdist.name.removesuffix(".tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.removeprefix(f"{top}/") for name in archive.getnames()}

    assert "acceptor/py.typed" in names
    assert names >= set(SHIPPED)
    assert names >= {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "Makefile"}
    assert names >= {"tests/conftest.py", "tests/typing/stages.py", "requirements-dev.txt"}
    assert not [name for name in names if name.startswith(".venv") or "__pycache__" in name]


def test_wheel_installs_with_pip_alone_and_runs(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"

    def output(*command: str | Path) -> str:
        return subprocess.run(
            command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=True
        ).stdout

    pip("install", "--quiet", wheel, python=python)

    version = wheel.name.split("-")[1]
    assert output(python, "-m", "acceptor", "--version") == f"acceptor {version}\n"
    assert output(python.with_name("acceptor"), "--version") == f"acceptor {version}\n"
    program = "import acceptor, json; print(json.dumps([acceptor.__file__, acceptor.__all__]))"
    file, names = json.loads(output(python, "-c", program))
    assert Path(file).is_relative_to(environment)
    assert names == acceptor.__all__


def _information(wheel: Path) -> str:
    name, version = wheel.name.split("-")[:2]
    return f"{name}-{version}.dist-info"
