"""A child process for each request, with a bound."""

import os
import sys

import attrs

from acceptor.concurrency.bounds import DEFAULT_MAX_CHILDREN, check_bound
from acceptor.core.errors import UnsupportedError
from acceptor.core.interfaces import Concurrency, Dispatcher, Workplace
from acceptor.core.values import frozen

if sys.platform != "win32":
    from acceptor.concurrency.children import ForkDispatcher


@frozen
class Forked(Concurrency):
    """Runs each job in a child process, at most `max_children` at a time.

    Clients beyond that wait in the backlog. A child starts with the handlers' memory as it is
    at that moment; what it changes is lost with it.

    Raises:
        UnsupportedError: The platform has no fork; use `threaded()` there.
    """

    max_children: int = attrs.field(default=DEFAULT_MAX_CHILDREN, validator=check_bound)

    def __attrs_post_init__(self) -> None:
        if not hasattr(os, "fork"):
            raise UnsupportedError("this platform cannot fork; use threaded() instead")

    @property
    def limit(self) -> int:
        """How many jobs may run at a time."""
        return self.max_children

    if sys.platform == "win32":

        def start(self, workplace: Workplace, /) -> Dispatcher:
            """Refuse: there is no fork, and so no such recipe."""
            raise UnsupportedError("this platform cannot fork; use threaded() instead")

    else:

        def start(self, workplace: Workplace, /) -> Dispatcher:
            """Make the dispatcher for one server."""
            return ForkDispatcher(workplace)
