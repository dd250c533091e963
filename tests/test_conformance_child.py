"""The process that runs a suite: what it tells, and that nobody in it has the standard module."""

import socketserver
from pathlib import Path

import pytest

from tests.suites import Folder, make_folder

GETS_THE_ORIGINAL = (
    f"exec(compile(open({socketserver.__file__!r}).read(), {socketserver.__file__!r}, 'exec'))"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    return make_folder(tmp_path, monkeypatch)


def test_child_tells_what_became_of_each_test(folder: Folder) -> None:
    good, bad = folder.run(), folder.run("bad")

    assert (good.ran, good.passed, good.failed) == (1, 1, {})
    assert good.skipped == {"suite.T.test_skips": "no reason"}
    assert (bad.ran, bad.passed) == (1, 0)
    assert "Lists differ" in bad.failed["suite.T.test_handles"]


def test_child_counts_subtests_and_surprises_as_failures(folder: Folder) -> None:
    folder.add(
        "test_parts",
        "with self.subTest('one'): self.fail('wrong')",
        "with self.subTest('two'): 1 / 0",
        "with self.subTest('three'): pass",
    )
    folder.add("test_passes", "pass")
    folder.add("test_breaks", "1 / 0")
    folder.write(
        "suite",
        folder.path.joinpath("suite.py").read_text()
        + (
            "\n    test_passes = unittest.expectedFailure(test_passes)"
            "\n    test_breaks = unittest.expectedFailure(test_breaks)"
        ),
    )

    outcome = folder.run()

    assert outcome.passed == 2
    assert {
        test.partition(" ")[2]: text.splitlines()[-1] for test, text in outcome.failed.items()
    } == {
        "[one]": "AssertionError: wrong",
        "[two]": "ZeroDivisionError: division by zero",
        "": "passes, which is not expected",
    }


def test_child_leaves_out_what_it_is_told_by_name(folder: Folder) -> None:
    outcome = folder.run("bad", left_out="suite.T.test_handles")

    assert (outcome.ran, len(outcome.skipped)) == (0, 1)


def test_child_is_set_up_as_cpythons_own_runner_does_it(folder: Folder) -> None:
    folder.add("test_quiet", "self.assertEqual(support.verbose, 0)")
    folder.add(
        "test_limit", "self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1024)"
    )

    outcome = folder.run()

    assert (outcome.passed, outcome.failed) == (3, {})


def test_swap_is_in_force_for_hooks_of_site_and_for_processes_of_the_suite(folder: Folder) -> None:
    folder.write("sitecustomize", "import http.server")
    folder.add(
        "test_this_process",
        "self.assertEqual(socketserver.__name__, 'good')",
        "self.assertEqual(http.server.HTTPServer.__bases__[0].__module__, 'good')",
    )
    folder.add(
        "test_other_process",
        "command = [sys.executable, '-c', 'import socketserver; print(socketserver.__file__)']",
        "self.assertIn('good.py', subprocess.check_output(command, text=True))",
    )

    outcome = folder.run()

    assert (outcome.passed, outcome.failed) == (3, {})


def test_child_runs_nothing_when_the_suite_has_the_standard_module(folder: Folder) -> None:
    folder.write("suite", f"{GETS_THE_ORIGINAL}\n{folder.path.joinpath('suite.py').read_text()}")

    outcome = folder.run()

    assert "is alive" in outcome.failed["suite"]
    assert outcome.passed == 0


def test_child_objects_when_a_test_gets_the_standard_module(folder: Folder) -> None:
    folder.add("test_gets_it", f"T.kept = {{}}; {GETS_THE_ORIGINAL[:-1]}, T.kept)")

    outcome = folder.run()

    assert "is alive" in outcome.failed["suite"]


def test_child_objects_when_socketserver_is_another_module_than_ordered(folder: Folder) -> None:
    folder.write("alias", "import good, sys; sys.modules[__name__] = good")

    outcome = folder.run("alias")

    assert "socketserver is good from" in outcome.failed["suite"]
    assert outcome.passed == 0


def test_child_objects_when_http_server_has_other_bases(folder: Folder) -> None:
    hook = "sys.modules['socketserver'] = bad; import http.server; del sys.modules['socketserver']"
    folder.write("sitecustomize", f"import bad, sys; {hook}")

    outcome = folder.run()

    assert "HTTPServer has other bases" in outcome.failed["suite"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "os.waitid(os.P_PID, os.fork() or os._exit(0), os.WEXITED | os.WNOWAIT)",
            "reaped child",
        ),
        ("t = threading.Thread(target=int, args='x'); t.start(); t.join()", "ValueError: invalid"),
        ("type('C', (), {'__del__': lambda self: 1 / 0})()", "ZeroDivisionError"),
    ],
)
def test_child_fails_a_suite_for_what_no_test_notices(
    folder: Folder, line: str, words: str
) -> None:
    folder.add("test_leaves_something", line)

    outcome = folder.run()

    assert list(outcome.failed) == ["suite: leaves nothing behind"]
    assert words in outcome.failed["suite: leaves nothing behind"]


def test_child_stops_a_forked_child_that_comes_back_from_a_test(folder: Folder) -> None:
    mark = folder.path / "mark"
    folder.add("test_forks", "(child := os.fork()) and os.waitpid(child, 0)")
    folder.add("test_then", f"open({str(mark)!r}, 'a').write('once ')")

    outcome = folder.run()

    assert "came back" in outcome.failed["suite.T.test_forks"]
    assert mark.read_text() == "once "
