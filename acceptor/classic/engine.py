"""The classic hooks as the core's contracts: one class for each contract.

| classic hook | contract | here |
|---|---|---|
| `get_request`, `fileno` | `Listener.accept`, `Listener.fileno` | `HookListener` |
| `shutdown_request`, `close_request` | `Incoming.close`, `Incoming.release` | `HookIncoming` |
| `verify_request`, `process_request` | `Intake.take` | `HookIntake` |
| `ForkingMixIn.process_request` | `Dispatcher.submit` | `classic_forks`, in `forks` |
| `finish_request`, in a child | `Job.serve` | `HookJob`, in `forks` |
| `serve_forever`, `shutdown` | `AcceptLoop`, `Waiter.wake` | `HookWorkplace`, in `loops` |

None of these objects outlives the call that needs it, or knows the server while the server knows
it: programs count on the socket being closed when the last reference to their server goes.
"""

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from acceptor.core.accept_loop import OUT_OF_RESOURCES
from acceptor.core.deadlines import Timeouts
from acceptor.core.events import Outcome
from acceptor.core.interfaces import Incoming, Intake, Listener, Traffic
from acceptor.core.limits import Refusal


class Hooks(Protocol):
    """What is called on a server, and always looked up on it: any of these may be overridden."""

    server_address: Any

    def fileno(self) -> int: ...
    def get_request(self) -> tuple[Any, Any]: ...
    def verify_request(self, request: Any, client_address: Any, /) -> bool: ...
    def process_request(self, request: Any, client_address: Any, /) -> None: ...
    def finish_request(self, request: Any, client_address: Any, /) -> None: ...
    def handle_error(self, request: Any, client_address: Any, /) -> None: ...
    def shutdown_request(self, request: Any, /) -> None: ...
    def close_request(self, request: Any, /) -> None: ...


@attrs.define(eq=False)
class HookIncoming(Incoming[Any, Any]):
    """The pair that `get_request` returned."""

    _server: Hooks
    request: Any
    peer: Any  # pyright: ignore[reportIncompatibleMethodOverride]

    def handshake(self, timeouts: Timeouts, traffic: Traffic) -> Any:
        """Return the request; whoever wraps it in TLS does so in `get_request`."""
        return self.request

    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        """Return None: the classic rule is `handle_error` for every error."""
        return None

    def close(self, *, patient: bool) -> None:
        """Call `shutdown_request`."""
        self._server.shutdown_request(self.request)

    def cut(self) -> None:
        """Do nothing: a classic server has no way to end a request from outside."""

    def release(self) -> None:
        """Call `close_request`."""
        self._server.close_request(self.request)

    def refuse(self, how: Refusal) -> None:
        """Call `shutdown_request`, the classic way."""
        self._server.shutdown_request(self.request)


@attrs.define(eq=False)
class HookListener(Listener[Any, Any]):
    """Accepts by calling `get_request`; the socket is the server's, and so is its end."""

    _server: Hooks

    @property
    def address(self) -> Any:
        """The server's address, as it stands now."""
        return self._server.server_address

    def fileno(self) -> int:
        """Return what the server's `fileno` says now; -1 if it has nothing (any more)."""
        try:
            return self._server.fileno()
        except (AttributeError, ValueError, OSError):
            return -1

    def accept(self) -> HookIncoming | None:
        """Call `get_request`; None if it raised an `OSError`, whatever that means.

        Raises:
            OSError: The machine is out of descriptors or memory.
        """
        try:
            request, client_address = self._server.get_request()
        except OSError as error:
            if error.errno in OUT_OF_RESOURCES:
                raise
            return None
        return HookIncoming(self._server, request, client_address)

    def retire(self) -> int | None:
        """Do nothing: only `server_close` closes the port."""
        return None

    def close(self) -> None:
        """Do nothing: the program closes its server."""

    def release(self) -> None:
        """Do nothing: a classic child keeps what its parent has."""


@attrs.define(eq=False)
class HookIntake(Intake[Any, Any]):
    """Calls `verify_request`, and `process_request` for whom that lets in."""

    _server: Hooks
    _has_room: Callable[[], bool] | None
    is_full: bool = False  # nobody has asked
    holds_one: bool = False  # never: `process_request` takes each, or fails

    def has_room(self) -> bool:
        """Say whether `max_children` allows one more."""
        return self._has_room is None or self._has_room()

    def has_slot(self) -> bool:
        """Say whether `max_children` allows one more."""
        return self.has_room()

    def note_full(self) -> None:
        """Do nothing: nobody has asked."""

    def note_room(self) -> float:
        """Do nothing: nobody has asked."""
        return 0.0

    def cut_overdue(self) -> float | None:
        """Return None: a classic request may last for ever."""
        return None

    expect_room = has_room  # a child that ends wakes the loop by its descriptor

    def take(self, incoming: Any, /) -> None:
        """Run the hooks of one request, in the classic order in every case of error."""
        server, request, client_address = self._server, incoming.request, incoming.peer
        if not server.verify_request(request, client_address):
            incoming.close(patient=False)
            return
        try:
            server.process_request(request, client_address)
        except Exception:
            server.handle_error(request, client_address)
            incoming.close(patient=False)
        except BaseException:
            incoming.close(patient=False)
            raise

    def take_held(self) -> None:
        """Do nothing: none is held."""

    def close(self) -> None:
        """Do nothing: `server_close` waits for what runs."""


def take_one(server: Hooks) -> None:
    """Run the hooks of one request for a loop that is not ours."""
    try:
        incoming = HookListener(server).accept()
    except OSError:  # out of descriptors; when to try again is the other loop's matter
        return
    if incoming is not None:
        HookIntake(server, None).take(incoming)
