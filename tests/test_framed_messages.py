"""What a message is and does, under every strategy."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    Closed,
    HandlerFailed,
    IPv4Peer,
    Message,
    MessageServed,
    Outcome,
    ServerBuilder,
    lines,
    replying,
)
from tests.fakes import Call
from tests.framed_kit import (
    IN_THREADS,
    STRATEGIES,
    Kept,
    by,
    obey,
    read_line,
    tcp,
    upper,
)
from tests.support import PATIENCE, Recorder, ask, connect, read_all, serving

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
in_threads = pytest.mark.parametrize("strategy", IN_THREADS)


def tell(message: Message, client_address: Any, server: Any) -> None:
    facts = (
        message.payload == b"what?",
        message.peer == client_address,
        isinstance(client_address, IPv4Peer),
        (message.session, message.hop, message.tls) == (None, None, None),
        repr(message) == f"Message(payload=b'what?', peer={client_address!r})",
        server.address.port != client_address.port,
    )
    message.reply(repr(facts).encode())


@every_strategy
def test_message_tells_what_it_is_and_who_has_sent_it(strategy: str) -> None:
    with serving(by(strategy, tcp().framed(lines())).handler(tell)) as server:
        assert ask(server.address, b"what?\n") == repr((True,) * 6).encode() + b"\n"


@every_strategy
def test_pipelined_messages_of_a_half_closed_client_are_all_answered_in_order(
    strategy: str,
) -> None:
    count = 40 if strategy == "forked" else 1000
    question = b"".join(b"line %d\n" % number for number in range(count))

    with serving(by(strategy, tcp().framed(lines())).handler(upper)) as server:
        assert ask(server.address, question) == question.upper()


@every_strategy
def test_message_may_be_replied_to_any_number_of_times(strategy: str) -> None:
    def thrice(message: Message, client_address: object, server: object) -> None:
        for number in range(3):
            assert message.reply(message.payload + b"%d" % number)

    with serving(by(strategy, tcp().framed(lines())).handler(thrice)) as server:
        assert ask(server.address, b"a\nb\n") == b"a0\na1\na2\nb0\nb1\nb2\n"


@every_strategy
def test_replies_that_a_slow_reader_leaves_lying_come_whole_and_in_order(
    strategy: str, tmp_path: Path
) -> None:
    def much(message: Message, client_address: object, server: object) -> None:
        message.reply(message.payload * 200_000)
        message.reply(b"by %d" % os.getpid())

    # The buffers of a Unix socket are small, so most of a reply waits for the client to read.
    letters, recorder = b"abcdefgh", Recorder()
    unix = ServerBuilder().unix_stream(tmp_path / "it.sock").observe(recorder)
    stage = by(strategy, unix.framed(lines(), max_output=2**24))
    with serving(stage.handler(much)) as server, connect(server.address) as client:
        client.sendall(b"".join(b"%c0123\n" % letter for letter in letters))
        client.shutdown(socket.SHUT_WR)
        recorder.wait_for(MessageServed)
        answer = read_all(client)

    *replies, last = answer.split(b"\n")
    assert last == b""
    assert replies[::2] == [b"%c0123" % letter * 200_000 for letter in letters]
    served_by = set(replies[1::2])
    assert len(served_by) == (len(letters) if strategy == "forked" else 1)
    assert (b"by %d" % os.getpid() in served_by) == (strategy != "forked")


@every_strategy
def test_thread_of_the_handler_may_reply_while_it_runs(strategy: str) -> None:
    def in_thread(message: Message, client_address: object, server: object) -> None:
        accepted = Call(lambda: message.reply(b"from a thread")).result()
        message.reply(b"%d" % accepted)

    stage = by(strategy, tcp().framed(lines()))
    with serving(stage.handler(in_thread)) as server, connect(server.address) as client:
        client.sendall(b"?\n")
        client.shutdown(socket.SHUT_WR)

        assert sorted(read_all(client).splitlines()) == [b"1", b"from a thread"]


@in_threads
def test_message_may_be_replied_to_after_its_handler_has_returned(strategy: str) -> None:
    kept = Kept()
    stage = by(strategy, tcp().framed(lines()))
    with serving(stage.handler(kept)) as server, connect(server.address) as client:
        client.sendall(b"?\n")
        assert kept.came.wait(PATIENCE)

        for number in range(100):
            assert kept.messages[0].reply(b"%d" % number)
            assert read_line(client) == b"%d\n" % number


@in_threads
def test_reply_is_not_accepted_once_the_connection_has_ended(strategy: str) -> None:
    kept, recorder = Kept(), Recorder()
    stage = by(strategy, tcp().framed(lines()).observe(recorder))
    with serving(stage.handler(kept)) as server:
        ask(server.address, b"?\n")
        recorder.wait_for(Closed)

        assert kept.messages[0].reply(b"too late") is False
        assert Call(lambda: kept.messages[0].reply(b"too late")).result() is False
        kept.messages[0].close()


@every_strategy
def test_close_ends_the_connection_behind_the_replies_so_far(strategy: str) -> None:
    def last_word(message: Message, client_address: object, server: object) -> None:
        message.reply(b"a" * 500_000)
        message.close()
        assert not message.reply(b"behind the end")

    recorder = Recorder()
    stage = by(strategy, tcp().framed(lines()).observe(recorder)).handler(last_word)
    with serving(stage) as server:
        with connect(server.address) as client:
            client.sendall(b"1\n2\n3\n")

            assert read_all(client) == b"a" * 500_000 + b"\n"
        closed = recorder.wait_for(Closed)[0]

    assert closed.outcome is Outcome.FINISHED
    assert len(recorder.of(MessageServed)) == 1


@in_threads
def test_other_thread_may_close_behind_what_it_has_replied(strategy: str) -> None:
    kept, recorder = Kept(), Recorder()
    stage = by(strategy, tcp().framed(lines()).observe(recorder)).handler(kept)
    with serving(stage) as server:
        with connect(server.address) as client:
            client.sendall(b"?\n")
            assert kept.came.wait(PATIENCE)
            for number in range(10):
                assert kept.messages[0].reply(b"%d" % number)
            kept.messages[0].close()

            assert read_all(client) == b"".join(b"%d\n" % number for number in range(10))
        assert recorder.wait_for(Closed)[0].outcome is Outcome.FINISHED


@in_threads
def test_close_of_another_thread_lets_the_handler_finish(strategy: str) -> None:
    def closed_by_another(message: Message, client_address: object, server: object) -> None:
        message.reply(b"before")
        thread = threading.Thread(target=message.close)
        thread.start()
        thread.join()

    stage = by(strategy, tcp().framed(lines()))
    with serving(stage.handler(closed_by_another)) as server, connect(server.address) as client:
        client.sendall(b"1\n2\n")

        assert read_all(client) == b"before\n"


@every_strategy
def test_handler_that_raises_ends_its_own_connection_alone(strategy: str) -> None:
    recorder = Recorder()
    stage = by(strategy, tcp().framed(lines()).observe(recorder)).handler(obey)
    with serving(stage) as server, connect(server.address) as other:
        other.sendall(b"before\n")
        assert read_line(other) == b"before\n"

        assert ask(server.address, b"good\nfail\nnever\n") == b"good\n"

        other.sendall(b"after\n")
        assert read_line(other) == b"after\n"
        recorder.wait_for(Closed)

    assert recorder.of(Closed)[0].outcome is Outcome.FAILED
    served = recorder.of(MessageServed, lambda event: event.id == 2)
    assert [event.outcome for event in served] == [Outcome.FINISHED, Outcome.FAILED]
    if strategy != "forked":  # where it is told in the child
        assert [repr(event.error) for event in recorder.of(HandlerFailed)] == [
            "ValueError('as it was told')"
        ]


def several(payload: bytes) -> Iterator[bytes]:
    yield payload
    yield payload * 2


@every_strategy
@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (bytes.upper, b"A\nB\n"),
        (lambda payload: None, b""),
        (several, b"a\naa\nb\nbb\n"),
        (lambda payload: [payload] * 3, b"a\na\na\nb\nb\nb\n"),
        (lambda payload: [], b""),
        (lambda payload: b"", b"\n\n"),
        (bytearray, b"a\nb\n"),
    ],
    ids=range(7),
)
def test_replying_sends_what_the_function_returns(
    strategy: str, function: Any, answer: bytes
) -> None:
    with serving(by(strategy, tcp().framed(lines())).handler(replying(function))) as server:
        assert ask(server.address, b"a\nb\n") == answer
