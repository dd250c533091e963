"""What a server tells: in which order, to whom, how it is logged, and the counters."""

import functools
import logging
import socket
import threading
from typing import Any

import attrs
import pytest

from acceptor import (
    Accepted,
    AcceptPaused,
    AcceptResumed,
    Closed,
    Draining,
    DrainReport,
    Event,
    Full,
    HandlerFailed,
    HandshakeFailed,
    HandshakeFailure,
    Listening,
    MessageServed,
    Outcome,
    RefusalReason,
    Refused,
    RoomAgain,
    Server,
    ServerBuilder,
    Started,
    Stats,
    StopCause,
    Stopped,
    lines,
    replying,
)
from acceptor.core.reporting import LOGGER, Reporter, log_event
from tests.core.kit import wait_for_active
from tests.fakes import PEER, attempt, greet, held, hold, let_go, tcp
from tests.support import Recorder, ask, connect, read_all, serving

REPORT = DrainReport(
    finished=1, cut=2, refused=0, left_in_backlog=0, elapsed=3.0, cause=StopCause.DRAIN
)
BROKEN = ValueError("oh no")
BROKEN_OS = OSError(24, "none")


def closed(outcome: Outcome) -> Closed:
    return Closed(id=1, peer=PEER, outcome=outcome, elapsed=1, received=5, sent=7)


@pytest.fixture(params=["sync", "threaded", "pooled", "forked"])
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_events_tell_a_servers_life_in_order(strategy: str) -> None:
    recorder = Recorder()
    with serving(getattr(tcp(), strategy)().observe(recorder).handler(greet)) as server:
        ask(server.address, b"")
        recorder.wait_for(Closed)
        wait_for_active(server, 0)  # its slot is given back right after it is told of
        report = server.drain()

    kinds = [type(event) for event in recorder.events]
    assert kinds == [Listening, Accepted, Started, Closed, Draining, Stopped]
    assert recorder.of(Listening)[0].address == server.address
    assert recorder.of(Draining) == [Draining(running=0, timeout=8.0)]
    assert recorder.of(Stopped) == [Stopped(report=report)]


