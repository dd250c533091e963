"""The programs in C: the clients, and the server to measure by. Compiled for each run."""

import shutil
import subprocess
from pathlib import Path

import attrs

SOURCES = Path(__file__).parent / "native"
LOAD = ("load.c", "common.c", "connect.c", "lines.c", "datagrams.c", "idle.c")


@attrs.frozen
class Programs:
    """Where the compiled programs are."""

    load: str
    echo: str


def compiled(folder: Path) -> Programs:
    """Compile both into a folder.

    Raises:
        SystemExit: There is no compiler, or no wrk.
    """
    for program in ("gcc", "wrk"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is needed: apt-get install gcc libc6-dev wrk")
    for name, sources in {"load": LOAD, "echo": ("echo.c",)}.items():
        paths = [str(SOURCES / source) for source in sources]
        subprocess.run(["gcc", "-O2", "-Wall", "-o", str(folder / name), *paths], check=True)
    return Programs(str(folder / "load"), str(folder / "echo"))
