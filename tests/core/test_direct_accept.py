"""The direct path's accept: what is waited for, what is never done meanwhile, and its faults."""

import errno
import os
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor import Phase, Server, ServerBuilder
from acceptor.core.interfaces import Immediate, ImmediateListener, Traffic
from acceptor.testing import FakeIncoming, ScriptedListener, ScriptedTransport
from tests.fakes import Call, in_phase
from tests.support import PATIENCE, serving, wait_until


@attrs.define(eq=False)
class AtOnce(FakeIncoming, Immediate[Any, Any]):
    """A request that never was, and is complete as it comes."""

    def count(self) -> Traffic:
        return [0, 0]


@attrs.define(eq=False)
class DirectListener(ScriptedListener, ImmediateListener[Any, Any]):
    """Yields such requests; calls back while it accepts."""

    during: Callable[[], object] = attrs.field(default=lambda: None, init=False)

    @property
    def accept_immediate(self) -> Callable[[], Any]:
        def accept() -> Any:
            self.during()
            return self.accept()

        return accept


class Barrier:
    """Holds up the first who comes by."""

    def __init__(self) -> None:
        self.reached, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.may_go_on.wait(PATIENCE)


def server_of(listener: DirectListener, *seen: list[Any]) -> Any:
    """Begin a server whose requests go direct."""

    def note(request: object, client_address: object, server: Server[Any, Any]) -> None:
        for one in seen:
            one.append(request)

    return ServerBuilder().transport(ScriptedTransport(listener)).sync().handler(note)


def test_pause_returns_when_no_accept_is_under_way() -> None:
    listener, barrier = DirectListener.of([AtOnce()]), Barrier()
    listener.during = barrier
    with serving(server_of(listener)) as server:
        assert barrier.reached.wait(PATIENCE)

        pause = Call(server.pause)
        wait_until(lambda: in_phase(server, Phase.PAUSED))
        paused_early = pause.has_ended
        barrier.may_go_on.set()
        pause.result()

        assert not paused_early
        wait_until(lambda: server.stats.finished == 1)
        accepts = listener.accepts
        listener.add(AtOnce())
        server._opened("look").waiter.wake()
        assert (listener.accepts, server.stats.accepted) == (accepts, 1)


def test_paused_server_takes_none_though_its_loop_was_on_the_way() -> None:
    server = server_of(DirectListener.of([AtOnce(), AtOnce()])).build().listen()
    loop = server._opened("look")
    server._report.look_who_listens()
    server._orders.paused = True

    assert loop.direct.is_open
    assert loop.take_up_to(64) == 0
    server._orders.paused = False
    assert loop.take_up_to(1) == 1
    accepts = server.listener.accepts
    server.stop()
    assert loop.take_up_to(64) == 0
    assert server.listener.accepts == accepts


def test_port_is_not_closed_while_an_accept_is_under_way() -> None:
    listener, barrier = DirectListener.of([AtOnce()]), Barrier()
    listener.during = barrier
    with serving(server_of(listener)) as server:
        assert barrier.reached.wait(PATIENCE)
        loop = server._opened("look")

        retire = Call(loop.retire)
        wait_until(lambda: loop._retired)
        retired_early = "retired" in listener.history
        barrier.may_go_on.set()
        retire.result()

        assert not retired_early
        assert listener.history == ["retired"]


def test_signal_handler_may_look_while_its_own_thread_accepts() -> None:
    seen: list[Any] = []
    listener = DirectListener.of([AtOnce("first"), AtOnce("second")])
    with serving(server_of(listener, seen)) as server:
        wait_until(lambda: len(seen) == 2)
        looks: list[Any] = []
        listener.during = lambda: looks.append((server.stats.accepted, server.connections()))

        listener.add(AtOnce("third"))

        wait_until(lambda: server.stats.finished == 3)
    assert [one.request for one in seen] == ["first", "second", "third"]
    assert looks[0] == (2, [])


def test_machine_without_memory_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    listener = DirectListener.of([OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), AtOnce()])
    with serving(server_of(listener)) as server:
        wait_until(lambda: server.stats.finished == 1)

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert caplog.messages[0].startswith("accepting is paused, next attempt in 0.1 s")


def test_broken_listener_stops_the_server_with_the_cause() -> None:
    broken = OSError(errno.EBADF, os.strerror(errno.EBADF))
    server = server_of(DirectListener.of([AtOnce(), broken])).build()

    with pytest.raises(OSError, match="descriptor") as raised:
        server.serve_forever()

    assert raised.value is broken
    assert in_phase(server, Phase.CLOSED)
    assert server.stats.finished == 1
