"""How long a test waits for a fact, and how."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

PATIENCE: Final = 20.0
"""Seconds until a fact is taken to be one that never comes; only waited for if all is not well."""

_GLANCE: Final = 0.002  # seconds


def wait_until(fact: Callable[[], object], what: str = "", timeout: float = PATIENCE) -> None:
    """Wait for a fact that nothing announces.

    Raises:
        AssertionError: It has not come true within so many seconds.
    """
    never = threading.Event()
    for _ in range(int(timeout / _GLANCE) + 1):
        if fact():
            return
        never.wait(_GLANCE)
    raise AssertionError(f"did not come true within {timeout} s: {what or fact!r}")


def open_descriptors() -> int:
    """Return how many descriptors this process has open; 0 where the system does not tell."""
    for folder in (Path("/proc/self/fd"), Path("/dev/fd")):
        if folder.is_dir():
            return len(os.listdir(folder))
    return 0
