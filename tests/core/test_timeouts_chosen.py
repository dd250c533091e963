"""Limits that are off, or the handler's own; and requests that do not notice theirs."""

import select
import socket
import threading
from typing import Any

import attrs
import pytest

from acceptor import (
    Closed,
    ConfigurationError,
    HandlerFailed,
    Outcome,
    Server,
    StreamHandler,
    Timeouts,
)
from tests.core.kit import STRATEGIES, WORKERS
from tests.fakes import greet, held, hold, tcp
from tests.support import Recorder, connect, read_all, serving

SHORT = 0.05  # seconds
OFF = Timeouts(first_data=None, idle=None, write=None, connection=None)

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


def wait_a_while() -> None:
    """Return once a server with short limits has waited three times as long as they are."""
    recorder = Recorder()
    with serving(tcp().timeouts(first_data=SHORT).observe(recorder).handler(hold)) as server:
        for count in range(1, 4):
            with connect(server.address):
                recorder.wait_for(Closed, count)


@each_strategy
def test_none_is_no_limit(strategy: str) -> None:
    ready = getattr(tcp(), strategy)().timeouts(OFF).handler(hold)
    with serving(ready) as server, held(server.address) as client:
        wait_a_while()

        client.sendall(b"?")

        assert client.recv(1) == b"?"


@each_strategy
def test_client_within_the_limits_is_left_alone(strategy: str) -> None:
    stage = getattr(tcp(), strategy)().timeouts(Timeouts())
    with serving(stage.handler(hold)) as server, held(server.address) as client:
        wait_a_while()

        client.sendall(b"?")

        assert client.recv(1) == b"?"


@each_strategy
def test_handlers_own_timeout_wins_when_it_is_shorter(strategy: str) -> None:
    class Impatient(StreamHandler):
        timeout = SHORT

        def handle(self) -> None:
            self.rfile.read(1)

    recorder = Recorder()
    stage = getattr(tcp(), strategy)().timeouts(Timeouts()).observe(recorder)
    with serving(stage.handler(Impatient)) as server, connect(server.address):
        [closed] = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT
    assert recorder.of(HandlerFailed) == []


@each_strategy
def test_handlers_own_timeout_wins_when_it_is_longer(strategy: str) -> None:
    def choose(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.settimeout(20.0)
        hold(request, client_address, server)

    limits = Timeouts(first_data=SHORT, idle=SHORT, write=SHORT)
    stage = getattr(tcp(), strategy)().timeouts(limits)
    with serving(stage.handler(choose)) as server, held(server.address) as client:
        wait_a_while()

        client.sendall(b"?")

        assert client.recv(1) == b"?"


@each_strategy
def test_handler_without_a_timeout_of_its_own_has_the_servers_again(strategy: str) -> None:
    def choose(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.settimeout(20.0)
        request.settimeout(None)
        hold(request, client_address, server)

    recorder = Recorder()
    stage = getattr(tcp(), strategy)().timeouts(first_data=SHORT).observe(recorder)
    with serving(stage.handler(choose)) as server, held(server.address):
        [closed] = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT


@each_strategy
def test_whole_connections_limit_holds_whatever_the_handler_chooses(strategy: str) -> None:
    def choose(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.settimeout(20.0)
        hold(request, client_address, server)

    recorder = Recorder()
    stage = getattr(tcp(), strategy)().timeouts(connection=SHORT).observe(recorder)
    with serving(stage.handler(choose)) as server, held(server.address):
        [closed] = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("strategy", WORKERS)
def test_request_that_does_not_notice_its_end_is_cut_as_timed_out(strategy: str) -> None:
    def look(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.sendall(b"!")
        select.select([request], [], [])  # no read of ours, so no deadline of ours

    recorder = Recorder()
    stage = getattr(tcp(), strategy)().timeouts(connection=SHORT).observe(recorder)
    with serving(stage.handler(look)) as server:
        with held(server.address) as client:
            assert read_all(client) == b""
        [closed] = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT
    assert server.stats.timed_out == 1


def test_error_that_the_handler_answers_ends_nothing() -> None:
    def excuse(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        try:
            request.recv(1)
        except TimeoutError:
            request.sendall(b"too slow\n")

    recorder = Recorder()
    stage = tcp().threaded().timeouts(first_data=SHORT).observe(recorder)
    with serving(stage.handler(excuse)) as server, connect(server.address) as client:
        assert read_all(client) == b"too slow\n"


def test_timeouts_step_changes_only_what_it_names() -> None:
    stage = tcp().timeouts(idle=5, write=None).timeouts(idle=6.5)

    server = stage.handler(greet).build()

    assert server.timeouts == Timeouts(idle=6.5, write=None)


def test_timeouts_step_takes_the_whole_value() -> None:
    server = tcp().timeouts(idle=5).timeouts(Timeouts(write=1)).handler(greet).build()

    assert server.timeouts == Timeouts(write=1)


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Timeouts) if field.init])
@pytest.mark.parametrize("wrong", [-1, "5", True, float("nan")])
def test_timeouts_refuse_what_is_no_time(name: str, wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be seconds"):
        Timeouts(**{name: wrong})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=f"^{name} must be seconds"):
        tcp().timeouts(**{name: wrong})  # type: ignore[arg-type]


def test_timeouts_are_all_finite_unless_told_otherwise() -> None:
    timeouts = tcp().handler(greet).build().timeouts

    assert timeouts == Timeouts()
    assert None not in (timeouts.first_data, timeouts.idle, timeouts.write, timeouts.connection)
    assert (timeouts.connection or 0) < threading.TIMEOUT_MAX
