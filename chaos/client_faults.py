"""What clients do to a server."""

import contextlib
import socket
import time
from typing import Final

from chaos.fault import NO_CONNECTION, Fault
from chaos.lab import STREAMS, Lab
from chaos.patience import pause

SOON: Final = 0.25  # seconds, for deadlines
_DRIP: Final = 0.05  # seconds between two bytes
LIVES: Final = 0.8  # seconds that a connection may live; enough for an ordinary client
_SLOTS: Final = 8
_LONGEST_FLOOD: Final = 1000  # pieces
_PIECE: Final = b"x" * 65536
_NOISE: Final = b"x" * 8000


def resets_before_accept(lab: Lab) -> None:
    """Leave the backlog before the server has looked into it."""
    with lab.trouble("paused"):
        for client in [lab.connect() for _ in range(3 * lab.size)]:
            lab.reset(client)


def resets_after_connect(lab: Lab) -> None:
    """Leave while the handler waits for the first byte."""
    for _ in range(3 * lab.size):
        taken = lab.books()["accepted"] + 1
        client = lab.connect()
        lab.await_books("accepted", taken)
        lab.reset(client)


def resets_mid_request(lab: Lab) -> None:
    """Leave in the middle of a line."""
    for _ in range(3 * lab.size):
        lab.reset(lab.send(b"echo and no"))


def resets_mid_reply(lab: Lab) -> None:
    """Leave in the middle of an answer."""
    for flood in lab.floods * 3 * lab.size:
        client = lab.send(flood)
        client.recv(1000)
        lab.reset(client)


def resets_while_closing(lab: Lab) -> None:
    """Leave when the server has said all, and waits for the client to hang up."""
    for _ in range(3 * lab.size):
        client = lab.send(b"nothing\n")
        lab.hear(client)
        lab.reset(client)


def leaves_before_reply(lab: Lab) -> None:
    """Ask, and be gone."""
    for _ in range(3 * lab.size):
        lab.reset(lab.send(b"echo nobody\n"))


def stops_writing(lab: Lab) -> float:
    """Vanish in the middle of a line, without a word."""
    lab.send(b"echo and no")
    return _meanwhile(lab, time.monotonic() + lab.timeouts["idle"])


def stops_reading(lab: Lab) -> float:
    """Vanish in the middle of an answer, without a word."""
    for flood in lab.floods:
        lab.send(flood)
    return _meanwhile(lab, time.monotonic() + lab.timeouts["write"])


def sends_nothing(lab: Lab) -> float:
    """Connect, and that was all."""
    lab.connect()
    return _meanwhile(lab, time.monotonic() + lab.timeouts["first_data"])


def drips(lab: Lab) -> float:
    """Send a byte now and then, for as long as the server stands it."""
    client = lab.connect()
    end = _meanwhile(lab, time.monotonic() + lab.timeouts["connection"])
    drip(client, end)
    return end


def drip(client: socket.socket, end: float) -> None:
    """Send a byte now and then, until that moment on `time.monotonic`."""
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end:
            client.send(b"e")
            pause(_DRIP)


def floods_connects(lab: Lab) -> None:
    """Come in numbers, say nothing, and leave; as many stay as may be served at a time."""
    before = lab.books()["accepted"]
    clients = [lab.connect() for _ in range(30 * lab.size)]
    if lab.has_workers:
        lab.await_books("accepted", before + _SLOTS)
    for client in clients:
        lab.dismiss(client)


def floods_bytes(lab: Lab) -> None:
    """Send without an end what nobody wants."""
    client = lab.connect()
    if lab.is_stream:
        with contextlib.suppress(ConnectionError):  # the server has had enough
            for _ in range(_LONGEST_FLOOD):
                client.sendall(_PIECE)
    else:
        client.setblocking(False)
        for _ in range(100 * lab.size):
            with contextlib.suppress(BlockingIOError):
                client.send(_NOISE)
    lab.dismiss(client)


def _meanwhile(lab: Lab, end: float) -> float:
    """See that others are served before it ends, where they need not wait."""
    if lab.has_workers:
        lab.ask()
    return end


LEFT: Final = ("CLIENT_LEFT",)

CLIENT_FAULTS: Final = (
    Fault(
        "resets before accept",
        "nobody is told of an error",
        resets_before_accept,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        may_tell=LEFT,
    ),
    Fault(
        "resets after connect",
        "nobody is told of an error",
        resets_after_connect,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        may_tell=LEFT,
    ),
    Fault(
        "resets mid-request",
        "nobody is told of an error",
        resets_mid_request,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        may_tell=LEFT,
    ),
    Fault(
        "resets mid-reply",
        "ends as client left",
        resets_mid_reply,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        must_tell="CLIENT_LEFT",
    ),
    Fault(
        "resets while the server closes",
        "ends as finished",
        resets_while_closing,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
    ),
    Fault(
        "leaves before the reply",
        "nobody is told of an error",
        leaves_before_reply,
        may_tell=LEFT,
    ),
    Fault(
        "half-open, stops writing",
        "ends as timed out after `idle`",
        stops_writing,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        must_tell="TIMED_OUT",
        timeouts={"idle": SOON},
    ),
    Fault(
        "half-open, stops reading",
        "ends as timed out after `write`",
        stops_reading,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        must_tell="TIMED_OUT",
        timeouts={"write": SOON},
    ),
    Fault(
        "sends nothing",
        "ends as timed out after `first_data`",
        sends_nothing,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        must_tell="TIMED_OUT",
        timeouts={"first_data": SOON},
    ),
    Fault(
        "slow drip",
        "ends as timed out after `connection`",
        drips,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        must_tell="TIMED_OUT",
        timeouts={"connection": LIVES},
    ),
    Fault(
        "floods connects",
        "no more at a time than `max_connections`",
        floods_connects,
        transports=STREAMS,
        elsewhere=NO_CONNECTION,
        may_tell=LEFT,
        limits={"max_connections": _SLOTS},
    ),
    Fault(
        "floods bytes",
        "is read within bounds",
        floods_bytes,
        may_tell=(*LEFT, "BAD_MESSAGE"),  # framed, no line may be so long
    ),
)
