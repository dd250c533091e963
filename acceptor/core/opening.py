"""From a recipe to a loop that is ready to serve."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from acceptor.core.accept_loop import AcceptLoop, Backoff, Orders
from acceptor.core.admission import Admission
from acceptor.core.budget import check_descriptors
from acceptor.core.datagram import Datagram
from acceptor.core.direct import DirectPath
from acceptor.core.holding import HoldingIntake, HoldingTransport
from acceptor.core.intake import JobIntake, ServingLoop
from acceptor.core.interfaces import (
    Borrower,
    Dispatcher,
    HandsOnLimits,
    ImmediateListener,
    Listener,
)
from acceptor.core.job import Service, live
from acceptor.core.lending import Lending
from acceptor.core.recipe import Recipe
from acceptor.core.reporting import Reporter
from acceptor.core.waiting import Waiter
from acceptor.core.workplace import AcceptThreadWorkplace

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")


def open_loop(
    recipe: Recipe[RequestT, PeerT],
    server: object,
    report: Reporter,
    orders: Orders,
    on_end_asked: Callable[[], object],
) -> ServingLoop[RequestT, PeerT]:
    """Bind and listen, and set up what stands behind the port; the caller closes it.

    Raises:
        ListenError: The endpoint is in use, denied or unknown on this machine.
        DescriptorBudgetError: The limits are strict, and more than the process may open.
    """
    with contextlib.ExitStack() as undo:
        waiter = Waiter(on_end_asked)
        undo.callback(waiter.close)
        held = recipe.transport if isinstance(recipe.transport, HoldingTransport) else None
        admission = _admission(recipe, held, waiter)
        listener = recipe.transport.listen()
        undo.callback(listener.close)
        workplace = AcceptThreadWorkplace(waiter)
        service = Service(
            serving(recipe.handler, server),
            report,
            admission,
            recipe.timeouts,
            recipe.clock,
            recipe.remembers,
            handler=recipe.handler,
            server=server,
        )
        dispatcher: Dispatcher
        intake: JobIntake[RequestT, PeerT]
        direct = None
        if held is None:
            if isinstance(listener, HandsOnLimits):
                listener.hand_on(recipe.timeouts)
            dispatcher = recipe.concurrency.start(workplace)
            intake = JobIntake(admission, dispatcher, recipe.rules, service)
            direct = _direct_path(listener, recipe, service)
        else:
            dispatcher = held.hold(service, waiter, recipe.concurrency, workplace)
            intake = HoldingIntake(
                admission, dispatcher, recipe.rules, service, job_type=held.job_type
            )
        undo.callback(dispatcher.close)
        backoff = Backoff(report, recipe.clock)
        lending = None
        if isinstance(dispatcher, Borrower) and getattr(listener, "is_lendable", False):
            lending = Lending(listener, intake, dispatcher, orders, waiter.wake)
        loop = AcceptLoop(listener, waiter, intake, report, orders, backoff, lending, direct)
        undo.pop_all()  # from here on the loop owns them
        return loop


def _admission(
    recipe: Recipe[Any, Any], held: HoldingTransport | None, waiter: Waiter
) -> Admission:
    limits = recipe.limits
    if held is not None:
        if limits.count_descriptors:  # which may raise what the process may open
            check_descriptors(limits, limits.max_connections or held.most)
        return Admission(max(held.most, limits.max_connections or 0), waiter.wake, limits)
    admission = Admission(recipe.concurrency.limit, waiter.wake, limits)
    needs_descriptors = getattr(recipe.transport, "request_type", None) is not Datagram
    if needs_descriptors and limits.count_descriptors:
        check_descriptors(limits, admission.limit)
    return admission


def _direct_path(
    listener: Listener[RequestT, PeerT],
    recipe: Recipe[RequestT, PeerT],
    service: Service[RequestT, PeerT],
) -> DirectPath[RequestT, PeerT] | None:
    inline = getattr(recipe.concurrency, "runs_inline", False)
    if inline and not recipe.rules and isinstance(listener, ImmediateListener):
        return DirectPath(listener, service)
    return None


def serving(
    handler: Callable[[RequestT, PeerT, Any], object], server: object
) -> Callable[[RequestT, PeerT], None]:
    """Return what calls the handler and, if it returns one of ours, runs its life."""

    # A closure, because one Python function calls another in half the time of a partial.
    def serve(request: RequestT, peer: PeerT) -> None:
        made = handler(request, peer, server)
        if made is not None:
            live(made)

    return serve
