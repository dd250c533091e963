"""What befalls a server from within: its machine, its process, its parts."""

import os
import signal
import threading
import time
from typing import Final

from chaos.client_faults import LIVES, SOON, drip
from chaos.fault import NO_CONNECTION, Fault
from chaos.lab import QUESTION, STREAMS, Lab
from chaos.scarcity import without, without_descriptors, without_forks, without_threads

_BURST: Final = 50  # signals


def signals_storm(lab: Lab) -> None:
    """Send signals while the server waits, and while a handler runs in it."""
    held = [lab.hold()] if lab.is_stream else []
    _storm(lab)
    for client in held:
        lab.let_go(client)
    for _ in range(3):
        _storm(lab)
        lab.ask()


def signals_drizzle(lab: Lab) -> None:
    """Send a signal now and then, more often than a deadline that a silent client must keep."""
    lab.connect()
    over = threading.Event()

    def send() -> None:
        while not over.wait(lab.timeouts["first_data"] / 10):
            os.kill(lab.host.pid, signal.SIGUSR1)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        lab.ask()
        lab.await_books("closed", lab.books()["accepted"])
    finally:
        over.set()
        thread.join()


def _storm(lab: Lab) -> None:
    for _ in range(_BURST * lab.size):
        os.kill(lab.host.pid, signal.SIGUSR1)
        os.kill(lab.host.pid, signal.SIGCHLD)


def clock_is_set_back(lab: Lab) -> float | None:
    """Set the wall clock back by a day, and right again, while a client lives on borrowed time."""
    if not lab.is_stream:
        with lab.trouble("clock set back"):
            lab.ask()
        return None
    accepted = lab.books()["accepted"] + 1
    client = lab.connect()
    end = time.monotonic() + lab.timeouts["connection"]
    lab.await_books("accepted", accepted)
    with lab.trouble("clock set back"):
        drip(client, end)
        lab.ask()
    return end


def policy_raises(lab: Lab) -> None:
    """Have the access policy fail."""
    many = 2 * lab.size
    refused = lab.books()["refused"] + many
    with lab.trouble("policy"):
        for _ in range(many):
            lab.tell(QUESTION)
        lab.await_books("refused", refused)


def handler_raises(lab: Lab) -> None:
    """Have the handler fail, and try to end the program."""
    for _ in range(lab.size):
        lab.tell(b"fail\n")
        lab.tell(b"exit\n")


def observer_raises(lab: Lab) -> None:
    """Have an observer raise whatever it is told; the others are told all the same."""
    with lab.trouble("observer"):
        for _ in range(3 * lab.size):
            lab.ask()


def child_is_killed(lab: Lab) -> None:
    """Kill children with SIGKILL: from within, and from without."""
    for _ in range(lab.size):
        lab.tell(b"die\n")
    if lab.is_stream:
        held = [lab.hold() for _ in range(lab.size)]
        with lab.trouble("children killed"):
            for client in held:
                lab.hear(client)
                lab.dismiss(client)


def worker_dies(lab: Lab) -> None:
    """Let an exception escape from the worker, after the request and in the midst of it."""
    with lab.trouble("close"):
        closed = lab.books()["closed"] + lab.size
        for _ in range(lab.size):
            lab.tell(QUESTION)
        lab.await_books("closed", closed)
    if lab.is_framed:
        _workers_die_waiting(lab)
    lab.tell(b"interrupt\n")
    lab.tell(b"end\n")


def _workers_die_waiting(lab: Lab) -> None:
    """Let one worker after the other, as often as it is replaced, break while it waits."""
    struck = lab.books()["struck"] + 3
    with lab.trouble("wait"):
        client = lab.send(QUESTION)
        lab.await_books("struck", struck)
    lab.answered(client)


_PAUSE: Final = "pauses, then serves who has waited"

SERVER_FAULTS: Final = (
    Fault("EMFILE", f"{_PAUSE}; or needs none", without_descriptors),
    Fault(
        "ENFILE (scripted)",
        _PAUSE,
        without("ENFILE"),
        transports=STREAMS,
        elsewhere="datagrams: receiving opens no file",
        parts=("listener",),
    ),
    Fault("ENOBUFS (scripted)", _PAUSE, without("ENOBUFS"), parts=("listener",)),
    Fault(
        "no threads left (simulated)",
        _PAUSE,
        without_threads,
        strategies=("threaded",),
        elsewhere="sync and forked start no thread, pooled no more of them",
    ),
    Fault(
        "fork refused (simulated)",
        _PAUSE,
        without_forks,
        strategies=("forked",),
        elsewhere="the others fork no child",
    ),
    Fault("signal storm", "nobody notices", signals_storm),
    Fault(
        "signals while one is silent",
        "ends as timed out after `first_data`",
        signals_drizzle,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        must_tell="TIMED_OUT",
        timeouts={"first_data": SOON},
    ),
    Fault(
        "clock set back (simulated)",
        "deadlines are kept",
        clock_is_set_back,
        may_tell=("TIMED_OUT",),
        timeouts={"connection": LIVES},
    ),
    Fault("policy raises", "denies", policy_raises, parts=("policy",)),
    Fault("handler raises", "ends as handler failed", handler_raises, must_tell="FAILED"),
    Fault(
        "observer raises", "the other observer is told all", observer_raises, parts=("observer",)
    ),
    Fault(
        "child killed",
        "ends as worker lost",
        child_is_killed,
        strategies=("forked",),
        elsewhere="the others have no child",
        must_tell="LOST",
    ),
    Fault(
        "worker thread dies",
        "ends as handler failed",
        worker_dies,
        strategies=("threaded", "pooled"),
        elsewhere="sync and forked have no such thread",
        must_tell="FAILED",
        parts=("listener",),
    ),
)
