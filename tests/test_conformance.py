"""The runner of CPython's suites, on a small suite and with a module that is broken on purpose."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.__main__ import main
from conformance.runner import Runner, abort, as_a_user, run_until
from conformance.suites import LEFT_OUT, SUITES, Suite
from tests.suites import Folder, make_folder
from tests.support import PATIENCE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return make_folder(tmp_path, monkeypatch)


def test_runner_names_the_test_in_which_the_process_died(folder: Folder) -> None:
    folder.add("test_dies", "os.abort()")

    outcome = folder.run()

    assert list(outcome.failed) == ["suite.T.test_dies"]
    assert "ended with status -6" in outcome.failed["suite.T.test_dies"]
    assert "in test_dies" in outcome.failed["suite.T.test_dies"]


@pytest.mark.parametrize("module", ["good", "suite"])
def test_runner_takes_an_import_that_fails_for_a_failure(folder: Folder, module: str) -> None:
    folder.write(module, "import no_such_module")

    outcome = folder.run()

    assert "No module named 'no_such_module'" in outcome.failed["suite"]


def test_runner_says_that_a_suite_is_absent_when_this_python_lacks_it(folder: Folder) -> None:
    outcome = folder.run(suite="test.test_no_such_suite")

    assert outcome.absent == "this Python has no test.test_no_such_suite"
    assert (outcome.ran, outcome.failed) == (0, {})


def test_runner_gives_a_suite_the_resources_that_it_is_allowed(folder: Folder) -> None:
    folder.write("suite", "from test import support\nsupport.requires('network')\n")
    runner = Runner(module="good", limit=PATIENCE, left_out={})

    without = runner.run(Suite("suite", frozenset({"walltime"})), "good")
    allowed = runner.run(Suite("suite").allowing("network"), "good")

    assert "'network' resource not enabled" in without.absent
    assert (allowed.absent, allowed.failed) == ("", {})


def test_runner_runs_a_suite_as_a_user_who_is_not_root(folder: Folder) -> None:
    if os.geteuid() == 0 and not as_a_user():
        pytest.skip("this system gives root no user namespace")
    folder.add("test_user", "self.assertNotEqual(os.geteuid(), 0)")

    outcome = folder.run()

    assert (outcome.passed, outcome.failed) == (2, {})


def test_runner_ends_a_suite_whose_time_is_over(folder: Folder) -> None:
    runner = Runner(module="good", limit=0.0, left_out={})

    outcome = runner.run(Suite("suite"), "good")

    (text,) = outcome.failed.values()
    assert text.startswith("did not end within 0 seconds")


def test_run_until_ends_a_hang_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    program = "import os, signal; os.fork(); signal.pause()"
    reading, writing = os.pipe()

    try:
        ended = run_until(0.5, [sys.executable, "-c", program], tmp_path, {}, writing)
        os.close(writing)

        assert ended == "did not end within 0.5 seconds"
        assert select.select([reading], [], [], PATIENCE)[0], "somebody still holds the other end"
        assert os.read(reading, 1) == b""
    finally:
        os.close(reading)


def test_abort_lets_a_process_say_where_it_hangs() -> None:
    program = "import signal; print('ready', flush=True); signal.pause()"

    with subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        abort(process)

        assert b"Current thread" in process.stdout.read()


@pytest.mark.parametrize(
    ("module", "test", "expected"),
    [
        ("good", "pass", (0, "| 2 | 2 | 0 | 1 |")),
        ("bad", "pass", (1, "**FAILED**")),
        ("good", "1 / 0", (0, "fails the same")),
    ],
)
def test_command_fails_only_for_what_the_standard_module_does_better(
    folder: Folder,
    capsys: pytest.CaptureFixture[str],
    module: str,
    test: str,
    expected: tuple[int, str],
) -> None:
    folder.add("test_more", test)
    status, words = expected

    ended = main(["--module", module], [Suite("suite")])

    assert ended == status
    assert words in capsys.readouterr().out


def test_command_runs_the_suites_that_it_is_told(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write("other", "raise SystemExit(1)")
    folder.add("test_waits", "support.requires('walltime')")
    suites = [Suite("suite"), Suite("other")]

    ended = main(["--module", "good", "--walltime", "suite"], suites)

    assert ended == 0
    said = capsys.readouterr().out
    assert "| 2 | 2 | 0 | 1 |" in said
    assert "other" not in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--module", "no.such.module"], "there is no module no.such.module"),
        (["test_other"], "no such suite: test_other"),
    ],
)
def test_command_refuses_what_there_is_not(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--jobs", "1"])

    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_only_one_test_of_the_eight_suites_is_left_out() -> None:
    assert list(LEFT_OUT) == ["test.test_socketserver.MiscTestCase.test_all"]
    assert sorted(suite.name for suite in SUITES) == [
        "test_docxmlrpc",
        "test_httpservers",
        "test_imaplib",
        "test_logging",
        "test_socketserver",
        "test_urllib2_localnet",
        "test_wsgiref",
        "test_xmlrpc",
    ]
