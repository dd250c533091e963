"""What all exams need: to demand something, and not to wait for it for ever."""

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Final, TypeVar

from acceptor.testing.patience import open_descriptors, wait_until

T = TypeVar("T")

EXAM_PATIENCE: Final = 5.0
"""Seconds until an exam takes what it waits for to be something that never comes."""


def require(fact: object, contract: str) -> None:
    """Fail the exam unless it is so.

    Raises:
        AssertionError: It is not.
    """
    if not fact:
        raise AssertionError(contract)


@contextlib.contextmanager
def promised(contract: str) -> Generator[None, None, None]:
    """Fail the exam if the block raises anything.

    Raises:
        AssertionError: It has; the error is the cause.
    """
    try:
        yield
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{contract}; it raised {error!r}") from error


class Aside:
    """A call in a thread of its own; `result` waits for what it returns or raises."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._result: object = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="exam", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error

    def ends_within(self, seconds: float) -> bool:
        """Say whether the call comes to an end, for up to so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self, contract: str, patience: float) -> object:
        """Wait for the end of the call.

        Raises:
            AssertionError: It does not end; the contract says that it should.
            BaseException: What the call raised.
        """
        require(self.ends_within(patience), contract)
        if self._error is not None:
            raise self._error
        return self._result


def in_time(call: Callable[[], T], contract: str, patience: float) -> T:
    """Return what a call returns, or raise what it raises.

    Raises:
        AssertionError: It has not returned in time, against the contract.
    """
    found: list[T] = []
    Aside(lambda: found.append(call())).result(contract, patience)
    return found[0]


@contextlib.contextmanager
def leaving_nothing(of: str, patience: float) -> Generator[None, None, None]:
    """Fail the exam if the block leaves a thread or a descriptor behind.

    Raises:
        AssertionError: It does.
    """
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    yield
    wait_until(
        lambda: open_descriptors() <= descriptors, f"{of} has closed all its descriptors", patience
    )
    wait_until(
        lambda: set(threading.enumerate()) <= threads, f"{of} has ended all its threads", patience
    )
