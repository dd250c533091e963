"""What can go wrong only where connections rest, and their messages are served."""

import contextlib
import time
from typing import Final

from chaos.client_faults import LEFT, SOON
from chaos.fault import NO_MESSAGE, Fault, Strike
from chaos.framed_lab import FramedLab, end_input, hear_line
from chaos.lab import ANSWER, FRAMED, QUESTION, Lab, expect

_PIPELINED: Final = 5  # questions
_LONG: Final = 60_000  # bytes of a line that may just be so long
_NOISE: Final = b"noise " + b"x" * _LONG + b"\n"
_LONG_QUESTION: Final = b"echo " + b"x" * _LONG + b"\n"
_LONGEST_FLOOD: Final = 1000  # questions


def framed(lab: Lab) -> FramedLab:
    """Return the lab as what it is."""
    assert isinstance(lab, FramedLab)
    return lab


def resets_at_rest(lab: Lab) -> None:
    """Leave, having been answered."""
    for client in [framed(lab).rest() for _ in range(3 * lab.size)]:
        lab.reset(client)


def stays_at_rest(lab: Lab) -> float:
    """Stay and say nothing more, having been answered."""
    framed(lab).rest()
    end = time.monotonic() + lab.timeouts["idle"]
    lab.ask()
    return end


def half_closes(lab: Lab) -> None:
    """Ask a few things at once, and say that this was all."""
    for _ in range(3 * lab.size):
        client = lab.send(QUESTION * _PIPELINED)
        end_input(client)
        expect(lab.hear(client), (ANSWER + b"\n") * _PIPELINED)
        lab.dismiss(client)


def floods_messages(lab: Lab) -> None:
    """Send many messages that nobody needs to answer, and a question behind them."""
    client = lab.connect()
    for _ in range(20 * lab.size):
        client.sendall(_NOISE)
    lab.ask()
    client.sendall(QUESTION)
    lab.answered(client)


def reads_no_answers(lab: Lab) -> None:
    """Ask without an end and read nothing, for as long as the server stands it."""
    client = lab.connect()
    with contextlib.suppress(ConnectionError):
        for _ in range(_LONGEST_FLOOD):
            client.sendall(_LONG_QUESTION)
    lab.dismiss(client)


def message_policy_raises(lab: Lab) -> None:
    """Have the access policy fail when messages of clients come who were let in."""
    clients = [framed(lab).rest() for _ in range(2 * lab.size)]
    refused = lab.books()["refused"] + len(clients)
    with lab.trouble("message policy"):
        for client in clients:
            client.sendall(QUESTION)
            expect(hear_line(client), b"")
            lab.dismiss(client)
        lab.await_books("refused", refused)


def raises(*troubles: str) -> Strike:
    """Have parts that users write fail, one after the other: for a client each time."""

    def strike(lab: Lab) -> None:
        for trouble in troubles:
            with lab.trouble(trouble):
                for _ in range(2 * lab.size):  # each raises two things in turn
                    lab.tell(QUESTION)

    return strike


FRAMED_FAULTS: Final = (
    Fault(
        "resets at rest",
        "nobody is told of an error",
        resets_at_rest,
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
        may_tell=LEFT,
    ),
    Fault(
        "stays at rest",
        "ends as timed out after `idle`",
        stays_at_rest,
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
        must_tell="TIMED_OUT",
        timeouts={"idle": SOON},
    ),
    Fault(
        "half-closes",
        "is answered all the same",
        half_closes,
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
    ),
    Fault(
        "floods messages",
        "others are served meanwhile",
        floods_messages,
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
    ),
    Fault(
        "asks, and reads no answers",
        "ends as timed out after `write`",
        reads_no_answers,
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
        must_tell="TIMED_OUT",
        timeouts={"write": SOON},
    ),
    Fault(
        "policy raises for a message",
        "ends as denied",
        message_policy_raises,
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
        must_tell="DENIED",
        parts=("message policy",),
    ),
    Fault(
        "session raises",
        "ends as handler failed",
        raises("session", "opened", "closed"),
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
        must_tell="FAILED",
        parts=("session",),
    ),
    Fault(
        "framing raises",
        "ends as handler failed",
        raises("cut", "wrap"),
        transports=FRAMED,
        elsewhere=NO_MESSAGE,
        must_tell="FAILED",
        parts=("framing",),
    ),
)
