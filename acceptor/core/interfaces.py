"""The contracts between the parts. This file depends on no part; every part depends on it."""

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Collection, Generator, Hashable, Iterable
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from acceptor.core.deadlines import Timeouts
from acceptor.core.events import Outcome
from acceptor.core.limits import Refusal

RequestT_co = TypeVar("RequestT_co", covariant=True)
PeerT_co = TypeVar("PeerT_co", covariant=True)
PeerT_contra = TypeVar("PeerT_contra", contravariant=True)
RequestT_contra = TypeVar("RequestT_contra", contravariant=True)


class Traffic(Protocol):
    """Two counts of bytes: received, sent. Other threads look at it, and the parent process."""

    @abstractmethod
    def __getitem__(self, index: Literal[0, 1], /) -> int: ...

    @abstractmethod
    def __setitem__(self, index: Literal[0, 1], count: int, /) -> None: ...


class Incoming(Protocol[RequestT_co, PeerT_co]):
    """One accepted client, from accept to close. Owned by the job it is handed to.

    Accepting is cheap and never waits for the client; whatever must read from it (TLS, the PROXY
    protocol) belongs into `handshake`, which the worker calls.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def peer(self) -> PeerT_co:
        """Who is on the other side."""

    @abstractmethod
    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> RequestT_co:
        """Make what the handler is given; it obeys the timeouts and counts its bytes.

        Called once, in the worker.

        Raises:
            Exception: The client did not get through within `timeouts.handshake`; it is closed.
        """

    @abstractmethod
    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return how the request ended if that was the client's doing; None if it was not.

        `error` is what the handler raised, or None if it has returned: it may have caught what
        the client caused.
        """

    @abstractmethod
    def close(self, *, patient: bool) -> None:
        """End the connection so that the client can read all of the last reply; may be repeated.

        `patient` allows waiting (bounded in seconds and bytes) for the client to end its side;
        otherwise only what is already here is read.
        """

    @abstractmethod
    def cut(self) -> None:
        """Make whatever another thread is doing with this client end now; callable at any time."""

    @abstractmethod
    def release(self) -> None:
        """Let go of this process's copy silently; another process goes on with the client."""

    @abstractmethod
    def refuse(self, how: Refusal) -> None:
        """Turn the client away, without ever waiting for it; instead of all of the above."""


@runtime_checkable
class HearsEnd(Protocol):
    """An `Incoming` that wants to know how its request has ended."""

    __slots__ = ()

    @abstractmethod
    def tell(self, outcome: Outcome, /) -> None:
        """Hear it; called once, in the server's process."""


class Listener(Protocol[RequestT_co, PeerT_co]):
    """An open, bound socket that yields requests.

    Owned by whoever called `Transport.listen`; used by one thread at a time.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def address(self) -> PeerT_co:
        """What it is bound to, with the port that the kernel chose."""

    @abstractmethod
    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a client waits; -1 once closed."""

    @abstractmethod
    def accept(self) -> Incoming[RequestT_co, PeerT_co] | None:
        """Take the next client, without waiting; None if there is none or it has left already.

        Raises:
            OSError: The machine or the listener is at fault, not the client.
        """

    @abstractmethod
    def retire(self) -> int | None:
        """Close the port to new clients; running requests go on. May be repeated.

        Where running requests need the same socket to answer (datagrams), the port stays bound
        until `close`. Returns how many clients still waited, None if that is not known.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, the socket's file included where it is ours. May be repeated."""

    @abstractmethod
    def release(self) -> None:
        """Drop this process's copy of the port after a fork, unless requests answer through it."""


class Immediate(Incoming[RequestT_co, PeerT_co], Protocol[RequestT_co, PeerT_co]):
    """An `Incoming` that is itself what the handler is given.

    It needs no handshake, there is nothing to close or to cut, and no error is its sender's doing.
    """

    __slots__ = ()

    @abstractmethod
    def count(self) -> Traffic:
        """Return the count of its bytes, for others to look at."""


