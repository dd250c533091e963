"""Clients that send what is no message: refused by type, behind all that was good before."""

import socket
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Close,
    Closed,
    Framing,
    HandlerFailed,
    HandshakeError,
    HandshakeFailed,
    HandshakeFailure,
    MessageFault,
    MessageRefused,
    MessageServed,
    Outcome,
    Refused,
    Reply,
    Reset,
    delimited,
    fixed,
    length_prefixed,
    lines,
)
from tests.core.kit import ending
from tests.framed_kit import STRATEGIES, by, tcp, upper
from tests.support import Recorder, ask, connect, read_all, serving
from tests.transports.framing_kit import Netstrings

CERTIFICATE = Path(__file__).with_name("server.pem")

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)

TOO_LONG, MALFORMED = MessageFault.TOO_LONG, MessageFault.MALFORMED


@every_strategy
@pytest.mark.parametrize(
    ("framing", "stream", "answer", "fault"),
    [
        (lines(4), b"a\nb\n12345\nc\n", b"A\nB\n", (TOO_LONG, "more than 4 bytes without b'\\n'")),
        (lines(4), b"a\nb\n" + b"1" * 10_000, b"A\nB\n", (TOO_LONG, "more than 4 bytes without")),
        (delimited(b"--", 4), b"a--12345--", b"A--", (TOO_LONG, "more than 4 bytes without b'--'")),
        (
            length_prefixed(1, max_length=4),
            b"\1a\1b\5xyz",
            b"\1A\1B",
            (TOO_LONG, "5 bytes announced, 4 allowed"),
        ),
        (
            length_prefixed(1, includes_header=True),
            b"\2a\0",
            b"\2A",
            (MALFORMED, "a length of 0 that cannot include its own 1 bytes"),
        ),
        (Netstrings(), b"1:a,1:b,x:", b"1:A,1:B,", (MALFORMED, "no number: b'x'")),
    ],
    ids=range(6),
)
def test_what_is_no_message_is_refused_behind_the_good_ones(
    strategy: str, framing: Framing, stream: bytes, answer: bytes, fault: tuple[MessageFault, str]
) -> None:
    recorder = Recorder()
    stage = by(strategy, tcp().framed(framing).observe(recorder)).handler(upper)
    with serving(stage) as server:
        with connect(server.address) as client:
            client.sendall(stream)

            assert read_all(client) == answer  # it ends without our doing anything
        closed = recorder.wait_for(Closed)[0]

    assert closed.outcome is Outcome.BAD_MESSAGE
    refused = recorder.of(MessageRefused)
    assert [(event.id, event.peer, event.fault) for event in refused] == [
        (1, closed.peer, fault[0])
    ]
    assert refused[0].detail.startswith(fault[1])
    assert recorder.of(HandlerFailed) == []


@every_strategy
@pytest.mark.parametrize(
    ("refusal", "answer"), [(Close(), b"A\n"), (Reply(b"too long\n"), b"A\ntoo long\n")]
)
def test_refusal_may_be_a_word(strategy: str, refusal: Any, answer: bytes) -> None:
    stage = by(strategy, tcp().framed(lines(4), refusal=refusal))
    with serving(stage.handler(upper)) as server:
        assert ask(server.address, b"a\n12345\nb\n") == answer


@every_strategy
def test_refusal_may_be_a_reset(strategy: str) -> None:
    recorder = Recorder()
    stage = by(strategy, tcp().framed(lines(4), refusal=Reset()).observe(recorder))
    with serving(stage.handler(upper)) as server:
        with connect(server.address) as client:
            client.sendall(b"12345\n")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert recorder.wait_for(Closed)[0].outcome is Outcome.BAD_MESSAGE


@every_strategy
@pytest.mark.parametrize(
    ("framing", "stream"), [(lines(), b"a\nrest"), (fixed(4), b"good" + b"re"), (lines(), b"a\n\r")]
)
def test_message_that_is_cut_short_by_the_end_is_told_of_and_not_served(
    strategy: str, framing: Framing, stream: bytes
) -> None:
    recorder = Recorder()
    stage = by(strategy, tcp().framed(framing).observe(recorder)).handler(upper)
    with serving(stage) as server:
        answer = ask(server.address, stream)
        closed = recorder.wait_for(Closed)[0]

    assert len(recorder.of(MessageServed)) == 1
    assert answer.lower() in stream
    assert closed.outcome is Outcome.FINISHED
    assert [event.fault for event in recorder.of(MessageRefused)] == [MessageFault.INCOMPLETE]


class Broken(Netstrings):
    """A framing with a bug."""

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        if data.startswith(b"0"):
            raise ZeroDivisionError
        return super().cut(data, seen)