def test_accepted_and_closed_name_the_same_peer(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(recorder)
    with serving(stage.handler(greet)) as server, connect(server.address) as client:
        client.shutdown(socket.SHUT_WR)
        name = client.getsockname()
        (closed,) = recorder.wait_for(Closed)

    assert closed.peer == recorder.of(Accepted)[0].peer == name
    assert closed.outcome is Outcome.FINISHED
    assert closed.elapsed > 0


def test_each_observer_is_told_in_the_order_of_the_steps() -> None:
    told: list[tuple[str, type[Event]]] = []
    stage = tcp().observe(lambda event: told.append(("first", type(event))))
    stage = stage.observe(lambda event: told.append(("second", type(event))))

    stage.handler(greet).build().listen().drain()

    kinds = (Listening, Draining, Stopped)
    assert told == [(name, kind) for kind in kinds for name in ("first", "second")]


@pytest.mark.parametrize("error", [ValueError("oh no"), SystemExit(3), GeneratorExit()])
def test_observer_that_raises_is_logged_and_never_fatal(
    strategy: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: Event) -> None:
        raise error

    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(fail).observe(recorder)
    with serving(stage.handler(greet)) as server:
        for _ in range(3):
            assert ask(server.address, b"") == b"hello"
        recorder.wait_for(Closed, 3)
        server.drain()

    assert server.stats.finished == 3
    failures = [record for record in caplog.records if record.message.endswith(" failed")]
    assert failures
    assert all(record.exc_info and record.exc_info[1] is error for record in failures)


def test_stats_are_zero_before_a_server_listens_and_stay_after_it_has_closed() -> None:
    server = tcp().handler(greet).build()
    before = server.stats
    server.start()
    ask(server.address, b"")
    server.drain()

    assert before == Stats()
    assert server.stats == Stats(accepted=1, finished=1, backlog=0)


def test_stats_add_up_whatever_happens(strategy: str, caplog: pytest.LogCaptureFixture) -> None:
    def vary(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        match request.recv(1):
            case b"f":
                raise ValueError
            case _:
                request.sendall(b"fine")

    recorder = Recorder()
    judged = [True, True, True, False, True, True, False]
    stage = getattr(tcp(), strategy)().access(lambda peer: judged.pop()).observe(recorder)
    with serving(stage.handler(vary)) as server:
        for question in (b"g", b"f", b"g", b"", b"f", b"g", b"g"):
            attempt(functools.partial(ask, server.address, question))  # a denied one may be reset
        server.drain()

    stats = attrs.asdict(server.stats)
    del stats["backlog"]
    accepted, refused, active = (stats.pop(name) for name in ("accepted", "refused", "active"))
    assert (accepted, refused, active) == (5, 2, 0)
    assert sum(stats.values()) == accepted
    assert len(recorder.of(Closed)) == len(recorder.of(Accepted)) == accepted
    assert len(recorder.of(Refused)) == refused


def test_stats_are_consistent_at_any_moment() -> None:
    torn: list[Stats] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            stats = server.stats
            if stats.accepted != stats.active + stats.finished:
                torn.append(stats)

    with serving(tcp().threaded().handler(greet)) as server:
        observer = threading.Thread(target=look)
        observer.start()
        for _ in range(30):
            ask(server.address, b"")
        done.set()
        observer.join()

    assert torn == []


def test_stats_count_what_runs_now() -> None:
    with serving(tcp().threaded().handler(hold)) as server:
        clients = [held(server.address) for _ in range(3)]
        stats = server.stats
        for client in clients:
            let_go(client)

    assert stats == Stats(accepted=3, active=3, backlog=0)


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (Listening(address=PEER), logging.INFO, "listening on 192.0.2.1:4000"),
        (Accepted(id=1, peer=PEER), logging.DEBUG, "accepted 192.0.2.1:4000"),
        (Started(id=1, peer=PEER), logging.DEBUG, "serving 192.0.2.1:4000"),
        (
            Refused(peer=PEER, reason=RefusalReason.DENIED, detail="why"),
            logging.INFO,
            "refused 192.0.2.1:4000: denied by the access policy (why)",
        ),
        (
            Refused(peer=PEER, reason=RefusalReason.POLICY_FAILED, error=BROKEN),
            logging.ERROR,
            "refused",
        ),
        (
            HandshakeFailed(id=1, peer=PEER, reason=HandshakeFailure.OTHER, error=BROKEN),
            logging.INFO,
            "oh no",
        ),
        (HandlerFailed(id=1, peer=PEER, error=BROKEN), logging.ERROR, "handler failed for 192.0.2"),
        (closed(Outcome.CLIENT_LEFT), logging.DEBUG, "client left, 5 bytes received, 7 sent"),
        (closed(Outcome.LOST), logging.ERROR, "192.0.2.1:4000"),
        (Full(limit=3, active=3), logging.WARNING, "all 3 slots"),
        (RoomAgain(elapsed=1.0, refused=4), logging.WARNING, "4 clients refused"),
        (AcceptPaused(cause=None, delay=None), logging.INFO, "paused"),
        (AcceptResumed(cause=None, attempts=0, elapsed=1.0), logging.INFO, "again after 1.0 s"),
        (AcceptPaused(cause=OSError(24, "none"), delay=0.1), logging.WARNING, "0.1 s"),
        (AcceptResumed(cause=BROKEN_OS, attempts=3, elapsed=1.0), logging.WARNING, "3 attempts"),
        (Draining(running=3, timeout=8.0), logging.INFO, "3 requests"),
        (Draining(running=3, timeout=None), logging.INFO, "no limit"),
        (Stopped(report=REPORT), logging.INFO, "1 finished, 2 cut"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_log_tells_each_event_at_its_level(
    event: Event, level: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "acceptor")

    log_event(event)

    (record,) = caplog.records
    assert record.name == "acceptor"
    assert record.levelno == level
    assert text in record.getMessage()
    is_ours_to_explain = level == logging.ERROR and not isinstance(event, Closed)
    assert bool(record.exc_info) is is_ours_to_explain


def test_ordinary_requests_are_told_only_to_who_would_read_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "acceptor")
    quiet, watched = Reporter(), Reporter((print,))
    quiet.look_who_listens()
    watched.look_who_listens()
    caplog.set_level(logging.DEBUG, "acceptor")
    verbose = Reporter()
    verbose.look_who_listens()

    assert not quiet.wants_every_request
    assert watched.wants_every_request
    assert verbose.wants_every_request
    assert LOGGER.handlers == []  # where it is written is the program's choice


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_ordinary_message_is_told_to_observers_and_logged_only_at_debug(
    level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level, "acceptor")
    recorder = Recorder()
    stage = ServerBuilder().tcp(("127.0.0.1", 0)).framed(lines()).sync().observe(recorder)
    with serving(stage.handler(replying(bytes.upper))) as server:
        with connect(server.address) as client:
            client.sendall(b"x\n")
            client.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"X\n"

        recorder.wait_for(MessageServed)

    logged = [it for it in caplog.records if it.getMessage().startswith("served a message of")]
    assert len(logged) == (level == logging.DEBUG)
