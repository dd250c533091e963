"""That nothing of a connection is kept once it has ended."""

import gc
import socket
import weakref
from collections.abc import Callable, Iterator

import pytest

from acceptor import Closed, lines
from acceptor.core.baton import _has_gil
from tests.framed.held_kit import EVERY, ask, framed, held, read_line, reset, upper
from tests.support import Recorder, connect, serving, wait_until


class Session:
    """Something of which a reference can be kept that does not hold it."""


@pytest.fixture(autouse=True)
def _no_collections() -> Iterator[None]:
    gc.disable()  # a connection that is in a circle stays for long
    yield
    gc.enable()


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("sent", [b"", b"hello\n", b"hel", b"longer than it may be"])
@pytest.mark.parametrize("leave", [reset, socket.socket.close])
def test_session_goes_with_its_connection(
    strategy: str, sent: bytes, leave: Callable[[socket.socket], None]
) -> None:
    sessions: list[weakref.ref[Session]] = []

    def new_session() -> Session:
        made = Session()
        sessions.append(weakref.ref(made))
        return made

    recorder = Recorder()
    stage = framed(strategy, lines(max_length=10), session=new_session)
    with serving(stage.handler(upper).observe(recorder)) as server, held(server) as other:
        client = connect(server.address)
        client.sendall(sent)
        if sent.endswith(b"\n"):
            assert read_line(client) == b"HELLO"

        leave(client)

        recorder.wait_for(Closed)

        def is_gone() -> bool:
            assert ask(other, b"x") == b"X"  # whom a thread has dealt with last, it still knows
            if not _has_gil():  # what other threads have let go of, its own does when it runs next
                gc.collect()
            return sessions[1]() is None

        wait_until(is_gone)
