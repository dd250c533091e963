"""The table of moves, and the errors that say what to call instead."""

from collections.abc import Callable
from typing import Any

import pytest

from acceptor import LifecycleError, Phase, Server
from acceptor.core.lifecycle import NEXT, Lifecycle, refusal
from tests.fakes import Call, greet, held, hold, in_phase, let_go, tcp
from tests.support import ask, serving, wait_until

WAY_THERE: dict[Phase, tuple[Phase, ...]] = {
    Phase.NEW: (),
    Phase.LISTENING: (Phase.LISTENING,),
    Phase.SERVING: (Phase.LISTENING, Phase.SERVING),
    Phase.PAUSED: (Phase.LISTENING, Phase.SERVING, Phase.PAUSED),
    Phase.DRAINING: (Phase.DRAINING,),
    Phase.CLOSED: (Phase.DRAINING, Phase.CLOSED),
}

AnyServer = Server[Any, Any]


def lifecycle_in(phase: Phase) -> Lifecycle:
    lifecycle = Lifecycle()
    for step in WAY_THERE[phase]:
        lifecycle.advance(step, "get there")
    return lifecycle


@pytest.mark.parametrize("to", Phase)
@pytest.mark.parametrize("phase", Phase)
def test_lifecycle_makes_the_moves_of_the_table_and_no_other(phase: Phase, to: Phase) -> None:
    lifecycle = lifecycle_in(phase)

    if to in NEXT[phase]:
        assert lifecycle.advance(to, "act") is phase
        assert lifecycle.phase is to
    else:
        with pytest.raises(LifecycleError, match=f"cannot act: the server is {phase.value}; "):
            lifecycle.advance(to, "act")
        assert lifecycle.phase is phase


@pytest.mark.parametrize("to", Phase)
@pytest.mark.parametrize("phase", Phase)
def test_lifecycle_says_whether_it_moved_when_only_trying(phase: Phase, to: Phase) -> None:
    lifecycle = lifecycle_in(phase)

    moved = lifecycle.try_advance(to)

    assert moved is (to in NEXT[phase])
    assert lifecycle.phase is (to if moved else phase)


def test_lifecycle_minds_the_phase_before_when_told_to() -> None:
    lifecycle = lifecycle_in(Phase.LISTENING)

    with pytest.raises(LifecycleError, match="cannot resume: the server is listening"):
        lifecycle.advance(Phase.SERVING, "resume", only_from=Phase.PAUSED)

    assert lifecycle.phase is Phase.LISTENING


@pytest.mark.parametrize("phase", Phase)
def test_refusal_names_a_call_that_helps(phase: Phase) -> None:
    message = str(refusal("act", phase))

    assert message.startswith(f"cannot act: the server is {phase.value}; ")
    assert "()" in message.partition(";")[2]


def test_lifecycle_error_is_also_the_nearest_built_in_error() -> None:
    assert isinstance(refusal("act", Phase.NEW), RuntimeError)


@pytest.mark.parametrize(
    ("act", "instead"),
    [
        (lambda server: server.address, "listen()"),
        (lambda server: server.fileno(), "listen()"),
        (lambda server: server.pause(), "start()"),
        (lambda server: server.resume(), "start()"),
    ],
)
def test_new_server_refuses_what_needs_a_port(
    act: Callable[[AnyServer], object], instead: str
) -> None:
    server = tcp().handler(greet).build()

    with pytest.raises(LifecycleError, match="the server is new") as caught:
        act(server)

    assert instead in str(caught.value)


@pytest.mark.parametrize(
    "act", [lambda server: server.listen(), lambda s: s.pause(), lambda s: s.resume()]
)
def test_listening_server_refuses_what_is_for_others(act: Callable[[AnyServer], object]) -> None:
    with tcp().handler(greet).build() as server:
        with pytest.raises(LifecycleError, match=r"the server is listening; call .*start\(\)"):
            act(server)

        assert server.phase is Phase.LISTENING


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda server: server.listen(), "cannot listen"),
        (lambda server: server.serve_forever(), "cannot serve"),
        (lambda server: server.start(), "cannot start"),
        (lambda server: server.handle_request(), "cannot handle a request"),
        (lambda server: server.resume(), "cannot resume"),
    ],
)
@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
def test_serving_server_refuses_a_second_driver_and_goes_on(
    act: Callable[[AnyServer], object], what: str, strategy: str
) -> None:
    with serving(getattr(tcp(), strategy)().handler(greet)) as server:
        with pytest.raises(LifecycleError, match=f"{what}: the server is serving; .*drain"):
            act(server)

        assert ask(server.address, b"") == b"hello"


def test_paused_server_refuses_a_second_pause_and_a_second_driver() -> None:
    with serving(tcp().handler(greet)) as server:
        server.pause()

        for act in (server.pause, server.start, server.serve_forever, server.handle_request):
            with pytest.raises(LifecycleError, match=r"the server is paused; call resume\(\)"):
                act()


@pytest.mark.parametrize(
    "act",
    [
        lambda server: server.listen(),
        lambda server: server.serve_forever(),
        lambda server: server.start(),
        lambda server: server.handle_request(),
        lambda server: server.pause(),
        lambda server: server.resume(),
        lambda server: server.__enter__(),
    ],
)
@pytest.mark.parametrize("was_open", [True, False])
def test_closed_server_refuses_to_be_used_again(
    act: Callable[[AnyServer], object], was_open: bool
) -> None:
    server = tcp().handler(greet).build()
    if was_open:
        server.listen()
    server.stop()

    with pytest.raises(LifecycleError, match=r"the server is closed; build\(\) makes another"):
        act(server)

    assert server.phase is Phase.CLOSED


def test_draining_server_refuses_to_start_again() -> None:
    with serving(tcp().threaded().handler(hold)) as server:
        client = held(server.address)
        drain = Call(server.drain)
        wait_until(lambda: in_phase(server, Phase.DRAINING))

        for act in (server.listen, server.start, server.pause, server.handle_request):
            with pytest.raises(LifecycleError, match="the server is draining; "):
                act()

        let_go(client)
        assert drain.result().finished == 1


def test_handler_is_refused_when_it_drives_its_own_server() -> None:
    refusals: list[str] = []

    def serve_again(request: Any, client_address: object, server: AnyServer) -> None:
        for act in (server.serve_forever, server.start, server.handle_request, server.listen):
            try:
                act()
            except LifecycleError as error:
                refusals.append(str(error))

    with serving(tcp().handler(serve_again)) as server:
        ask(server.address, b"")

    assert len(refusals) == 4
    assert all("the server is serving" in text for text in refusals)


def test_wake_end_of_a_server_that_is_closed_just_then_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = tcp().handler(greet).build().listen()
    server.stop()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Server, "phase", Phase.DRAINING)  # as it was at the first look
        with pytest.raises(LifecycleError, match="closed"):
            server.wake_end()