@runtime_checkable
class ImmediateListener(Protocol[RequestT_co, PeerT_co]):
    """What a listener is besides whose requests can be served as they come: datagrams."""

    __slots__ = ()

    @property
    @abstractmethod
    def accept_immediate(self) -> Callable[[], Immediate[RequestT_co, PeerT_co] | None]:
        """What does as `Listener.accept`, for a handler that is called at once."""


@runtime_checkable
class Queue(Protocol):
    """What a listener may tell besides, where its system tells it: of the clients that wait."""

    __slots__ = ()

    @property
    @abstractmethod
    def shares_port(self) -> bool:
        """Whether others are bound to it as well, each with a queue of its own."""

    @abstractmethod
    def waiting(self) -> int | None:
        """Return how many clients wait to be accepted; None if that is not known."""

    def close_if_empty(self) -> bool:
        """Say whether nobody waits or is about to, and `retire` may follow; else it is asked again.

        A listener that can lose clients in between closes its port here and now.
        """
        return not self.waiting()


@runtime_checkable
class Lendable(Protocol):
    """What a listener may say besides: whether it can be lent to the workers."""

    __slots__ = ()

    @property
    @abstractmethod
    def is_lendable(self) -> bool:
        """Whether any thread may accept, one at a time; and what it takes is a whole request."""


@runtime_checkable
class HandsOnLimits(Protocol):
    """What a listener may do besides: have clients come with a limit, as options are inherited."""

    __slots__ = ()

    @abstractmethod
    def hand_on(self, timeouts: Timeouts, /) -> None:
        """Set what these demand of most reads on the port, for the system to hand on."""


class Transport(Protocol[RequestT_co, PeerT_co]):
    """Where clients come from: a recipe for a listener."""

    __slots__ = ()

    @abstractmethod
    def listen(self) -> Listener[RequestT_co, PeerT_co]:
        """Bind and listen; the caller closes the listener.

        Raises:
            OSError: The address is in use, denied or unknown here.
        """


class Job(Protocol):
    """One accepted request on its way through handler and close; what a dispatcher runs.

    A dispatcher calls `run` in its worker. One whose workers are other processes calls `serve`
    there, and here `release` at once and `end` when it knows the outcome; before, it may have
    the bytes counted in memory that both processes see.
    """

    __slots__ = ()

    @abstractmethod
    def run(self, *, patient: bool) -> None:
        """Serve and end. `patient` as in `Incoming.close`: whether waiting harms nobody else.

        Raises:
            KeyboardInterrupt: It arrived in the main thread; the request has ended all the same.
        """

    @abstractmethod
    def serve(self, *, patient: bool) -> Outcome:
        """Run handshake, handler and close; whatever they raise is the outcome."""

    @abstractmethod
    def end(self, outcome: Outcome) -> None:
        """Tell how it ended and give the slot back; exactly once.

        If it was cut, or its time was over, before it came to this, then it ended by that.
        """

    @abstractmethod
    def cut(self) -> None:
        """Shut the client's connection from outside, so that the handler comes to an end."""

    @abstractmethod
    def release(self, worker: int) -> None:
        """Let go of this process's copy of the client; the child with this pid serves it."""

    def drop(self) -> None:
        """Close the client's connection and end; for a job that was cut before it had a worker."""
        self.cut()
        self.end(Outcome.CUT)

    @abstractmethod
    def count_into(self, traffic: Traffic, /) -> None:
        """Keep the count of its bytes there from now on."""


class Workplace(Protocol):
    """What the accept loop offers its dispatcher. Only for the accept thread."""

    __slots__ = ()

    @abstractmethod
    def watch(self, fd: int, on_readable: Callable[[], object]) -> None:
        """Call back from the accept thread when the descriptor becomes readable."""

    @abstractmethod
    def unwatch(self, fd: int) -> None:
        """End a watch; before the descriptor is closed."""

    @abstractmethod
    def recheck(self, callback: Callable[[], object]) -> None:
        """Call back once from the accept thread, in a tenth of a second or earlier."""

    @abstractmethod
    def leave(self) -> None:
        """In a forked child: drop the port."""


