"""Waiting for facts that nobody announces."""

import threading
import time
from collections.abc import Callable
from typing import Final

# Seconds; only waited for when something is broken, or the machine very busy.
PATIENCE: Final = 20.0

_LOOK_AGAIN: Final = 0.005  # seconds


def wait_until(true: Callable[[], object], what: str) -> None:
    """Wait for a fact.

    Raises:
        TimeoutError: It does not come true.
    """
    until = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"did not come true in {PATIENCE:g} s: {what}")
        pause(_LOOK_AGAIN)


def pause(seconds: float) -> None:
    """Let time pass."""
    threading.Event().wait(max(0.0, seconds))
