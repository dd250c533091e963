"""What machine it was, without its name."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("attrs", "uvloop", "gevent", "Twisted", "trio", "waitress", "gunicorn", "cheroot")


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def packages() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def gcc() -> str:
    done = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def description(load_before: float) -> str:
    """Return lines of Markdown; `load_before` is the machine's load when it began."""
    cores = len(os.sched_getaffinity(0))
    return "\n".join(
        [
            f"* {cpu_model()}, {cores} cores; load before it began: {load_before:.2f}",
            f"* {platform.system()} {platform.release()}, gcc {gcc()}",
            f"* {platform.python_implementation()} {platform.python_version()}",
            f"* {packages()}",
        ]
    )
