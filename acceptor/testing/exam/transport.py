"""The exam for transports."""

import functools
import itertools
import socket
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from acceptor.core.datagram import Datagram
from acceptor.core.interfaces import Queue
from acceptor.core.limits import Close, Refusal, Reply, Reset
from acceptor.testing.exam.datagrams import DATAGRAM_QUESTIONS
from acceptor.testing.exam.paper import EXAM_PATIENCE, in_time, promised, require
from acceptor.testing.exam.room import Connect, NewTransport, Room, room
from acceptor.testing.exam.streams import STREAM_QUESTIONS
from acceptor.testing.patience import wait_until

Question: TypeAlias = Callable[[Room], None]

_CLIENTS: Final = 3
_REFUSALS: Final[tuple[Refusal, ...]] = (Close(), Reply(b"busy\n"), Reset())


def check_transport(
    new_transport: NewTransport,
    connect: Connect | None = None,
    *,
    patience: float = EXAM_PATIENCE,
) -> None:
    """Hold a transport against what a server expects of one.

    `new_transport()` returns the transport, the same one each time or a new one. `connect(address)`
    returns a client: `sendall`, `recv` and `close` as a socket has them. It needs the listener to
    be open and no more; `examination` and a line feed, which the client sends first, must get it
    through the handshake. Without `connect`, clients are those of `serve`.

    What handlers are given is looked at more closely if it is a `socket.socket` or a `Datagram`.
    Deadlines are tried in real time, a twentieth of a second each.

    Raises:
        AssertionError: It breaks the contract; the message says how.
    """
    kind: list[type] = []

    def serves_clients(present: Room) -> None:
        kind.append(type(present.served()[2]))

    for question in (_opens, _hands_out_each_client_once, serves_clients, *_COMMON):
        _ask(question, new_transport, connect, patience)
    special: tuple[Question, ...] = ()
    if issubclass(kind[0], socket.socket):
        special = STREAM_QUESTIONS
    elif issubclass(kind[0], Datagram):
        special = DATAGRAM_QUESTIONS
    for question in special:
        _ask(question, new_transport, connect, patience)


def _ask(
    question: Question, new_transport: NewTransport, connect: Connect | None, patience: float
) -> None:
    # The names of the questions are the contract in short.
    with (
        promised(f"a transport {question.__name__.strip('_').replace('_', ' ')}"),
        room(new_transport, connect, patience) as present,
    ):
        question(present)


def _opens(room: Room) -> None:
    listener = room.listener
    require(listener.address == listener.address, "the address must stay the same")
    number = listener.fileno()
    require(
        isinstance(number, int) and number >= 0 and listener.fileno() == number,
        f"fileno() must be a descriptor, and the same one each time, is {number!r}",
    )
    require(not room.is_readable(0.0), "the descriptor must not be readable while no client waits")
    require(room.accept() is None, "accept() must return None while no client waits")
    _await_count(room, 0)


def _hands_out_each_client_once(room: Room) -> None:
    for _ in range(_CLIENTS):
        room.come()
    _await_count(room, _CLIENTS)
    taken = [room.take() for _ in range(_CLIENTS)]
    require(len(set(map(id, taken))) == _CLIENTS, "accept() must return each client once")
    for incoming in taken:
        require(incoming.peer == incoming.peer, "the peer must stay the same")
    require(room.accept() is None, "accept() must return each client once, and then None")
    require(not room.is_readable(0.0), "the descriptor must not be readable once all are taken")
    _await_count(room, 0)


def _await_count(room: Room, count: int) -> None:
    """See that the listener, if it tells how many clients wait, comes to tell the right number."""
    listener = room.listener
    if isinstance(listener, Queue):
        wait_until(
            lambda: listener.waiting() in (None, count),
            f"waiting() is {count}, or None, when so many clients wait",
            room.patience,
        )


def _judges_errors(room: Room) -> None:
    _, incoming, _ = room.served()
    for error in (RuntimeError("the handler's own"), None):
        require(
            incoming.outcome_of(error) is None,
            f"outcome_of({error!r}) must be None when the client has done nothing wrong",
        )


def _ends_in_any_order(room: Room) -> None:
    acts: dict[str, Callable[[Any], object]] = {
        "close(patient=False)": lambda incoming: incoming.close(patient=False),
        "cut()": lambda incoming: incoming.cut(),
        "release()": lambda incoming: incoming.release(),
    }
    for first, second in itertools.product(acts, repeat=2):
        room.come()
        incoming = room.take()
        room.shake(incoming)
        for name in (first, second, first):
            with promised(f"{name} must be possible at any time, here {first} then {second}"):
                act = functools.partial(acts[name], incoming)
                in_time(act, f"{name} must not wait", room.patience)


def _ends_before_the_handshake(room: Room) -> None:
    for cut_first in (True, False):
        room.come()
        incoming = room.take()
        if cut_first:
            with promised("cut() must be possible at any time, also before the handshake"):
                incoming.cut()
        with promised("close() must be possible without a handshake"):
            incoming.close(patient=False)


def _refuses(room: Room) -> None:
    for how in _REFUSALS:
        room.come()
        incoming = room.take()
        with promised(f"refuse({how}) must not raise"):
            refuse = functools.partial(incoming.refuse, how)
            in_time(refuse, "refuse() must not wait", room.patience)


def _survives_clients_that_leave(room: Room) -> None:
    for _ in range(_CLIENTS):
        client = room.come(silent=True)
        client.close()
    room.come()
    wait_until(lambda: room.is_readable(0.0), "a client that waits is told of", room.patience)
    for _ in range(_CLIENTS + 1):
        incoming = room.accept()
        if incoming is not None:
            with promised("close() must never raise"):
                incoming.close(patient=False)
    room.served()


def _retires(room: Room) -> None:
    served, _, _ = room.served()
    room.come()
    require(room.is_readable(room.patience), "the descriptor must tell of a client that waits")
    with promised("retire() must not raise, and may be repeated"):
        left = in_time(room.listener.retire, "retire() must not wait", room.patience)
        require(
            left in (None, 1),
            f"retire() must return how many clients waited, here 1, or None; returned {left!r}",
        )
        require(
            room.listener.fileno() == -1,
            "fileno() must be -1 once the listener is retired: no client is waited for any more",
        )
        room.listener.retire()
    served.close()


def _releases(room: Room) -> None:
    with promised("the listener's release() and then close() must not raise"):
        room.listener.release()
        room.listener.close()


_COMMON: Final[tuple[Question, ...]] = (
    _judges_errors,
    _ends_in_any_order,
    _ends_before_the_handshake,
    _refuses,
    _survives_clients_that_leave,
    _retires,
    _releases,
    _opens,  # what was there before has let the address go
)
