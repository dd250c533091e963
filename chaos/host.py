"""The hand that holds a tormented process: starts it, gives it orders, ends it."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path
from typing import IO, Any, Final

import attrs

from chaos.patience import PATIENCE
from chaos.resources import Resources

ROOT = Path(__file__).parent.parent

# What the process has freed goes back to the system: else up to a few MiB stay, now and then, and
# look as if they had leaked. Bytes, for glibc; see mallopt(3).
_GIVE_BACK: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
}


class HostLostError(Exception):
    """The process that serves does not answer any more; the text says what it said last."""


@attrs.define(eq=False)
class Host:
    """A process that serves as it is ordered; from any thread."""

    _process: "subprocess.Popen[bytes]"
    _errors: IO[bytes]
    folder: Path
    _heard: bytes = attrs.field(default=b"", init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    lost: bool = attrs.field(default=False, init=False)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def call(self, order: str, **values: Any) -> Any:
        """Have an order carried out, and return its answer.

        Raises:
            HostLostError: It is dead, or silent for too long.
        """
        assert self._process.stdin is not None
        with self._lock:
            try:
                self._process.stdin.write(json.dumps([order, values]).encode() + b"\n")
                self._process.stdin.flush()
                return json.loads(self._line())
            except (OSError, EOFError) as error:
                self.lost = True
                raise HostLostError(
                    f"{order}: {error or 'no answer'}\n{self._last_words()}"
                ) from error

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._heard:
            if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
                raise TimeoutError(f"no answer in {PATIENCE:g} s")
            read = os.read(self._process.stdout.fileno(), 65536)
            if not read:
                raise EOFError
            self._heard += read
        line, _, self._heard = self._heard.partition(b"\n")
        return line

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.send_signal(signal.SIGABRT)  # each thread then says where it is
            self._process.wait(PATIENCE)
        self._errors.seek(0)
        return self._errors.read()[-4000:].decode(errors="replace")

    def resources(self) -> Resources:
        """Return what the process holds now."""
        return Resources(**self.call("resources"))

    def end(self) -> None:
        """Let the process end by itself, or kill it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()


@contextlib.contextmanager
def host(transport: str, strategy: str) -> Generator[Host, None, None]:
    """Start a process that serves so, for the length of the block."""
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as name,
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-m", "chaos.hosted", transport, strategy, f"{name}/it"],
            env={**os.environ, **_GIVE_BACK, "PYTHONPATH": _path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        it = Host(process, errors, Path(name))
        try:
            yield it
        finally:
            it.end()


def _path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
