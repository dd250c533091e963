"""Drives one contestant's process with one workload, and says what was seen."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from benchmarks.process import ROOT, TICK, Process, UnavailableError, last_line

REPORT = Path(__file__).parent / "native" / "report.lua"
STRAGGLER_SECONDS = 1.0  # how long the clients of HTTP are counted one by one, after wrk
WARM_UP = 0.1  # seconds
TLS_CLIENTS = 2  # processes
IDLE = 10_000  # connections
SAMPLE = 20_000
REST = 0.5  # seconds
CORES = len(os.sched_getaffinity(0))


@attrs.frozen(kw_only=True)
class Measured:
    """What one round with one contestant showed."""

    rate: float = 0.0  # operations per second
    cpu: float = 0.0  # of the server, for one operation; microseconds
    errors: int = 0  # wrong, refused or lost
    p50: float = 0.0  # seconds
    p99: float = 0.0
    fairness: float | None = None  # the slowest client's rate, over the mean
    memory: float | None = None  # bytes for one connection
    opened: float | None = None  # seconds that all connections took
    resting: float | None = None  # of a core, while all of them rest
    busy: float = 0.0  # of a core, by the load generator
    foreign: float = 0.0  # of the whole machine, by neither of the two


@attrs.frozen
class Drive:
    """How a workload drives: what the load generator does, and how many at once."""

    mode: str
    count: int
    slow: int = 0

    def warm_up(self, process: Process, load: str) -> None:
        """Let a server that has just started see its first clients, which are not counted.

        asyncio, for one, takes four times the CPU for each line until its heap has settled.
        """
        if self.mode in ("connect", "lines", "datagrams"):
            _json([load, self.mode, process.where, self.count, WARM_UP, self.slow], WARM_UP)

    def __call__(self, process: Process, load: str, seconds: float) -> Measured:
        """Measure for so long.

        Raises:
            UnavailableError: This contestant cannot do it.
        """
        began, before, clients, all_of_it = (
            time.monotonic(),
            process.cpu(),
            children_cpu(),
            _machine(),
        )
        measured = self._measure(process, load, seconds)
        took, server = time.monotonic() - began, process.cpu() - before
        clients = children_cpu() - clients
        foreign = (_machine() - all_of_it - server - clients) / took / CORES
        return attrs.evolve(measured, busy=clients / took, foreign=max(0.0, foreign))

    def _measure(self, process: Process, load: str, seconds: float) -> Measured:
        if self.mode == "idle":
            return _idle(process, load)
        before = process.cpu()
        if self.mode == "tls":
            seen = _tls(process, self.count, seconds)
        elif self.mode == "http":
            seen = _wrk(process, self.count, seconds)
        else:
            command = [load, self.mode, process.where, self.count, seconds, self.slow]
            seen = _json(command, seconds)
        measured = _measured(seen, process.cpu() - before)
        if self.mode != "http":
            return measured
        each = _json([load, "http", process.where, self.count, STRAGGLER_SECONDS], seconds)
        errors = measured.errors + each["errors"]
        return attrs.evolve(measured, fairness=_fairness(each), errors=errors)


def children_cpu() -> float:
    """Return the CPU that ended children have used; the servers have not ended. Seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _machine() -> float:
    """Return the CPU that everybody on the machine has used; proc(5). Seconds."""
    fields = Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = map(int, fields)
    return (user + nice + system + irq + softirq) / TICK


def _measured(seen: dict[str, Any], cpu: float) -> Measured:
    if not seen["operations"]:
        raise UnavailableError("it answered nothing")
    return Measured(
        rate=seen["operations"] / seen["seconds"],
        cpu=1e6 * cpu / seen.get("total", seen["operations"]),
        errors=seen["errors"],
        p50=seen["p50"],
        p99=seen["p99"],
        fairness=_fairness(seen),
    )


def _fairness(seen: dict[str, Any]) -> float | None:
    return seen["least"] / seen["mean"] if seen.get("mean") else None


def _json(command: Sequence[object], seconds: float) -> dict[str, Any]:
    """Run a program, and read the JSON of its last line."""
    try:
        done = subprocess.run(
            [str(it) for it in command],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError("the clients came to no end") from error
    if done.returncode:
        raise UnavailableError(last_line(done.stderr))
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def _wrk(process: Process, clients: int, seconds: float) -> dict[str, Any]:
    # It knows whole seconds only.
    command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "-s", REPORT]
    return _json([*command, f"http://127.0.0.1:{process.where}/"], seconds)


def _tls(process: Process, clients: int, seconds: float) -> dict[str, Any]:
    """Load with processes of Python's own TLS: a handshake takes a client as long as a server."""
    share = str(clients // TLS_CLIENTS)
    command = [sys.executable, "-m", "benchmarks.tls_clients", process.where, share, str(seconds)]
    loads = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(TLS_CLIENTS)
    ]
    seen = [json.loads(one.communicate()[0]) for one in loads]
    sums = {key: sum(it[key] for it in seen) for key in ("operations", "errors")}
    return sums | {key: max(it[key] for it in seen) for key in ("seconds", "p50", "p99")}


@attrs.define(eq=False)
class Steps:
    """A load generator that says on a line what it has done, and waits for one to go on."""

    popen: subprocess.Popen[str]

    def next(self) -> dict[str, Any]:
        assert self.popen.stdout is not None
        assert self.popen.stderr is not None
        line = self.popen.stdout.readline()
        if not line:
            raise UnavailableError(last_line(self.popen.stderr.read()))
        result: dict[str, Any] = json.loads(line)
        return result

    def go_on(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write("\n")
        self.popen.stdin.flush()


def _idle(process: Process, load: str) -> Measured:
    """Open the connections, read the memory, let them rest, ask some of them."""
    command = [load, "idle", process.where, str(IDLE), str(SAMPLE)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as popen:
        steps = Steps(popen)
        steps.next()
        empty = process.memory()
        steps.go_on()
        opened = steps.next()["opened"]
        full = process.memory()
        before = process.cpu()
        time.sleep(REST)
        resting = (process.cpu() - before) / REST
        before = process.cpu()
        steps.go_on()
        measured = _measured(steps.next(), process.cpu() - before)
    return attrs.evolve(measured, memory=(full - empty) / IDLE, opened=opened, resting=resting)
