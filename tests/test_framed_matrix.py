"""One message handler on every transport, under every strategy, with TLS and behind a proxy."""

import contextlib
import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import attrs
import pytest

from acceptor import (
    Closed,
    Message,
    NeedsHandler,
    Outcome,
    ProxiedPeer,
    ServerBuilder,
    allow_users,
    length_prefixed,
    lines,
    replying,
)
from tests.framed_clients import Client, Wire
from tests.framed_kit import STRATEGIES, by, tcp, upper
from tests.support import Recorder, serving
from tests.test_matrix import datagram_client
from tests.tls_files import pki
from tests.transports.proxy_headers import CLIENT

Family: TypeAlias = Literal["tcp", "unix"]

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
every_stream = pytest.mark.parametrize("family", ["tcp", "unix"])
every_wire = pytest.mark.parametrize(
    ("is_proxied", "is_secret"),
    [(False, False), (True, False), (False, True), (True, True)],
    ids=["plain", "proxied", "tls", "proxied-tls"],
)

FRAMING: Final = length_prefixed(2)


@pytest.fixture
def wire(tmp_path: Path, family: Family, is_proxied: bool, is_secret: bool) -> Wire:
    stage: Any = tcp() if family == "tcp" else ServerBuilder().unix_stream(tmp_path / "it.sock")
    if is_proxied:
        trusted = "127.0.0.0/8" if family == "tcp" else allow_users(os.getuid())
        stage = stage.proxy_protocol(trusted=trusted)
    if is_secret:
        stage = stage.tls(pki().server.cert, pki().server.key)
    return Wire(stage, is_proxied, is_secret)


@every_strategy
@every_stream
@every_wire
def test_message_handler_serves_every_stream(wire: Wire, strategy: str) -> None:
    with serving(by(strategy, wire.stage.framed(lines())).handler(upper)) as server:
        for _ in range(3):
            assert wire.ask(server.address, b"one\ntwo\r\n") == b"ONE\nTWO\n"


@every_strategy
@pytest.mark.parametrize("family", ["udp", "unixgram"])
@pytest.mark.parametrize("handler", [upper, replying(bytes.upper)], ids=["upper", "replying"])
def test_message_handler_serves_datagrams(
    tmp_path: Path, family: str, strategy: str, handler: Any
) -> None:
    stages: dict[str, NeedsHandler[Any, Any]] = {
        "udp": ServerBuilder().udp(("127.0.0.1", 0)),
        "unixgram": ServerBuilder().unix_datagram(tmp_path / "it.sock"),
    }
    with (
        serving(by(strategy, stages[family]).handler(handler)) as server,
        datagram_client(server.address, tmp_path) as client,
    ):
        for number in range(3):
            client.send(b"question %d" % number)

            assert client.recv(100) == b"QUESTION %d" % number


def who(message: Message, client_address: Any, server: object) -> None:
    """Tell what is known of the client."""
    tls = message.tls
    facts = (
        message.peer == client_address,
        message.hop is not None,
        message.hop == getattr(client_address, "hop", None),
        isinstance(client_address, ProxiedPeer) and client_address.client == CLIENT,
        tls is not None and str(tls.version).startswith("TLSv1"),
    )
    message.reply(repr(facts).encode())


@every_strategy
@every_stream
@every_wire
def test_message_tells_of_client_and_hop_and_tls(wire: Wire, strategy: str) -> None:
    with serving(by(strategy, wire.stage.framed(lines())).handler(who)) as server:
        answer = wire.ask(server.address, b"who?\n").decode()

    assert answer == f"{(True, wire.is_proxied, True, wire.is_proxied, wire.is_secret)}\n"


@attrs.define
class Session:
    """One connection's: its number, and how many messages it has had."""

    number: int
    messages: int = 0


def count(message: Message[Session], client_address: object, server: object) -> None:
    """Reply with the session's number, that of the message, and the payload."""
    session = message.session
    session.messages += 1
    message.reply(b"%d %d " % (session.number, session.messages) + message.payload)


def talk(chance: random.Random, clients: list[Client], streams: list[bytes]) -> Iterator[None]:
    """Have clients send in pieces of any size, and in any order; those that are done half-close."""
    left = dict(zip(clients, streams, strict=True))
    while left:
        client = chance.choice(list(left))
        size = chance.choice([1, 2, 3, 50, 1000, 10_000, 40_000])
        client.sendall(left[client][:size])
        left[client] = left[client][size:]
        if not left[client]:
            client.end()
            del left[client]
        yield


@every_strategy
@every_stream
@every_wire
def test_many_clients_at_once_have_all_their_messages_answered_in_order(
    wire: Wire, strategy: str
) -> None:
    chance = random.Random(f"{strategy} {wire.is_proxied} {wire.is_secret}")
    many, each = (8, 8) if strategy == "forked" else (30, 50)
    sizes = [0, 1, 2, 100, 1000, 3000]
    said = [[chance.randbytes(chance.choice(sizes)) for _ in range(each)] for _ in range(many)]
    recorder, numbers = Recorder(), itertools.count()
    stage = wire.stage.framed(FRAMING, session=lambda: Session(next(numbers))).observe(recorder)

    with contextlib.ExitStack() as undo:
        server = undo.enter_context(serving(by(strategy, stage).handler(count)))
        clients = [wire.come_in(server.address, undo) for _ in range(many)]
        for _ in talk(chance, clients, [b"".join(map(FRAMING.wrap, each)) for each in said]):
            pass
        heard = [FRAMING.cut_all(client.rest()) for client in clients]
        closed = recorder.wait_for(Closed, many)

    sessions: set[bytes] = set()
    for asked, (*answers, rest) in zip(said, heard, strict=True):
        number = answers[0].split(b" ")[0]
        sessions.add(number)
        # A child counts in its own copy, which ends with it.
        counts = [1] * each if strategy == "forked" else range(1, each + 1)
        assert rest == b""
        assert answers == [
            b"%b %d " % (number, at) + payload for at, payload in zip(counts, asked, strict=True)
        ]
    assert len(sessions) == many
    assert {event.outcome for event in closed} == {Outcome.FINISHED}
