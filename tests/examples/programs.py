"""Runs an example as its user would, and real clients against it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from tests.support import PATIENCE, wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"


@attrs.define(eq=False)
class Program:
    """A running example; what it prints goes to a file, so that it never waits for a reader."""

    process: subprocess.Popen[bytes]
    _output: Path

    @property
    def output(self) -> str:
        """What it has printed so far, to both of its streams."""
        return self._output.read_text(errors="replace")

    def wait_for(self, pattern: str, count: int = 1) -> list[str]:
        """Wait until so many lines match; return what the group of each has caught."""

        def found() -> list[str]:
            return re.findall(f"^{pattern}$", self.output, re.MULTILINE)

        wait_until(
            lambda: len(found()) >= count or self.process.poll() is not None,
            f"there are {count} lines like {pattern!r}",
        )
        assert len(found()) >= count, f"ended without {pattern!r}: {self.output}"
        return found()

    def addresses(self, count: int) -> list[str]:
        """Wait until it listens on so many endpoints; return them in the order of the log."""
        return self.wait_for(r".*listening on (\S+)", count)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def running(command: list[str], folder: Path) -> Generator[Program, None, None]:
    """Run a command for the length of the block; its output goes into the folder."""
    output = folder / "output"
    with (
        output.open("wb") as file,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Program(process, output)
        finally:
            if process.poll() is None:
                process.kill()
            sys.stdout.write(output.read_text(errors="replace"))  # for who reads about a failure


def example(name: str, *arguments: str) -> list[str]:
    """Return the command that runs an example."""
    return [sys.executable, str(EXAMPLES / name), *arguments]


def client(*command: str, question: bytes = b"", user: int | None = None) -> bytes:
    """Run a client to its end and return what it printed, or skip where it is not there."""
    answer = subprocess.run(
        [installed(command[0]), *command[1:]],
        input=question,
        stdout=subprocess.PIPE,
        timeout=PATIENCE,
        check=user is None,  # who is turned away may find that an error
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    return answer.stdout


def installed(program: str) -> str:
    """Return the path of a client program; skip the test where there is none."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def another_user() -> int:
    """Return the number of a user that the tests do not run as; skip where we cannot be it."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a client as another user")
    return 65534
