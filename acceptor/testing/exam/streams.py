"""What a transport must do whose requests are sockets."""

import contextlib
from collections.abc import Callable
from typing import Any, Final

from acceptor.core.errors import DeadlineError
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Incoming
from acceptor.core.limits import Close, Reply, Reset
from acceptor.testing.exam.paper import Aside, in_time, promised, require
from acceptor.testing.exam.room import HELLO, Room, vanish

_SOON: Final = 0.05  # seconds
_LONG: Final = bytes(range(256)) * 200  # what fits into everybody's buffers
_HUGE: Final = bytes(2**25)  # what fits into nobody's
_FLOOD: Final = 1000  # attempts to write to somebody who is gone


def _read_to_the_end(client: Any) -> bytes:
    return b"".join(iter(lambda: client.recv(65536), b""))


def _read(request: Any, patience: float) -> bytes:
    """Read what the client has sent first."""
    got = b""
    while len(got) < len(HELLO):
        more: bytes = in_time(
            lambda: request.recv(100), "recv() must return what the client has sent", patience
        )
        require(more, "recv() must return what the client has sent, returned the end")
        got += more
    return got


def _carries_bytes(room: Room) -> None:
    client = room.come()
    incoming = room.take()
    request, traffic = room.shake(incoming)
    require(request.gettimeout() is None, "the socket must be a blocking one, without a timeout")
    require(_read(request, room.patience) == HELLO, "recv() must return what the client has sent")
    with promised("sendall() must reach the client"):
        request.sendall(b"answer")
        answer = client.recv(100)
    require(answer == b"answer", f"the client must receive what was sent, received {answer!r}")
    require(
        traffic == [len(HELLO), len(b"answer")],
        f"the traffic must count the bytes read and written, {[len(HELLO), 6]}, is {traffic}",
    )


def _tells_half_closes_apart(room: Room) -> None:
    client, _, request = room.served()
    _read(request, room.patience)
    if not hasattr(client, "shutdown"):
        return
    client.shutdown(1)
    ended = in_time(lambda: request.recv(1), "recv() must return b'' at the end", room.patience)
    require(ended == b"", f"recv() must return b'' at the end, returned {ended!r}")
    with promised("a client that has ended its side must still get its answer"):
        request.sendall(b"late")
        require(client.recv(100) == b"late", "a half-closed client must still get its answer")


def _answer(request: Any, incoming: Incoming[Any, Any], patient: bool) -> None:
    request.sendall(_LONG)
    incoming.close(patient=patient)


def _closes_politely(room: Room) -> None:
    for patient in (True, False):
        client, incoming, request = room.served()
        client.sendall(b"nobody reads this" * 100)

        def answer(
            incoming: Any = incoming, request: Any = request, patient: bool = patient
        ) -> None:
            request.sendall(_LONG)
            incoming.close(patient=patient)

        closing = Aside(answer)
        with promised("close() must let the client read the whole reply, though it sent more"):
            found = _read_to_the_end(client)
        require(
            found == _LONG,
            f"close() must let the client read all {len(_LONG)} bytes of the "
            f"reply, it read {len(found)}",
        )
        client.close()
        closing.result("close() must return when the client has left", room.patience)


def _is_cut(room: Room) -> None:
    client, incoming, request = room.served()
    _read(request, room.patience)
    reader = Aside(lambda: request.recv(1))
    incoming.cut()
    with contextlib.suppress(OSError):
        ended = reader.result("cut() must end a read that waits", room.patience)
        require(ended == b"", f"cut() must end a read, it returned {ended!r}")
    incoming.close(patient=False)
    with contextlib.suppress(OSError):
        require(client.recv(1) == b"", "the client must see the end after cut() and close()")


def _obeys(
    name: str, act: Callable[[Any], object], *, reads: bool = False
) -> Callable[[Room], None]:
    """Make the question whether one of the deadlines is obeyed."""

    def question(room: Room) -> None:
        client = room.come(silent=name == "first_data")
        incoming = room.take()
        request, _ = room.shake(incoming, **{name: _SOON})
        caught: list[BaseException] = []

        def try_it() -> None:
            try:
                if reads:  # within the same block: on a busy machine the time may be over by now
                    _read(request, room.patience)
                act(request)
            except DeadlineError as error:
                caught.append(error)

        contract = f"Timeouts.{name} must be obeyed: DeadlineError from a blocked read or write"
        with promised(contract):
            in_time(try_it, contract, room.patience)
        require(caught, contract)
        for error in (caught[0], None):
            require(
                incoming.outcome_of(error) is Outcome.TIMED_OUT,
                f"outcome_of({error!r}) must be TIMED_OUT after {name} was exceeded",
            )
        client.close()

    question.__name__ = f"obeys_{name}"
    return question


def _tells_who_has_left(room: Room) -> None:
    client, incoming, request = room.served()
    request.sendall(b"unread")
    vanish(client)

    def write_until_told() -> BaseException | None:
        for _ in range(_FLOOD):
            try:
                request.recv(1)
                request.sendall(_LONG)
            except ConnectionError as error:
                return error
        return None

    contract = "reads and writes must raise ConnectionError once the client is gone"
    with promised(contract):
        error = in_time(write_until_told, contract, room.patience)
    require(error, contract)
    require(
        incoming.outcome_of(error) is Outcome.CLIENT_LEFT,
        f"outcome_of({error!r}) must be CLIENT_LEFT when the client is gone",
    )


def _refuses_plainly(room: Room) -> None:
    for how, expected in ((Close(), b""), (Reply(b"busy\n"), b"busy\n"), (Reset(), b"")):
        client = room.come()
        room.take().refuse(how)
        found = b""
        # A reset may come instead of the end, and even in its place: more was sent than read.
        with contextlib.suppress(ConnectionError):
            found = _read_to_the_end(client)
        if isinstance(how, Reply):
            require(found == expected, f"refuse({how}) must send the reply, client read {found!r}")
        require(found in (b"", expected), f"refuse({how}) must send nothing else, sent {found!r}")


def _refuses_the_slow(room: Room) -> None:
    room.come()
    incoming = room.take()
    with promised("refuse() must not raise"):
        in_time(
            lambda: incoming.refuse(Reply(_HUGE)),
            "refuse() must never wait for a client that does not read",
            room.patience,
        )


def _keeps_the_taken_and_refuses_the_new(room: Room) -> None:
    client, _, request = room.served()
    room.listener.retire()
    with promised("requests that were taken must go on after retire()"):
        request.sendall(b"still here")
        require(client.recv(100) == b"still here", "requests must go on after retire()")
    try:
        room.come(silent=True)
    except AssertionError:
        return
    raise AssertionError("retire() must close the port: a new client could still connect")


STREAM_QUESTIONS: Final = (
    _carries_bytes,
    _tells_half_closes_apart,
    _closes_politely,
    _is_cut,
    _obeys("first_data", lambda request: request.recv(1)),
    _obeys("idle", lambda request: request.recv(1), reads=True),
    _obeys("write", lambda request: request.sendall(_HUGE), reads=True),
    # Each read gets a byte or more, so one of them must wait.
    _obeys("connection", lambda request: [request.recv(100) for _ in range(len(HELLO) + 1)]),
    _tells_who_has_left,
    _refuses_plainly,
    _refuses_the_slow,
    _keeps_the_taken_and_refuses_the_new,
)
