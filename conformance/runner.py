"""Runs suites in processes of their own, with another module in socketserver's place."""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from conformance.outcome import Outcome, Verdict, read
from conformance.suites import Suite

ROOT = Path(__file__).parent.parent
STANDARD = "socketserver"

# The import system asks sys.modules again when a module has been run: whoever imports
# socketserver, and be it a hook of site-packages or a process that a test starts, gets ours.
_IN_ITS_PLACE = """
import importlib
import sys

sys.modules[__name__] = importlib.import_module({module!r})
"""


@attrs.frozen(kw_only=True)
class Runner:
    """How suites are run."""

    module: str  # what stands in socketserver's place
    limit: float  # seconds that a suite may take
    left_out: Mapping[str, str]

    def verdicts(self, suites: Iterable[Suite], jobs: int) -> Iterator[tuple[Suite, Verdict]]:
        """Judge the suites, so many at a time; yield them in their order."""
        suites = tuple(suites)
        with ThreadPoolExecutor(jobs) as pool:
            yield from zip(suites, pool.map(self.judge, suites), strict=True)

    def judge(self, suite: Suite) -> Verdict:
        """Run a suite with ours and, only if something fails, with the standard module."""
        ours = self.run(suite, self.module)
        return Verdict(ours, self.run(suite, STANDARD) if ours.failed else None)

    def run(self, suite: Suite, module: str) -> Outcome:
        """Run a suite once, in an empty folder of its own."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "cwd").mkdir()
            report, output = folder / "report", folder / "output"
            report.touch()
            job = {
                "name": suite.module,
                "module": module,
                "resources": sorted(suite.resources),
                "left_out": sorted(self.left_out),
                "report": str(report),
            }
            began = time.monotonic()
            with output.open("wb") as file:
                broken = run_until(
                    self.limit,
                    [*as_a_user(), sys.executable, "-m", "conformance.child", json.dumps(job)],
                    folder / "cwd",
                    {**os.environ, "PYTHONPATH": _path(folder / "path", module)},
                    file.fileno(),
                )
            seconds = time.monotonic() - began
            with report.open(encoding="utf-8") as lines:
                said = output.read_text("utf-8", errors="replace")
                return read(suite.module, lines, broken, said, seconds)


@functools.cache
def as_a_user() -> tuple[str, ...]:
    """Return what to put before a command that root should not be seen to run.

    As root, test_httpservers would skip its tests of CGI, whose handlers fork. In a user
    namespace, where the system lets us have one, root is somebody else.
    """
    prefix = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return ()
    attempt = subprocess.run([*prefix, sys.executable, "-c", ""], capture_output=True, check=False)
    return () if attempt.returncode else prefix


def _path(folder: Path, module: str) -> str:
    """Return what comes first on the child's path, and on that of whom it starts."""
    folders = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    if module != STANDARD:
        folder.mkdir()
        source = _IN_ITS_PLACE.format(module=module)
        (folder / "socketserver.py").write_text(source, encoding="utf-8")
        folders.insert(0, str(folder))
    return os.pathsep.join(filter(None, folders))


def run_until(
    limit: float, command: Sequence[str], cwd: Path, environ: Mapping[str, str], output: int
) -> str:
    """Run a command until it ends or its time is over; say what was wrong with its end."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # what the suite leaves running ends with it
    ) as process:
        try:
            status = process.wait(limit)
            return f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            abort(process)
            return f"did not end within {limit:g} seconds"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def abort(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end; one of ours prints first what each of its threads is doing."""
    process.send_signal(signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5.0)
