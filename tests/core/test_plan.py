"""What will be, in words, before anything is bound."""

import os
from pathlib import Path

import pytest

from acceptor import (
    Close,
    Limits,
    Overflow,
    Phase,
    Plan,
    Reply,
    Reset,
    ServerBuilder,
    Timeouts,
    Wait,
    allow_networks,
    allow_users,
    deny_networks,
    lines,
)
from tests.core.kit import STRATEGIES
from tests.fakes import greet, hold, in_phase, refuses, tcp
from tests.support import open_descriptors


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://127.0.0.1:8080",
        "tcp://[::1]:8080",
        "udp://127.0.0.1:8080",
        "unix:///run/it.sock",
        "unixgram:///run/it.sock",
    ],
)
def test_plan_says_where_it_will_listen(endpoint: str) -> None:
    plan = ServerBuilder().listen_on(endpoint).handler(lambda *_: None).build().plan()

    assert plan.endpoint == endpoint
    assert endpoint in str(plan)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_plan_says_how_requests_are_served(strategy: str) -> None:
    text = str(getattr(tcp(), strategy)().handler(greet).build().plan())

    assert strategy.capitalize() in text
    assert "greet" in text


def test_plan_says_in_which_order_clients_are_judged() -> None:
    stage = tcp().access(allow_networks("127.0.0.0/8") & deny_networks("127.0.0.9/32"))
    stage = stage.access(allow_networks("127.1.0.0/16"))

    plan = stage.handler(greet).build().plan()

    text = str(plan)
    places = [text.index(rule) for rule in ("127.0.0.0/8", "127.0.0.9/32", "127.1.0.0/16")]
    assert places == sorted(places)
    assert len(plan.access) == 3


def test_plan_says_when_everybody_may_come_in() -> None:
    plan = tcp().handler(greet).build().plan()

    assert plan.access == ()
    assert "everybody" in str(plan)


def test_plan_names_users_and_functions_that_judge() -> None:
    stage = ServerBuilder().unix_stream("/run/it").access(allow_users(4711))

    text = str(stage.access(is_welcome).handler(greet).build().plan())

    assert "4711" in text
    assert "is_welcome" in text


def is_welcome(peer: object) -> bool:
    return True


@pytest.mark.parametrize(
    ("overflow", "words"),
    [
        (Wait(), "wait in the backlog"),
        (Close(), "closed"),
        (Reply(b"busy\n"), "closed"),
        (Reset(), "reset"),
    ],
)
def test_plan_says_what_happens_when_full(overflow: Overflow, words: str) -> None:
    limits = Limits(max_connections=17, per_peer=3, overflow=overflow)

    plan = tcp().threaded(50).limits(limits).handler(greet).build().plan()

    assert (plan.slots, plan.limits) == (17, limits)
    lines = str(plan).splitlines()
    assert any("17" in line and "3" in line for line in lines)
    assert any("full" in line and words in line for line in lines)


def test_plan_counts_slots_by_the_strategy_where_that_has_fewer() -> None:
    assert tcp().handler(greet).build().plan().slots == 1
    assert tcp().threaded(5).limits(max_connections=9).handler(greet).build().plan().slots == 5


def test_plan_counts_messages_and_connections_where_streams_are_cut() -> None:
    stream = ServerBuilder().tcp(("127.0.0.1", 0))
    framed = stream.framed(lines(), session=object, refusal=Reset(), max_output=10).pooled(4)
    handled = framed.handler(lambda message, client_address, server: None)

    plan = handled.limits(max_connections=20, per_peer=2).build().plan()

    assert (plan.slots, plan.connections) == (4, 20)
    assert "4 messages at a time, 20 connections, 2 of one peer" in str(plan)
    words = "session='object', refusal=Reset(), max_output=10"
    assert f"framed(lines(max_length=65536, ending=b'\\n'), {words})" in str(plan)


def test_plan_tells_all_deadlines_and_how_it_stops() -> None:
    timeouts = Timeouts(
        handshake=1.5, first_data=2.5, idle=3.5, write=None, connection=5.5, drain=6.5
    )

    plan = tcp().timeouts(timeouts).handler(greet).build().plan()

    text = str(plan)
    assert plan.timeouts == timeouts
    for words in ("1.5 s", "2.5 s", "3.5 s", "no limit", "5.5 s", "6.5 s"):
        assert words in text
    [stops] = [line for line in text.splitlines() if line.startswith("stops")]
    assert "6.5 s" in stops


def test_plan_says_which_features_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    server = tcp().handler(greet).build()

    [here] = [line for line in str(server.plan()).splitlines() if line.startswith("missing")]

    assert (server.plan().missing == ()) is ("nothing" in here)
    for feature in server.plan().missing:
        assert feature in here


def test_plan_binds_nothing(tmp_path: Path) -> None:
    descriptors = open_descriptors()
    path = tmp_path / "it.sock"
    server = ServerBuilder().unix_stream(path).forked().handler(hold).build()

    plan = server.plan()

    assert isinstance(plan, Plan)
    assert str(plan)
    assert os.listdir(tmp_path) == []
    assert open_descriptors() == descriptors
    assert in_phase(server, Phase.NEW)


def test_plan_is_a_value_that_goes_by_the_limits_of_the_moment() -> None:
    server = tcp().threaded().handler(greet).build()
    before = server.plan()

    server.limits = Limits(max_connections=2)

    assert (before.slots, server.plan().slots) == (1000, 2)
    assert server.plan() == server.plan() != before
    with server:
        address = server.address
        assert server.plan().slots == 2
    assert refuses(address)
