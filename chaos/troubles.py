"""What can be wrong inside the server's process, each for the length of a block."""

import contextlib
import errno
import os
import resource
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, NoReturn, TypeAlias
from unittest import mock

from acceptor import Server
from chaos.parts import RAISING, STRUCK
from chaos.resources import kill_children

Trouble: TypeAlias = Callable[[Server[Any, Any]], AbstractContextManager[object]]

_A_DAY: Final = 86_400

# What users write for framed servers.
USERS_PARTS: Final = ("session", "opened", "closed", "cut", "wrap")


@contextlib.contextmanager
def paused(server: Server[Any, Any]) -> Generator[None, None, None]:
    """Let clients wait in the backlog."""
    server.pause()
    yield
    server.resume()


@contextlib.contextmanager
def out_of_descriptors(server: Server[Any, Any]) -> Generator[None, None, None]:
    """Have not one more descriptor to give."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    with contextlib.ExitStack() as undo:
        undo.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
        with contextlib.suppress(OSError):
            while True:
                undo.callback(os.close, os.dup(0))
        yield


def raising(part: str, *errors: BaseException) -> Trouble:
    """Have a part of the server raise these, one after the other."""

    @contextlib.contextmanager
    def trouble(server: Server[Any, Any]) -> Generator[None, None, None]:
        RAISING[part] = errors
        yield
        del RAISING[part]

    return trouble


def no_threads(server: Server[Any, Any]) -> AbstractContextManager[object]:
    """Start no thread, as when the machine has no more to give."""

    def refuse(thread: threading.Thread) -> NoReturn:
        STRUCK["thread"] += 1
        raise RuntimeError("can't start new thread")

    return mock.patch.object(threading.Thread, "start", refuse)


def no_forks(server: Server[Any, Any]) -> AbstractContextManager[object]:
    """Refuse to fork. Simulated: the limit of processes does not hold root."""

    def refuse() -> NoReturn:
        STRUCK["fork"] += 1
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    return mock.patch.object(os, "fork", refuse)


@contextlib.contextmanager
def clock_set_back(server: Server[Any, Any]) -> Generator[None, None, None]:
    """Set the wall clock back by a day, for this process."""
    seconds, nanoseconds = time.time, time.time_ns

    def now() -> float:
        return seconds() - _A_DAY

    def now_ns() -> int:
        return nanoseconds() - _A_DAY * 10**9

    with mock.patch.object(time, "time", now), mock.patch.object(time, "time_ns", now_ns):
        yield


@contextlib.contextmanager
def children_killed(server: Server[Any, Any]) -> Generator[None, None, None]:
    """Kill all children."""
    kill_children()
    yield


TROUBLES: Final[Mapping[str, Trouble]] = {
    "paused": paused,
    "EMFILE": out_of_descriptors,
    "ENFILE": raising("accept", OSError(errno.ENFILE, os.strerror(errno.ENFILE))),
    "ENOBUFS": raising("accept", OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))),
    "no threads": no_threads,
    "no forks": no_forks,
    "policy": raising("policy", ValueError("policy"), SystemExit("policy")),
    "message policy": raising("message policy", ValueError("policy"), SystemExit("policy")),
    **{part: raising(part, ValueError(part), SystemExit(part)) for part in USERS_PARTS},
    "observer": raising("observer", ValueError("observer"), SystemExit("observer")),
    "close": raising("close", SystemExit("a worker's end")),
    "wait": raising("wait", SystemExit("a worker's end")),
    "clock set back": clock_set_back,
    "children killed": children_killed,
}