class Dispatcher(Protocol):
    """The running thing that runs jobs."""

    __slots__ = ()

    @abstractmethod
    def submit(self, job: Job, /) -> None:
        """Take a job over and see that it runs.

        Raises:
            ResourceError: The machine gives no worker now; the job stays the caller's.
        """

    @abstractmethod
    def cut(self, jobs: Collection[Job], timeout: float) -> None:
        """Make these jobs end now, however hard; may wait, up to `timeout` seconds.

        How they end is settled before. May be called from any thread.
        """

    @abstractmethod
    def close(self) -> None:
        """Let idle workers go. No job runs any more, or those that do are beyond reach."""


@runtime_checkable
class Borrower(Protocol):
    """A dispatcher whose workers can take clients by themselves, without a hand-over."""

    __slots__ = ()

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many there are; each takes a client only when it has nothing else to do."""

    @abstractmethod
    def lend(
        self, port: int, take: Callable[[], Job | None], hand_back: Callable[[], object], /
    ) -> None:
        """Have idle workers wait at this descriptor from now on, and call `take` for a job.

        It returns None if no client is there, or no more may be taken. `submit` works as before.
        `hand_back` tells that nobody can wait there any more; any worker may call it.

        Raises:
            ResourceError: The machine gives not all workers now; nothing is lent.
        """

    @abstractmethod
    def give_back(self) -> None:
        """Have nobody wait there any more; may be repeated. A `take` may still be under way."""


class Concurrency(Protocol):
    """How jobs are run: a recipe for a dispatcher."""

    __slots__ = ()

    @property
    @abstractmethod
    def limit(self) -> int:
        """How many jobs may run at a time; further clients wait in the backlog."""

    @abstractmethod
    def start(self, workplace: Workplace, /) -> Dispatcher:
        """Make the dispatcher for one server."""


class RelayWork(Protocol):
    """What a crew of threads does: pieces of work, and how to wait for them."""

    __slots__ = ()

    @abstractmethod
    def wait(self) -> Iterable[tuple[Hashable, Any]]:
        """Wait until there is something to do, or `wake` is called; return the pieces.

        Each begins with whose it is: what took long once is then expected to do so again, and the
        last free thread puts it off. None is nobody's, and is done at once: the work itself sees
        to it that there are no more pieces than threads. A newer piece of the same owner says all
        that an older one has said.
        """

    @abstractmethod
    def is_in_work(self, piece: Any, /) -> bool:
        """Say whether a thread is at work for its owner already, and will see to this one, too."""

    @abstractmethod
    def wake(self) -> None:
        """End the current or the next `wait`; from any thread."""

    @abstractmethod
    def do(self, piece: Any, me: int, /) -> None:
        """Do one piece, in the thread with the identity `me`."""

    @abstractmethod
    def miss_thread(self) -> None:
        """See that the crew's `reinforce` is called after a while; from any thread."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is waited with; nobody waits any more."""


class Relay(Protocol):
    """Threads that share one wait for everything there is to do."""

    __slots__ = ()

    @abstractmethod
    def start(self) -> None:
        """Start the first threads.

        Raises:
            ResourceError: The machine gives no more threads.
        """

    @abstractmethod
    def add(self, pieces: Iterable[Any], /) -> None:
        """Have these pieces of work done, too; from any thread."""

    @abstractmethod
    def reinforce(self) -> None:
        """Ask the machine once more for a thread that it has refused, if one is still missing."""

    @abstractmethod
    def close(self) -> None:
        """Send all threads home, each as soon as it is at rest; the last one closes the work."""


