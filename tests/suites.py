"""Small suites in a folder of their own, with a good and a bad module to run them on."""

import socketserver
from pathlib import Path

import attrs
import pytest

from conformance.outcome import Outcome
from conformance.runner import Runner
from conformance.suites import Suite
from tests.support import PATIENCE

_SUITE = """
import http.server, os, resource, socketserver, subprocess, sys, threading, unittest
from test import support

class T(unittest.TestCase):
    def test_handles(self):
        called = []

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                called.append(self.request)

        Handler("request", None, None)

        self.assertEqual(called, ["request"])

    def test_skips(self):
        self.skipTest("no reason")
"""


@attrs.frozen
class Folder:
    """Modules that everybody finds: `suite`, and `good` and `bad` to stand for socketserver."""

    path: Path

    def write(self, module: str, source: str) -> None:
        """Write a module."""
        (self.path / f"{module}.py").write_text(source, encoding="utf-8")

    def add(self, test: str, *lines: str) -> None:
        """Add a test to the suite."""
        body = "".join(f"        {line}\n" for line in lines)
        with (self.path / "suite.py").open("a", encoding="utf-8") as file:
            file.write(f"\n    def {test}(self):\n{body}")

    def run(self, module: str = "good", suite: str = "suite", left_out: str = "") -> Outcome:
        """Run a suite once."""
        runner = Runner(module=module, limit=PATIENCE, left_out={left_out: "a reason"})
        return runner.run(Suite(suite), module)


def make_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Put a folder on the path of this process and of those that it starts."""
    pytest.importorskip("test", reason="this Python comes without CPython's own tests")
    monkeypatch.setenv("PYTHONPATH", str(path))
    monkeypatch.syspath_prepend(path)
    source = Path(socketserver.__file__).read_text(encoding="utf-8")
    folder = Folder(path)
    folder.write("good", source)
    folder.write("bad", source.replace("self.handle()", "pass"))
    folder.write("suite", _SUITE)
    return folder
