"""How the block of `serve` ends: well, by what a handler raised, or by an error of its own."""

import contextlib
import socket
import threading
from typing import Any

import pytest

from acceptor import (
    Closed,
    Outcome,
    Phase,
    Ready,
    Server,
    ServerBuilder,
)
from acceptor.testing import (
    RaisingPolicy,
    ScriptedTransport,
    serve,
)
from tests.fakes import greet, hold, tcp
from tests.support import read_all, wait_until


def fail(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
    raise ValueError("oh no")


@pytest.mark.parametrize("strategy", ["sync", "threaded"])
def test_block_fails_with_the_cause_when_a_handler_raised(strategy: str) -> None:
    stage: Ready[Any, Any] = getattr(tcp(), strategy)().handler(fail)

    with (
        pytest.raises(AssertionError, match=r"the handler failed for .*ValueError") as caught,
        serve(stage, client=True) as serving,
    ):
        read_all(serving.client)

    assert isinstance(caught.value.__cause__, ValueError)


def test_block_fails_when_a_handler_raised_in_a_child() -> None:
    with (
        pytest.raises(AssertionError, match=r"failed for .* in a child"),
        serve(tcp().forked().handler(fail), client=True) as serving,
    ):
        read_all(serving.client)


def test_block_fails_when_a_policy_raised() -> None:
    policy = RaisingPolicy(ValueError("oh no"))

    with (
        pytest.raises(AssertionError, match="the access policy failed for") as caught,
        serve(tcp().access(policy).handler(greet), client=True) as serving,
    ):
        read_all(serving.client)

    assert caught.value.__cause__ is policy.error


def test_block_does_not_fail_when_it_may() -> None:
    with serve(tcp().handler(fail), client=True, may_fail=True) as serving:
        [closed] = serving.events.wait_for(Closed)

    assert closed.outcome is Outcome.FAILED


def test_error_of_the_block_is_not_hidden_by_that_of_a_handler() -> None:
    def run() -> None:
        with serve(server, client=True) as serving:
            serving.events.wait_for(Closed)
            raise KeyError("the test's own")

    server = tcp().handler(fail).build()

    with pytest.raises(KeyError) as caught:
        run()

    assert any("ValueError('oh no')" in note for note in caught.value.__notes__)
    assert server.phase is Phase.CLOSED


def test_block_fails_with_what_broke_the_server() -> None:
    transport = ScriptedTransport.of(TypeError("it broke"))
    stage = ServerBuilder().transport(transport).handler(greet)

    with pytest.raises(TypeError, match="it broke"), serve(stage) as serving:
        serving.server.wait()


def test_block_fails_with_what_broke_the_server_if_nobody_asked() -> None:
    transport = ScriptedTransport.of(TypeError("it broke"))
    stage = ServerBuilder().transport(transport).handler(greet)

    with pytest.raises(TypeError, match="it broke"), serve(stage) as serving:
        wait_until(lambda: serving.server.phase is Phase.CLOSED)


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
def test_request_that_does_not_end_is_cut_when_the_grace_is_over(strategy: str) -> None:
    stage: Ready[Any, Any] = getattr(tcp(), strategy)().handler(hold)
    with contextlib.ExitStack() as stack:
        with serve(stage, grace=0.01) as serving:
            mine = stack.enter_context(socket.create_connection(tuple(serving.address)))
            mine.settimeout(20)
            assert mine.recv(1) == b"!"

        [closed] = serving.events.of(Closed)

    assert closed.outcome is Outcome.CUT


def test_request_that_only_waits_for_its_client_ends_by_itself() -> None:
    def slow(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        hold(request, client_address, server)
        threading.Event().wait(0.05)  # as long as the server is not asked to stop at once

    with serve(tcp().threaded().handler(slow), client=True) as serving:
        serving.client.sendall(b"?")
        assert [serving.client.recv(1), serving.client.recv(1)] == [b"!", b"?"]

    [closed] = serving.events.of(Closed)
    assert closed.outcome is Outcome.FINISHED
