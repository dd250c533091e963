"""What a process holds of the machine; read from /proc."""

import gc
import os
import signal

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
    return os.path.exists("/proc/self/smaps_rollup")


def own_resources() -> Resources:
    """Measure this process."""
    gc.collect()
    return Resources(
        descriptors=len(os.listdir("/proc/self/fd")) - 1,  # less the one that looks
        threads=len(os.listdir("/proc/self/task")),
        children=len(children()),
        memory=_resident(),
    )


def _resident() -> int:
    # Not from `statm`: since Linux 6.2 its figure is off by up to some hundred KiB, because each
    # processor counts for itself; see "rss" in proc(5).
    with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))


def children() -> list[int]:
    """Return the children of this process. Not every kernel has lists of them."""
    return [
        int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent(pid) == os.getpid()
    ]


def _parent(pid: str) -> int:
    # Not with pathlib, which interns each part of a path: the numbers of all processes there were.
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:  # it has just ended
        return 0
    return int(stat.rpartition(b")")[2].split()[1])  # the command's name may hold anything


def kill_children() -> None:
    """Kill all children of this process."""
    for pid in children():
        os.kill(pid, signal.SIGKILL)  # not reaped meanwhile, or it would not be listed as ours
