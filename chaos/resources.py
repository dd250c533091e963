"""What a process holds of the machine; read from /proc."""

import gc
import os
import signal
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Resources:
    """How much of what can leak a process has."""

    descriptors: int
    threads: int
    children: int  # those that nobody has reaped among them
    memory: int  # KiB, resident

    def excess(self, before: "Resources") -> str:
        """Say what there is more of than before, memory aside; empty if nothing."""
        return ", ".join(
            f"{now} {what} where there were {then}"
            for what, now, then in (
                ("descriptors", self.descriptors, before.descriptors),
                ("threads", self.threads, before.threads),
                ("children", self.children, before.children),
            )
            if now > then
        )


def can_be_measured() -> bool:
    """Whether this system tells what a process holds."""
    return os.path.isdir("/proc/self/task")


def own_resources() -> Resources:
    """Measure this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return Resources(
        descriptors=len(os.listdir("/proc/self/fd")) - 1,  # less the one that looks
        threads=len(os.listdir("/proc/self/task")),
        children=len(children()),
        memory=pages * os.sysconf("SC_PAGE_SIZE") // 1024,
    )


def children() -> list[int]:
    """Return the children of this process. Not every kernel has lists of them."""
    return [
        int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent(pid) == os.getpid()
    ]


def _parent(pid: str) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:  # it has just ended
        return 0
    return int(stat.rpartition(")")[2].split()[1])  # the command's name may hold anything


def kill_children() -> None:
    """Kill all children of this process."""
    for pid in children():
        os.kill(pid, signal.SIGKILL)  # not reaped meanwhile, or it would not be listed as ours
