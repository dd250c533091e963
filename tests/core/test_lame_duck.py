"""A drain that is announced first, and how handlers see it."""

import time
from typing import Any

import pytest

from acceptor import Close, Closed, Draining, Limits, Phase, Refused, Server, StopCause
from tests.core.kit import STRATEGIES, WORKERS, ending, leave, since_draining
from tests.fakes import Call, greet, held, hold, in_phase, let_go, tcp
from tests.programs import program
from tests.support import Recorder, connect, read_all, serving, wait_until


def drain_after_a_minute(server: Server[Any, Any]) -> Call:
    """Begin a drain in another thread; clients are let in until somebody is in a hurry."""
    call = Call(lambda: server.drain(60.0, lame_duck=60.0))
    wait_until(lambda: server.is_draining)
    return call


@pytest.mark.parametrize("strategy", WORKERS)
def test_lame_duck_says_that_it_drains_and_still_serves(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(recorder)
    with serving(stage.handler(hold)) as server:
        before = held(server.address)
        drain = drain_after_a_minute(server)
        recorder.wait_for(Draining)
        assert in_phase(server, Phase.DRAINING)
        assert server.fileno() >= 0
        assert let_go(held(server.address)) == b"?"
        assert let_go(before) == b"?"
        recorder.wait_for(Closed, 2)

        server.hurry()

        report = drain.result()
    [draining] = recorder.of(Draining)
    assert (draining.running, draining.timeout, draining.lame_duck) == (1, 60.0, 60.0)
    assert (report.finished, report.cut) == (2, 0) == since_draining(recorder)
    assert report.cause is StopCause.DRAIN


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_lame_duck_ends_by_itself_and_then_the_port_is_closed(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        client = held(server.address)
        drain = Call(lambda: server.drain(60.0, lame_duck=0.05))
        wait_until(lambda: server.fileno() == -1)

        assert let_go(client) == b"?"
        assert drain.result().cut == 0


def test_stop_ends_a_lame_duck() -> None:
    with serving(tcp().threaded().handler(hold)) as server, held(server.address):
        drain = drain_after_a_minute(server)

        report = server.stop()

        assert drain.result() is report
    assert report.cut == 1
    assert report.elapsed < 60.0


def test_clients_that_a_lame_duck_turns_away_are_reported() -> None:
    recorder = Recorder()
    stage = tcp().threaded().limits(Limits(max_connections=1, overflow=Close()))
    with serving(stage.observe(recorder).handler(hold)) as server:
        first = held(server.address)
        with connect(server.address) as early:
            assert ending(early) == b""
        drain = drain_after_a_minute(server)
        for _ in range(3):
            with connect(server.address) as late:
                assert ending(late) == b""
        let_go(first)
        recorder.wait_for(Closed)

        server.hurry()

        assert drain.result().refused == 3
    assert len(recorder.of(Refused)) == 4


def test_program_is_a_lame_duck_after_the_first_signal() -> None:
    source = """
        server = tcp().threaded().observe(tell).handler(hold).build()
        report = server.run(30.0, lame_duck=30.0)
        say("reports", report.finished, report.cut, report.cause.name)
    """
    source = source.replace("build()", "build().listen()\n        say('port', server.address.port)")
    with program(source) as it:
        address = it.address()
        with held(address) as client:
            it.signal(15)
            it.hear("draining")
            assert let_go(held(address)) == b"?"
            assert let_go(client) == b"?"
            it.hear("closed")
            it.hear("closed")

            it.signal(15)

        assert it.hear("reports") == ["2", "0", "SIGNAL"]
        assert it.end() == (0, "")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_handler_sees_that_the_server_drains(strategy: str) -> None:
    def look(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        request.sendall(b"?" if server.is_draining else b"!")
        for _ in range(10_000):
            if server.is_draining:
                break
            time.sleep(0.002)  # in a child nothing tells it
        request.sendall(b"draining" if server.is_draining else b"never")

    with serving(getattr(tcp(), strategy)().handler(look)) as server:
        assert not server.is_draining
        client = held(server.address)
        drain = Call(lambda: server.drain(60))

        assert read_all(client) == b"draining"
        leave(client)
        report = drain.result()
        assert server.is_draining

    assert (report.finished, report.cut) == (1, 0)


def test_server_that_never_drained_does_not_say_so() -> None:
    with tcp().handler(greet).build() as server:
        server.start()
        server.pause()
        server.resume()
        server.shutdown()
        server.wait()

        assert not server.is_draining
