"""Runs one suite in a process of its own; the runner starts it and reads what it wrote.

What happens is written line by line, so that a run that hangs or dies has said how far it came.
`socketserver` is whatever the path says: the runner has put ours first, before `site` and its
hooks could import another.
"""

import faulthandler
import gc
import importlib
import json
import os
import resource
import socketserver
import sys
import types
import unittest
from collections.abc import Collection, Iterator
from typing import Any, TextIO

ORIGINAL = os.path.join(os.path.dirname(os.__file__), "socketserver.py")


class Report(unittest.TestResult):
    """Writes down what becomes of each test, at once."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self.buffer = True
        self._file = file
        self._owner = os.getpid()

    def write(self, what: str, test: str = "", text: str = "") -> None:
        """Write a line."""
        self._file.write(json.dumps([what, test, text]) + "\n")
        self._file.flush()

    def startTest(self, test: unittest.TestCase) -> None:
        self.write("started", test.id())
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if os.getpid() != self._owner:
            self.write("failed", test.id(), "a forked child came back from the test")
            os._exit(1)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.write("passed", test.id())

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        self.write("passed", test.id())

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self.write("failed", test.id(), "passes, which is not expected")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self.write("skipped", test.id(), reason)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self.write("failed", test.id(), self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self.write("failed", test.id(), self.errors[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        if err is not None:
            super().addSubTest(test, subtest, err)
            bad = self.failures if issubclass(err[0], test.failureException) else self.errors
            self.write("failed", subtest.id(), bad[-1][1])


def objections(module: str) -> list[str]:
    """Say what is wrong with the swap: nobody may have anything of another module."""
    found = []
    if socketserver.__name__ != module:
        found.append(f"socketserver is {socketserver.__name__} from {socketserver.__file__}")
    http = sys.modules.get("http.server")
    if http is not None and socketserver.TCPServer not in http.HTTPServer.__mro__:
        found.append(f"HTTPServer has other bases: {http.HTTPServer.__mro__}")
    if module != "socketserver":
        found += [
            f"the standard module's {function.__qualname__} is alive"
            for function in gc.get_objects()
            if type(function) is types.FunctionType and function.__code__.co_filename == ORIGINAL
        ]
    return found


def prepare(resources: Collection[str]) -> Any:
    """Set the process up as CPython's own runner does; return `test.support`."""
    support: Any = importlib.import_module("test.support")
    utils = importlib.import_module("test.libregrtest.utils")
    support.use_resources = dict.fromkeys(resources)
    support.verbose = 0
    # An exception in a thread or a finalizer, where it fails no test, alters "the environment".
    utils.setup_unraisable_hook()
    utils.setup_threading_excepthook()
    # test_socketserver looks for a leak with 1024 attempts, which shows where this is the limit.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    return support


def tests_in(suite: unittest.TestSuite | unittest.TestCase) -> Iterator[unittest.TestCase]:
    """Go through the tests of a suite in their order."""
    if isinstance(suite, unittest.TestCase):
        yield suite
    else:
        for part in suite:
            yield from tests_in(part)


def run(name: str, module: str, resources: list[str], left_out: list[str], report: Report) -> None:
    """Run the suite of that name."""
    support = prepare(resources)
    tests = tests_in(unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(name)))
    chosen = unittest.TestSuite(test for test in tests if test.id() not in left_out)
    for objection in objections(module):
        report.write("failed", name, objection)
        return
    chosen.run(report)
    for objection in objections(module):
        report.write("failed", name, objection)
    support.gc_collect()
    support.reap_children()
    if support.environment_altered:
        report.write("altered", name)


def main(order: str) -> None:
    """Do what the runner ordered, in JSON."""
    faulthandler.enable()  # the runner ends a hang with SIGABRT: then all threads say where
    job: dict[str, Any] = json.loads(order)
    with open(job.pop("report"), "w", encoding="utf-8") as file:
        report = Report(file)
        try:
            run(**job, report=report)
        except unittest.SkipTest as error:
            report.write("absent", job["name"], str(error))
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] != "test":
                raise
            report.write("absent", job["name"], f"this Python has no {error.name}")
        report.write("ended")


if __name__ == "__main__":
    main(sys.argv[1])
