"""A contestant's process: started, asked what it uses, ended. Linux's proc(5) knows."""

import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import attrs

TICK = os.sysconf("SC_CLK_TCK")
START_SECONDS = 20.0
ROOT = Path(__file__).parent.parent


class UnavailableError(Exception):
    """This contestant cannot do this work here; says why."""


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on: those after the name."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(stat(int(entry))[1])
            except OSError:  # it has ended in between
                pass
    found = [pid]
    for one in found:  # which grows as children are found
        found += [child for child, parent in parents.items() if parent == one]
    return found


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@attrs.define(eq=False)
class Process:
    """One contestant, listening."""

    command: Sequence[str]
    where: str = attrs.field(default="", init=False)
    """The port or the path that it has printed."""
    _popen: subprocess.Popen[str] = attrs.field(init=False)
    _said: IO[str] = attrs.field(init=False)

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile("w+")
        self._popen = subprocess.Popen(
            self.command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            start_new_session=True,
        )
        try:
            self.where = self._first_line()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _first_line(self) -> str:
        assert self._popen.stdout is not None
        ready, _, _ = select.select([self._popen.stdout], [], [], START_SECONDS)
        line = self._popen.stdout.readline().strip() if ready else ""
        if not line:
            if ready:
                self._popen.wait(START_SECONDS)
            self._said.seek(0)
            raise UnavailableError(last_line(self._said.read()))
        return line

    def close(self) -> None:
        """End it, and the children that it has started."""
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has ended by itself, and has been waited for
            pass
        self._popen.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()
        self._said.close()

    def cpu(self) -> float:
        """Return the seconds of CPU used so far, with those of all children."""
        total = 0
        for pid in family(self._popen.pid):
            try:
                total += sum(map(int, stat(pid)[11:15]))
            except OSError:
                pass
        return total / TICK

    def memory(self) -> int:
        """Return its proportional set size, with that of its children. Bytes."""
        total = 0
        for pid in family(self._popen.pid):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total
