"""How many may be in work, in all; and what becomes of one too many."""

import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from acceptor import (
    Close,
    Closed,
    ConfigurationError,
    Full,
    Limits,
    Overflow,
    RefusalReason,
    Refused,
    Reply,
    Reset,
    Server,
    Wait,
)
from tests.core.kit import DATAGRAMS, STREAMS, WORKERS, Gate, crowd, ending, sender, stage_of, visit
from tests.fakes import held, hold, let_go, tcp
from tests.support import Recorder, connect, serving, wait_until

each_strategy = pytest.mark.parametrize("strategy", WORKERS)
each_stream = pytest.mark.parametrize("transport", STREAMS)


@each_strategy
@each_stream
def test_client_beyond_max_connections_waits_until_a_slot_is_free(
    transport: str, strategy: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder).limits(max_connections=2)
    with serving(stage.handler(hold)) as server:
        first, second = held(server.address), held(server.address)
        with connect(server.address) as third:
            recorder.wait_for(Full)

            assert server.stats.active == server.stats.accepted == 2
            assert let_go(first) == b"?"
            assert third.recv(1) == b"!"
            assert server.stats.accepted == 3
        let_go(second)

    assert server.stats.refused == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long the queue is")
@each_strategy
def test_stats_say_how_many_wait_in_the_backlog(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().limits(max_connections=1).handler(hold)) as server:
        first = held(server.address)
        with crowd(server.address, 3):
            assert server.stats.backlog == 3

            let_go(first)

            wait_until(lambda: server.stats.backlog == 2)


TURNED_AWAY = [
    (Close(), "tcp", b""),
    (Close(), "unix_stream", b""),
    (Reply(b"busy\n"), "tcp", b"busy\n"),
    (Reply(b"busy\n"), "unix_stream", b"busy\n"),
    (Reset(), "tcp", ConnectionResetError),
    (Reset(), "unix_stream", b""),
]


@each_strategy
@pytest.mark.parametrize(("overflow", "transport", "end"), TURNED_AWAY, ids=str)
def test_client_beyond_max_connections_is_turned_away_as_asked_for(
    overflow: Overflow, transport: str, end: object, strategy: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    stage = stage_of(transport, strategy, tmp_path).observe(recorder)
    stage = stage.limits(max_connections=1, overflow=overflow)
    with serving(stage.handler(hold)) as server:
        first = held(server.address)

        for _ in range(3):
            assert visit(server.address) == end

        let_go(first)
        recorder.wait_for(Closed)
        wait_until(lambda: server.stats.active == 0)
        assert let_go(held(server.address)) == b"?"
    assert [event.reason for event in recorder.of(Refused)] == [RefusalReason.FULL] * 3
    assert (server.stats.accepted, server.stats.refused) == (2, 3)


@each_stream
def test_reply_is_read_whole_by_a_client_that_has_asked_already(
    transport: str, tmp_path: Path
) -> None:
    stage = stage_of(transport, "threaded", tmp_path)
    reply = Reply(b"busy\n" * 1000)
    server = stage.limits(max_connections=1, overflow=reply).handler(hold).build().listen()
    with server, connect(server.address) as first, connect(server.address) as late:
        late.sendall(b"GET / HTTP/1.1\r\n" * 100)

        server.start()

        assert first.recv(1) == b"!"
        assert ending(late) == reply.payload


@each_strategy
@pytest.mark.parametrize("transport", DATAGRAMS)
def test_datagram_beyond_max_connections_waits_in_the_socket(
    transport: str, strategy: str, tmp_path: Path
) -> None:
    with Gate.shut() as gate:

        def answer(request: Any, client_address: object, server: Server[Any, Any]) -> None:
            gate.wait()
            request.reply(request.payload)

        stage = stage_of(transport, strategy, tmp_path).limits(max_connections=1)
        with serving(stage.handler(answer)) as server, sender(server.address, tmp_path) as client:
            client.send(b"first")
            client.send(b"second")
            wait_until(lambda: server.stats.active == 1)
            gate.let(1)

            assert client.recv(100) == b"first"
            gate.let(1)
            assert client.recv(100) == b"second"
    assert server.stats.refused == 0


@each_strategy
@pytest.mark.parametrize("transport", DATAGRAMS)
@pytest.mark.parametrize("overflow", [Close(), Reply(b"busy\n"), Reset()], ids=str)
def test_datagram_beyond_max_connections_is_turned_away(
    overflow: Overflow, transport: str, strategy: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    with Gate.shut() as gate:

        def answer(request: Any, client_address: object, server: Server[Any, Any]) -> None:
            gate.wait()
            request.reply(request.payload)

        stage = stage_of(transport, strategy, tmp_path).observe(recorder)
        stage = stage.limits(max_connections=1, overflow=overflow)
        with serving(stage.handler(answer)) as server, sender(server.address, tmp_path) as client:
            client.send(b"first")
            wait_until(lambda: server.stats.active == 1)
            client.send(b"late")
            [refused] = recorder.wait_for(Refused)
            gate.let(1)

            expected = {b"first", b"busy\n"} if isinstance(overflow, Reply) else {b"first"}
            assert {client.recv(100) for _ in expected} == expected
    assert refused.reason is RefusalReason.FULL


@each_strategy
def test_strategys_own_bound_holds_whatever_the_limits_say(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)(1).limits(max_connections=5).observe(recorder)
    with serving(stage.handler(hold)) as server, held(server.address), connect(server.address):
        [full] = recorder.wait_for(Full)

        assert (full.limit, full.active) == (1, 1)
        assert server.stats.accepted == 1


def test_limits_step_changes_only_what_it_names() -> None:
    stage = tcp().limits(max_connections=5, per_peer=2).limits(per_peer=3)

    server = stage.limits(overflow=Close()).handler(hold).build()

    assert server.limits == Limits(max_connections=5, per_peer=3, overflow=Close())


def test_limits_step_takes_the_whole_value() -> None:
    limits = Limits(max_connections=3)

    server = tcp().limits(per_peer=1).limits(limits).handler(hold).build()

    assert server.limits == limits


@pytest.mark.parametrize("name", ["max_connections", "per_peer", "descriptors_per_connection"])
@pytest.mark.parametrize("count", [0, -1, 1.5, "3", True])
def test_limits_refuse_what_is_no_count(name: str, count: object) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be a whole number"):
        Limits(**{name: count})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=f"^{name} must be a whole number"):
        tcp().limits(**{name: count})  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [Close, None, "close", b"busy"])
def test_limits_refuse_what_is_no_overflow(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^overflow must be"):
        Limits(overflow=wrong)


@pytest.mark.parametrize("wrong", [0, 129, "64", True])
def test_limits_refuse_what_is_no_prefix(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^ipv6_prefix must be"):
        Limits(ipv6_prefix=wrong)


def test_limits_have_no_limit_and_wait_unless_told_otherwise() -> None:
    limits = tcp().handler(hold).build().limits

    assert limits == Limits(max_connections=None, per_peer=None, overflow=Wait())
    assert attrs.evolve(limits) == limits
