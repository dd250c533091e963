"""The fixture, as pytest finds and runs it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from acceptor import Closed, Phase
from acceptor.testing import ServeFixture
from acceptor.testing.pytest_plugin import acceptor_serve
from tests.fakes import greet, tcp
from tests.support import read_all

ROOT = Path(__file__).parents[2]
PLUGIN = "acceptor.testing.pytest_plugin"

TESTS = """
import pytest
from acceptor import ServerBuilder

def greet(request, client_address, server):
    request.sendall(b"hello")

def fail(request, client_address, server):
    raise ValueError("oh no")

stage = ServerBuilder().tcp(("127.0.0.1", 0)).threaded()

def test_good(acceptor_serve):
    serving = acceptor_serve(stage.handler(greet), client=True)
    assert serving.client.recv(100) == b"hello"

def test_two(acceptor_serve):
    servers = [acceptor_serve(stage.handler(greet)) for _ in range(2)]
    for serving in servers:
        assert serving.connect().recv(100) == b"hello"

def test_bad(acceptor_serve):
    assert acceptor_serve(stage.handler(fail), client=True).client.recv(100) == b""

def test_bad_by_intent(acceptor_serve):
    assert acceptor_serve(stage.handler(fail), client=True, may_fail=True).client.recv(100) == b""
"""

__all__ = ["acceptor_serve"]  # the fixture, for this file, however pytest was started


def test_fixture_starts_servers_for_the_length_of_a_test(acceptor_serve: ServeFixture) -> None:
    serving = acceptor_serve(tcp().handler(greet), client=True)

    assert read_all(serving.client) == b"hello"
    assert serving.events.wait_for(Closed)
    assert serving.server.phase is Phase.SERVING


def test_fixture_fails_the_test_whose_handler_raised(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "PYTEST_"))
    }

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "4 passed, 1 error" in done.stdout
    assert "ERROR at teardown of test_bad " in done.stdout
    assert "the handler failed for 127.0.0.1" in done.stdout
    assert "ValueError: oh no" in done.stdout


def test_pytest_finds_the_fixture_by_an_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"acceptor": PLUGIN}


@pytest.mark.parametrize("module", ["pytest", "_pytest", "acceptor.testing.serving"])
def test_kit_imports_no_pytest(module: str) -> None:
    program = f"import acceptor.testing, sys; print({module!r} in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == ("True\n" if module.startswith("acceptor") else "False\n")
