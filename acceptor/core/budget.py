"""Whether the process may open as many descriptors as its connections could need."""

import errno
import os
import sys
import warnings
from typing import Final

from acceptor.core.errors import DescriptorBudgetError, DescriptorBudgetWarning
from acceptor.core.limits import Limits

# What a server needs besides: the port, the wait and its two ends, a worker's start, a log file.
_RESERVE: Final = 8

# For a program that holds as many connections as it can: what its handlers may open, and for no
# limit at all.
_SPARE: Final = 64
_PLENTY: Final = 2**20

_FOLDERS: Final = ("/proc/self/fd", "/dev/fd")

if sys.platform != "win32":
    import resource

    def check_descriptors(limits: Limits, most: int) -> None:
        """Compare what `most` connections need with what the process may open.

        Raises:
            DescriptorBudgetError: It may not, and the limits are strict; otherwise it is a
                warning. The system's soft limit is raised first, if the limits allow that.
        """
        needed = _open_now() + _RESERVE + most * limits.descriptors_per_connection
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or needed <= soft:
            return
        if limits.raise_descriptor_limit:
            soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            if needed <= soft:
                return
        text = (
            f"{most} connections need {needed} descriptors, but the process may open only {soft}; "
            "lower max_connections, allow raise_descriptor_limit, or raise the limit (ulimit -n)"
        )
        if limits.strict:
            raise DescriptorBudgetError(errno.EMFILE, text)
        warnings.warn(text, DescriptorBudgetWarning, stacklevel=2)

    def descriptors_to_spare() -> int:
        """Return how many connections there are descriptors for, and some left for the program."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return _PLENTY
        return max(1, min(soft, _PLENTY) - _open_now() - _SPARE)

    def _open_now() -> int:
        for folder in _FOLDERS:
            try:
                return len(os.listdir(folder))
            except OSError:
                continue
        return 0

else:

    def check_descriptors(limits: Limits, most: int) -> None:
        """Do nothing: Windows has no such limit for sockets."""

    def descriptors_to_spare() -> int:
        """Return a number that is no limit: Windows has none for sockets."""
        return _PLENTY
