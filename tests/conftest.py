"""Every test leaves nothing behind: no thread, no child, no descriptor."""

import os
import threading
from collections.abc import Generator

import pytest

from tests.support import open_descriptors, wait_until


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Generator[None, None, None]:
    threads, descriptors = set(threading.enumerate()), open_descriptors()

    yield

    wait_until(lambda: set(threading.enumerate()) <= threads, "all threads have ended")
    wait_until(lambda: open_descriptors() <= descriptors, "all descriptors are closed")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
