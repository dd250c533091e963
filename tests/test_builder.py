"""The builder's stages as values, and the life of what they build."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from acceptor import (
    AllowAll,
    Event,
    Listening,
    NeedsHandler,
    Phase,
    Server,
    ServerBuilder,
    StreamHandler,
    Sync,
    Threaded,
    allow_networks,
    deny_networks,
)
from tests.support import Recorder, ask, serving

LOOPBACK = ("127.0.0.1", 0)

builder = ServerBuilder()
tcp = builder.tcp(LOOPBACK)


class Hello(StreamHandler):
    def handle(self) -> None:
        self.wfile.write(b"hello")


class Goodbye(StreamHandler):
    def handle(self) -> None:
        self.wfile.write(b"goodbye")


def watch(event: Event) -> None:
    """Look away."""


STEPS: dict[str, Callable[[Any], Any]] = {
    "sync": lambda stage: stage.sync(),
    "threaded": lambda stage: stage.threaded(3),
    "pooled": lambda stage: stage.pooled(3, queue=1),
    "forked": lambda stage: stage.forked(3),
    "concurrency": lambda stage: stage.concurrency(Threaded(3)),
    "access": lambda stage: stage.access(allow_networks("10.0.0.0/8")),
    "observe": lambda stage: stage.observe(watch),
    "handler": lambda stage: stage.handler(Hello),
}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


@every_step
@pytest.mark.parametrize("stage", [tcp, tcp.handler(Goodbye)], ids=["NeedsHandler", "Ready"])
def test_step_returns_a_new_stage_and_leaves_the_old_one(
    stage: Any, step: Callable[[Any], Any]
) -> None:
    before = repr(stage)

    after = step(stage)

    assert after is not stage
    assert repr(stage) == before


@every_step
def test_stages_made_alike_are_equal_and_hash_alike(step: Callable[[Any], Any]) -> None:
    one, other = step(builder.tcp(LOOPBACK)), step(builder.tcp(LOOPBACK))

    assert one == other
    assert hash(one) == hash(other)
    assert one != step(builder.tcp(("127.0.0.1", 1)))


def test_stages_of_different_kinds_and_values_differ() -> None:
    stages = [
        tcp,
        builder.udp(LOOPBACK),
        tcp.threaded(),
        tcp.threaded(4),
        tcp.pooled(),
        tcp.pooled(4),
        tcp.pooled(4, queue=1),
        tcp.forked(4),
        tcp.access(AllowAll()),
        tcp.observe(watch),
        tcp.handler(Hello),
        tcp.handler(Goodbye),
    ]

    assert len(set(stages)) == len(stages)


def test_stage_cannot_be_changed() -> None:
    stage: Any = tcp.handler(Hello)

    for name in ("_transport", "_handler", "timeout"):
        with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
            setattr(stage, name, None)


def test_stage_prints_its_name_and_parts() -> None:
    stage = builder.tcp(("127.0.0.1", 80), backlog=7).threaded(4).access(allow_networks("::1"))

    printed = repr(stage.handler(Hello))

    assert repr(stage).startswith("StreamNeedsHandler(")
    assert printed.startswith("Ready(")
    for part in ("TcpTransport(", "80", "backlog=7", "Threaded(max_threads=4)", "::1", "Hello"):
        assert part in printed


def test_default_strategy_is_sync() -> None:
    assert tcp == tcp.sync() == tcp.concurrency(Sync())


def test_the_last_of_several_strategies_is_taken() -> None:
    assert tcp.threaded().forked(2).sync() == tcp.sync()
    assert tcp.sync().threaded(3) == tcp.threaded(3) == tcp.concurrency(Threaded(3))


def test_order_of_the_steps_plays_no_part() -> None:
    policy = allow_networks("::/0")

    one = tcp.threaded(2).access(policy).observe(watch).handler(Hello)
    other = tcp.handler(Hello).observe(watch).access(policy).threaded(2)

    assert one == other


def test_handler_given_again_replaces_the_one_before() -> None:
    assert tcp.handler(Goodbye).handler(Hello) == tcp.handler(Hello)

    with serving(tcp.handler(Goodbye).handler(Hello)) as server:
        assert ask(server.address, b"") == b"hello"


@pytest.mark.parametrize(
    ("networks", "answer"),
    [(("127.0.0.0/8", "127.0.0.1"), b"hello"), (("127.0.0.0/8", "10.0.0.0/8"), b"")],
)
def test_policies_given_again_must_all_allow(networks: tuple[str, ...], answer: bytes) -> None:
    stage: NeedsHandler[Any, Any] = tcp
    for network in networks:
        stage = stage.access(allow_networks(network))

    with serving(stage.handler(Hello)) as server:
        assert ask(server.address, b"") == answer


def test_policy_given_after_the_handler_counts_too() -> None:
    with serving(tcp.handler(Hello).access(deny_networks("127.0.0.0/8"))) as server:
        assert ask(server.address, b"") == b""


def test_observers_given_again_are_all_told_in_their_order() -> None:
    told: list[str] = []
    ready = (
        tcp.observe(lambda event: told.append("first"))
        .handler(Hello)
        .observe(lambda event: told.append("second"))
    )

    server = ready.build().listen()

    assert told == ["first", "second"]
    server.stop()


def test_two_servers_branch_from_one_prefix() -> None:
    recorder = Recorder()
    prefix = tcp.threaded(2).observe(recorder)

    with serving(prefix.handler(Hello)) as one, serving(prefix.handler(Goodbye)) as other:
        assert ask(one.address, b"") == b"hello"
        assert ask(other.address, b"") == b"goodbye"
        assert len(recorder.of(Listening)) == 2


def test_build_twice_makes_two_servers() -> None:
    ready = tcp.handler(Hello)

    one, other = ready.build(), ready.build()

    assert isinstance(one, Server)
    assert one is not other
    assert one != other
    with one, other:
        assert one.address != other.address
    assert one.phase is other.phase is Phase.CLOSED


def test_build_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "it.sock"

    server = builder.unix_stream(path).handler(Hello).build()

    assert server.phase is Phase.NEW
    assert not path.exists()


def test_one_stage_builds_in_many_threads_at_once() -> None:
    ready, built = tcp.handler(Hello), list[Server[Any, Any]]()
    threads = [threading.Thread(target=lambda: built.append(ready.build())) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(built)) == 8
