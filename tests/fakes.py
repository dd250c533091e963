"""Small stand-ins for the parts, and handlers that a test can hold on to."""

import socket
import threading
from collections.abc import Callable, Collection, Iterable
from typing import Any, Self

import attrs

from acceptor import (
    Concurrency,
    Dispatcher,
    Incoming,
    Job,
    Listener,
    NeedsHandler,
    Outcome,
    Phase,
    Refusal,
    Server,
    ServerBuilder,
    Timeouts,
    Traffic,
    Transport,
    Workplace,
)
from acceptor.core.peers import InetPeer, IPv4Peer
from tests.support import PATIENCE, connect, wait_until

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


@attrs.define(eq=False)
class FakeIncoming(Incoming[str, IPv4Peer]):
    """A client that never was; writes down what is done to it."""

    request: str = "request"
    peer: IPv4Peer = PEER
    history: list[str] = attrs.field(factory=list)

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> str:
        return self.request

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        return None

    def close(self, *, patient: bool) -> None:
        self.history.append("closed")

    def cut(self) -> None:
        self.history.append("cut")

    def release(self) -> None:
        self.history.append("released")

    def refuse(self, how: Refusal) -> None:
        self.history.append("released")


Step = FakeIncoming | Exception | None


@attrs.define(eq=False)
class ScriptedListener(Listener[str, IPv4Peer]):
    """Yields or raises what it was told to, one step for each `accept`; then nothing more."""

    _steps: list[Step]
    address: IPv4Peer = PEER
    accepts: int = attrs.field(default=0, init=False)
    history: list[str] = attrs.field(factory=list, init=False)
    # Readable as long as there are steps.
    _ends: tuple[socket.socket, socket.socket] = attrs.field(
        factory=socket.socketpair, init=False, repr=False
    )

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Self:
        """Make one with these steps."""
        listener = cls(list(steps))
        if listener._steps:
            listener._ends[1].send(b"!")
        return listener

    def add(self, *steps: Step) -> None:
        """Have more happen."""
        self._steps.extend(steps)
        self._ends[1].send(b"!")

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def accept(self) -> FakeIncoming | None:
        self.accepts += 1
        if not self._steps:
            return None
        step = self._steps.pop(0)
        if not self._steps:
            self._ends[0].recv(100)
        if isinstance(step, Exception):
            raise step
        return step

    def retire(self) -> None:
        self.history.append("retired")

    def close(self) -> None:
        self.history.append("closed")
        for end in self._ends:
            end.close()

    def release(self) -> None:
        self._ends[0].close()


@attrs.frozen
class ScriptedTransport(Transport[str, IPv4Peer]):
    """Opens the one listener it was given."""

    listener: ScriptedListener

    def listen(self) -> ScriptedListener:
        return self.listener


def scripted(*steps: Step) -> tuple[ScriptedListener, NeedsHandler[str, IPv4Peer]]:
    """Return a listener with these steps, and the beginning of a server on it."""
    listener = ScriptedListener.of(steps)
    return listener, ServerBuilder().transport(ScriptedTransport(listener))


@attrs.define(eq=False)
class FakeDispatcher(Concurrency, Dispatcher):
    """Keeps the jobs it is given; raises instead what it was told to, one error for each."""

    limit: int = 10
    errors: list[Exception] = attrs.field(factory=list)
    jobs: list[Job] = attrs.field(factory=list)
    history: list[str] = attrs.field(factory=list)

    def start(self, workplace: Workplace, /) -> Dispatcher:
        return self

    def submit(self, job: Job, /) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.jobs.append(job)

    def end_all(self) -> None:
        """Run all jobs now, in the calling thread."""
        while self.jobs:
            self.jobs.pop(0).run(patient=False)

    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        self.history.append("cut")
        for job in jobs:
            job.cut()

    def close(self) -> None:
        self.history.append("closed")


def in_phase(server: Server[Any, Any], phase: Phase) -> bool:
    """Say whether the server is there; unlike a comparison, checkers do not remember it."""
    return server.phase is phase
