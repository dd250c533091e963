"""Where events go: to the log, and to whoever was asked to observe."""

import logging
from collections.abc import Iterable
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
    Full,
    HandlerFailed,
    HandshakeFailed,
    Listening,
    MessageRefused,
    MessageServed,
    Observer,
    Outcome,
    Refused,
    Reloaded,
    ReloadFailed,
    RoomAgain,
    Started,
    Stopped,
)
from acceptor.core.values import define

LOGGER: Final = logging.getLogger("acceptor")
ACCESS_LOGGER: Final = logging.getLogger("acceptor.access")

# An observer that fails each time would write its traceback for each request of a busy server.
MOST_FAILURES: Final = 10  # in a row


def log_event(event: Event) -> None:
    """Write one event to the `acceptor` logger: the observer that every server has.

    Handler and policy errors go out at error with their traceback; what clients do at debug or
    info; what the machine lacks at warning.
    """
    match event:
        case HandlerFailed(peer=peer, error=error):
            LOGGER.error("handler failed for %s", peer, exc_info=error)
        case Accepted(id=number, peer=peer):
            LOGGER.debug("accepted %s as %d", peer, number)
        case Started(id=number, peer=peer):
            LOGGER.debug("serving %s, %d", peer, number)
        case HandshakeFailed(peer=peer, error=error):
            LOGGER.info("handshake with %s failed: %s", peer, error)
        case Closed(outcome=Outcome.LOST):
            LOGGER.error("the worker that served %s was killed", event.peer)
        case MessageServed(id=number, peer=peer):
            LOGGER.debug("served a message of %s, %d", peer, number)
        case MessageRefused(peer=peer, fault=fault, detail=detail):
            LOGGER.info("refused a message of %s: %s (%s)", peer, fault.value, detail)
        case Closed():
            LOGGER.debug(*_in_words(event))
        case Refused(peer=peer, reason=reason, detail=detail, error=error):
            level = logging.INFO if error is None else logging.ERROR
            LOGGER.log(level, "refused %s: %s (%s)", peer, reason.value, detail, exc_info=error)
        case _:
            _log_state(event)


def _log_state(event: Event) -> None:
    match event:
        case Listening(address=address):
            LOGGER.info("listening on %s", address)
        case AcceptPaused(cause=None):
            LOGGER.info("accepting is paused")
        case AcceptPaused(cause=cause, delay=delay):
            LOGGER.warning("accepting is paused, next attempt in %.1f s: %s", delay, cause)
        case AcceptResumed(cause=None, elapsed=elapsed):
            LOGGER.info("accepting again after %.1f s", elapsed)
        case AcceptResumed(attempts=attempts, elapsed=elapsed):
            LOGGER.warning("accepting again after %d attempts in %.1f s", attempts, elapsed)
        case Full(limit=slots):
            LOGGER.warning("full: all %d slots are taken", slots)
        case RoomAgain(elapsed=elapsed, refused=refused):
            LOGGER.warning("room again after %.1f s, %d clients refused", elapsed, refused)
        case Draining(running=running, timeout=timeout):
            limit = "no limit" if timeout is None else f"{timeout:.1f} s"
            LOGGER.info("draining: %d requests, %s", running, limit)
        case Reloaded(what=what):
            LOGGER.info("read again: %s", ", ".join(what))
        case ReloadFailed(error=error):
            LOGGER.error("not read again, all stays as it was: %s", error)
        case Stopped(report=report):
            LOGGER.info("stopped: %d finished, %d cut", report.finished, report.cut)


def access_log(event: Event) -> None:
    """Write one line for each request that has ended to the `acceptor.access` logger, at info.

    An observer, for those who want it: `.observe(access_log)`.
    """
    if isinstance(event, Closed):
        ACCESS_LOGGER.info(*_in_words(event))


def _in_words(event: Closed) -> tuple[object, ...]:
    text = "closed %s, %d, after %.3f s: %s, %d bytes received, %d sent"
    outcome = event.outcome.value
    return text, event.peer, event.id, event.elapsed, outcome, event.received, event.sent


@define(eq=False)
class Reporter:
    """Hands each event to every observer; one that raises is logged, and never fatal."""

    observers: tuple[Observer, ...] = ()
    wants_every_request: bool = attrs.field(default=True, init=False)
    """Whether anyone would read the events that each ordinary request causes."""
    _log_of_ordinary: tuple[Observer, ...] = attrs.field(default=(log_event,), init=False)
    # In a row, by `id`: an observer may be an object that has no hash.
    _failures: dict[int, int] = attrs.field(factory=dict, init=False, repr=False)

    def __call__(self, event: Event) -> None:
        """Tell one fact."""
        self._tell((log_event, *self.observers), event)

    def tell_ordinary(self, event: Event) -> None:
        """Tell what each ordinary message causes, which the log has at debug or not at all."""
        self._tell((*self._log_of_ordinary, *self.observers), event)

    def _tell(self, observers: Iterable[Observer], event: Event) -> None:
        left = iter(observers)
        for observer in left:
            try:
                observer(event)
            except BaseException as error:
                if is_ctrl_c(error):
                    self._tell(left, event)
                    raise
                self._note_failure(observer, error)
            else:
                if self._failures:
                    self._failures.pop(id(observer), None)

    def _note_failure(self, observer: Observer, error: BaseException) -> None:
        LOGGER.error("observer %r failed", observer, exc_info=error)
        failures = self._failures[id(observer)] = self._failures.get(id(observer), 0) + 1
        if failures >= MOST_FAILURES and observer in self.observers:
            self.observers = tuple(one for one in self.observers if one is not observer)
            LOGGER.error(
                "observer %r failed %d times in a row, it is told nothing any more",
                observer,
                failures,
            )

    def look_who_listens(self) -> None:
        """Find out what is wanted, once for each serving and not for each request."""
        self._log_of_ordinary = (log_event,) if LOGGER.isEnabledFor(logging.DEBUG) else ()
        self.wants_every_request = bool(self.observers or self._log_of_ordinary)
