"""Where events go: to the log, and to whoever was asked to observe."""

import logging
from typing import Final

import attrs

from acceptor.core.errors import is_ctrl_c
from acceptor.core.events import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Closed,
    Draining,
    Event,
    HandlerFailed,
    HandshakeFailed,
    Listening,
    Observer,
    Outcome,
    Refused,
    Stopped,
)

LOGGER: Final = logging.getLogger("acceptor")


def log_event(event: Event) -> None:
    """Write one event to the `acceptor` logger: the observer that every server has.

    Handler and policy errors go out at error with their traceback; what clients do at debug or
    info; what the machine lacks at warning.
    """
    match event:
        case HandlerFailed(peer=peer, error=error):
            LOGGER.error("handler failed for %s", peer, exc_info=error)
        case Refused(peer=peer, reason=reason, error=error):
            level = logging.INFO if error is None else logging.ERROR
            LOGGER.log(level, "refused %s: %s", peer, reason, exc_info=error)
        case HandshakeFailed(peer=peer, error=error):
            LOGGER.info("handshake with %s failed: %s", peer, error)
        case AcceptPaused(cause=cause, delay=delay):
            LOGGER.warning("accepting is paused, next attempt in %.1f s: %s", delay, cause)
        case AcceptResumed(attempts=attempts, elapsed=elapsed):
            LOGGER.warning("accepting again after %d attempts in %.1f s", attempts, elapsed)
        case Closed(outcome=Outcome.LOST):
            LOGGER.error("the worker that served %s was killed", event.peer)
        case Closed(peer=peer, outcome=outcome, elapsed=elapsed):
            LOGGER.debug("closed %s after %.3f s: %s", peer, elapsed, outcome.value)
        case Accepted(peer=peer):
            LOGGER.debug("accepted %s", peer)
        case Listening(address=address):
            LOGGER.info("listening on %s", address)
        case Draining(running=running, timeout=timeout):
            limit = "no limit" if timeout is None else f"{timeout:.1f} s"
            LOGGER.info("draining: %d requests, %s", running, limit)
        case Stopped(report=report):
            LOGGER.info("stopped: %d finished, %d cut", report.finished, report.cut)


@attrs.define(eq=False)
class Reporter:
    """Hands each event to every observer; one that raises is logged and never fatal."""

    observers: tuple[Observer, ...] = ()
    wants_every_request: bool = attrs.field(default=True, init=False)
    """Whether anyone would read the events that each ordinary request causes."""

    def __call__(self, event: Event) -> None:
        """Tell one fact."""
        for observer in (log_event, *self.observers):
            try:
                observer(event)
            except BaseException as error:
                if is_ctrl_c(error):
                    raise
                LOGGER.error("observer %r failed", observer, exc_info=error)

    def look_who_listens(self) -> None:
        """Find out what is wanted, once for each serving and not for each request."""
        self.wants_every_request = bool(self.observers) or LOGGER.isEnabledFor(logging.DEBUG)