@every_strategy
def test_framing_that_fails_ends_its_connection_alone(strategy: str) -> None:
    recorder = Recorder()
    stage = by(strategy, tcp().framed(Broken()).observe(recorder)).handler(upper)
    with serving(stage) as server:
        assert ask(server.address, b"1:a,0:,1:b,") == b"1:A,"
        assert ask(server.address, b"1:a,") == b"1:A,"
        recorder.wait_for(Closed, 2)

    assert [type(event.error) for event in recorder.of(HandlerFailed)] == [ZeroDivisionError]
    assert {event.id: event.outcome for event in recorder.of(Closed)} == {
        1: Outcome.FAILED,
        2: Outcome.FINISHED,
    }


@every_strategy
@pytest.mark.parametrize("cut", [b"a", b"", (b"a", "2"), 3], ids=repr)
def test_framing_that_returns_what_it_should_not_ends_its_connection_alone(
    strategy: str, cut: Any
) -> None:
    class Returns(Netstrings):
        def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
            found = super().cut(data, seen)
            return cut if found is not None and found[0] == b"odd" else found

    recorder = Recorder()
    stage = by(strategy, tcp().framed(Returns()).observe(recorder)).handler(upper)
    with serving(stage) as server:
        for stream in ((b"1:a,3:odd,1:b,",), (b"1:a,3:o", b"dd,1:b,"), (b"1:a,",)):
            with connect(server.address) as client:
                client.sendall(stream[0])
                assert client.recv(4, socket.MSG_WAITALL) == b"1:A,"
                client.sendall(b"".join(stream[1:]))
                client.shutdown(socket.SHUT_WR)
                ending(client)
        closed = recorder.wait_for(Closed, 3)

    assert sorted(event.outcome.name for event in closed) == ["FAILED", "FAILED", "FINISHED"]
    texts = {str(event.error) for event in recorder.of(HandlerFailed)}
    assert texts == {f"cut must return (payload, size) or None, got {cut!r}"}


@every_strategy
def test_reply_that_cannot_be_wrapped_fails_its_handler(strategy: str) -> None:
    recorder = Recorder()

    def too_much(message: Any, client_address: object, server: object) -> None:
        message.reply(b"a" * 300)

    stage = by(strategy, tcp().framed(length_prefixed(1)).observe(recorder)).handler(too_much)
    with serving(stage) as server:
        assert ask(server.address, b"\1a") == b""
        assert recorder.wait_for(Closed)[0].outcome is Outcome.FAILED


@every_strategy
def test_policy_behind_framed_judges_each_message(strategy: str) -> None:
    recorder, asked = Recorder(), []

    def twice(peer: object) -> bool:
        asked.append(peer)
        return len(asked) <= 2

    framed = tcp().framed(lines()).access(twice, refusal=Reply(b"enough\n"))
    with serving(by(strategy, framed.observe(recorder)).handler(upper)) as server:
        assert ask(server.address, b"a\nb\nc\nd\n") == b"A\nB\nenough\n"
        assert recorder.wait_for(Closed)[0].outcome is Outcome.DENIED

    assert len(asked) == 3
    assert [event.id for event in recorder.of(Refused)] == [1]
    assert [event.outcome for event in recorder.of(MessageServed)] == [
        Outcome.FINISHED,
        Outcome.FINISHED,
        Outcome.DENIED,
    ]


@every_strategy
@pytest.mark.parametrize("refusal", [Close(), Reply(b"no\n"), Reset()], ids=repr)
def test_client_that_is_denied_behind_a_step_is_turned_away_by_type(
    strategy: str, refusal: Any
) -> None:
    recorder = Recorder()
    proxied = tcp().proxy_protocol(trusted=["127.0.0.0/8"])
    denying = proxied.access(lambda peer: False, refusal=refusal).framed(lines())
    with serving(by(strategy, denying.observe(recorder)).handler(upper)) as server:
        with connect(server.address) as client:
            client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")

            if isinstance(refusal, Reset):
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
            else:
                assert read_all(client) == getattr(refusal, "payload", b"")
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.DENIED


@every_strategy
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", HandshakeFailure.BAD_PROXY_HEADER),
        (b"PROXY TCP4 nowhere 198.51.100.2 1 2\r\n", HandshakeFailure.BAD_PROXY_HEADER),
        (b"PROXY TCP4 192.0.2.1 1", HandshakeFailure.CLIENT_LEFT),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\nno TLS", HandshakeFailure.NOT_TLS),
    ],
    ids=range(4),
)
def test_client_that_does_not_get_through_a_step_is_told_of_with_the_reason(
    strategy: str, data: bytes, reason: HandshakeFailure
) -> None:
    recorder = Recorder()
    way = tcp().proxy_protocol(trusted="127.0.0.1").tls(CERTIFICATE).framed(lines())
    ready = by(strategy, way.observe(recorder)).handler(upper)
    with serving(ready) as server, connect(server.address) as client:
        client.sendall(data)
        if reason is HandshakeFailure.CLIENT_LEFT:
            client.shutdown(socket.SHUT_WR)
        (failed,) = recorder.wait_for(HandshakeFailed)

    assert failed.reason is reason
    assert isinstance(failed.error, HandshakeError)
    assert failed.error.reason is reason