@runtime_checkable
class HasRelay(Protocol):
    """A concurrency strategy whose threads can share one wait."""

    @abstractmethod
    def relay(self, work: RelayWork, /) -> Relay:
        """Make a crew for one server, not started yet."""


class Intake(Protocol[RequestT_contra, PeerT_contra]):
    """What stands behind a port: who may come in, and who serves it. Only for the accept thread."""

    __slots__ = ()

    holds_one: bool
    """Whether a client that was taken still waits for a worker."""
    is_full: bool
    """Whether a spell goes on that began with `note_full`."""

    @abstractmethod
    def has_room(self) -> bool:
        """Say whether one more client may be taken now."""

    @abstractmethod
    def expect_room(self) -> bool:
        """Say whether one more may be taken; if not, whatever changes that ends the wait."""

    @abstractmethod
    def has_slot(self) -> bool:
        """Say whether one more client may be served now; more may be taken, to turn them away."""

    @abstractmethod
    def note_full(self) -> None:
        """Begin a spell without room, unless one goes on."""

    @abstractmethod
    def note_room(self) -> float:
        """End the spell if there has been room for a while; return the seconds still to go."""

    @abstractmethod
    def cut_overdue(self) -> float | None:
        """Cut whose time is over; return the seconds until the next one's is, None if never."""

    @contextlib.contextmanager
    def one_by_one(self) -> Generator[Callable[[int], bool], None, None]:
        """Give what says, by how many clients were taken, whether one request was served."""
        yield bool

    @abstractmethod
    def take(self, incoming: Incoming[RequestT_contra, PeerT_contra], /) -> None:
        """Let a client in, or refuse it; it is the intake's from here on.

        Raises:
            ResourceError: There is no worker for it now; it is held.
        """

    @abstractmethod
    def take_held(self) -> None:
        """Try once more with the client that is held.

        Raises:
            ResourceError: There is still no worker for it.
        """

    @abstractmethod
    def close(self) -> None:
        """Let the workers go."""


class LoopOrders(Protocol):
    """What the accept loop looks at between two steps; may change at any time."""

    @property
    @abstractmethod
    def ending(self) -> bool:
        """Whether the loop is to be left; the port stays open."""

    @property
    @abstractmethod
    def emptying(self) -> bool:
        """Whether the loop is to be left as soon as no client waits any more."""

    @property
    @abstractmethod
    def paused(self) -> bool:
        """Whether no client is to be taken for now."""


@runtime_checkable
class AccessPolicy(Protocol[PeerT_contra]):
    """Allows or denies a client by what is known of its peer."""

    __slots__ = ()

    @abstractmethod
    def allows(self, peer: PeerT_contra, /) -> bool:
        """Say whether the peer may come in. Runs in the accept thread, so it must not wait.

        Raises:
            Exception: The policy failed; the peer is denied and the error logged.
        """


Leave: TypeAlias = Callable[[Outcome], object]
"""What a policy wants to have called once when a client that it let in has gone; from any thread.

The outcome is DENIED if a later policy denied the client.
"""


@runtime_checkable
class RememberingPolicy(AccessPolicy[PeerT_contra], Protocol[PeerT_contra]):
    """A policy that must hear what became of whom it has let in."""

    __slots__ = ()

    @abstractmethod
    def enter(self, peer: PeerT_contra, /) -> Leave | None:
        """Let the peer in and return what is to be called in the end; None denies.

        Called in the place of `allows`, which only tells what it would say now.
        """


class RequestHandler:
    """What a handler may return to have its life run: `setup`, `handle`, `finish`.

    A plain base class and not a protocol: what a handler function returns by chance is not run,
    and the look at it costs each request nothing.
    """

    __slots__ = ()

    def setup(self) -> None:
        """Prepare; if it raises, neither `handle` nor `finish` is called. Does nothing here."""

    def handle(self) -> None:
        """Serve the request. Does nothing here."""

    def finish(self) -> None:
        """Tidy up; runs whenever `setup` has succeeded. Does nothing here."""
