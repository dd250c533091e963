"""Small stand-ins for the parts, and handlers that a test can hold on to."""

import socket
import threading
from collections.abc import Callable
from typing import Any

import attrs

from acceptor import NeedsHandler, Phase, Server, ServerBuilder
from acceptor.core.peers import InetPeer, IPv4Peer
from acceptor.testing import (
    FakeDispatcher,
    FakeIncoming,
    ScriptedListener,
    ScriptedTransport,
    Step,
)
from tests.support import PATIENCE, connect, wait_until

__all__ = ["FakeDispatcher", "FakeIncoming", "ScriptedListener", "ScriptedTransport", "Step"]

PEER = IPv4Peer("192.0.2.1", 4000)


def tcp() -> NeedsHandler[socket.socket, InetPeer]:
    """Begin a server on a free port of the loopback interface."""
    return ServerBuilder().tcp(("127.0.0.1", 0))


def greet(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    """Say hello and be done."""
    request.sendall(b"hello")


def hold(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    """Say that the handler runs, and run until the client sends a byte or leaves."""
    request.sendall(b"!")
    request.sendall(request.recv(1) or b".")


def held(address: Any) -> socket.socket:
    """Connect to a server whose handler is `hold`, and wait until it runs."""
    client = connect(address)
    assert client.recv(1) == b"!"
    return client


def let_go(client: socket.socket) -> bytes:
    """Have `hold` end; return its answer.

    The half-close reaches the server even where a forked child holds a copy of our socket.
    """
    with client:
        client.sendall(b"?")
        client.shutdown(socket.SHUT_WR)
        return client.recv(1)


def refuses(address: Any) -> bool:
    """Say whether the port is closed: no call of ours tells, but the system does."""
    try:
        connect(address).close()
    except ConnectionRefusedError:
        return True
    except ConnectionError:  # closed while we came in
        pass
    return False


def attempt(call: Callable[[], object]) -> object:
    """Return what a call returns, or what it raises."""
    try:
        return call()
    except Exception as error:
        return error


@attrs.define(eq=False)
class Call:
    """A call in a thread of its own; `result` waits for what it returned or raised."""

    _call: Callable[[], object]
    _result: object = attrs.field(default=None, init=False)
    _thread: threading.Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._result = attempt(self._call)

    @property
    def has_ended(self) -> bool:
        """Whether the call has returned or raised."""
        return not self._thread.is_alive()

    def result(self) -> Any:
        """Wait for the end of the call."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the call does not return"
        return self._result


def drain_meanwhile(server: Server[Any, Any], timeout: float | None = None) -> Call:
    """Begin a drain in another thread; return once the port is closed."""
    call = Call(lambda: server.drain(timeout))
    wait_until(lambda: server.fileno() == -1)
    # Python forgets the number a moment before the system closes it.
    wait_until(lambda: refuses(server.address))
    return call


def scripted(*steps: Step) -> tuple[ScriptedListener, NeedsHandler[str, IPv4Peer]]:
    """Return a listener with these steps, and the beginning of a server on it."""
    listener = ScriptedListener.of(steps)
    return listener, ServerBuilder().transport(ScriptedTransport(listener))


def in_phase(server: Server[Any, Any], phase: Phase) -> bool:
    """Say whether the server is there; unlike a comparison, checkers do not remember it."""
    return server.phase is phase
