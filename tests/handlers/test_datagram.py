"""Datagram handlers made and run alone, on a datagram without a socket."""

import attrs
import pytest

from acceptor import (
    Datagram,
    DatagramHandler,
    IPv4Peer,
    NoReturnAddressError,
    Peer,
    ServerBuilder,
    UnixPeer,
)

PEER = IPv4Peer("127.0.0.1", 1)

server = ServerBuilder().udp(("127.0.0.1", 0)).handler(DatagramHandler).build()


@attrs.define
class Outbox:
    """Stands in for the listener: keeps the answers."""

    answers: list[bytes] = attrs.field(factory=list)

    def send(self, datagram: Datagram, payload: bytes) -> bool:
        self.answers.append(payload)
        return True


def make(
    kind: type[DatagramHandler], payload: bytes = b"question"
) -> tuple[DatagramHandler, Outbox]:
    outbox = Outbox()
    return kind(Datagram(payload, PEER, send=outbox.send), PEER, server), outbox


def test_rfile_holds_the_payload() -> None:
    handler, _ = make(DatagramHandler, b"one\ntwo")

    handler.setup()

    assert handler.rfile.readline() == b"one\n"
    assert handler.rfile.read() == b"two"


def test_finish_sends_what_was_written_as_one_datagram() -> None:
    handler, outbox = make(DatagramHandler)

    handler.setup()
    handler.wfile.write(b"one")
    handler.wfile.write(b"two")
    assert outbox.answers == []
    handler.finish()

    assert outbox.answers == [b"onetwo"]


def test_finish_sends_nothing_if_nothing_was_written() -> None:
    handler, outbox = make(DatagramHandler)

    handler.setup()
    handler.handle()
    handler.wfile.write(b"")
    handler.finish()

    assert outbox.answers == []


def test_reply_sends_at_once_and_any_number_of_times() -> None:
    handler, outbox = make(DatagramHandler)

    handler.setup()
    assert handler.request.reply(b"") is True
    handler.request.reply(b"two")
    handler.finish()

    assert outbox.answers == [b"", b"two"]


def test_finish_after_a_reply_sends_what_was_written_besides() -> None:
    handler, outbox = make(DatagramHandler)

    handler.setup()
    handler.request.reply(b"first")
    handler.wfile.write(b"second")
    handler.finish()

    assert outbox.answers == [b"first", b"second"]


def test_handler_made_alone_opens_nothing() -> None:
    handler, _ = make(DatagramHandler)

    assert vars(handler).keys() == {"request", "client_address", "server"}


def test_finish_tells_that_nobody_can_be_answered() -> None:
    def nobody(datagram: Datagram, payload: bytes) -> bool:
        raise NoReturnAddressError("the sender has no address")

    handler = DatagramHandler[Peer](Datagram(b"", UnixPeer(), send=nobody), UnixPeer(), server)

    handler.setup()
    handler.wfile.write(b"answer")

    with pytest.raises(NoReturnAddressError):
        handler.finish()


def test_datagram_without_a_listener_can_be_made_for_tests() -> None:
    datagram = Datagram(b"payload", PEER)

    assert datagram.reply(b"answer") is True
    assert (datagram.payload, datagram.truncated, datagram.local_host) == (b"payload", False, None)
    assert datagram != Datagram(b"payload", PEER)
    assert "payload" in repr(datagram)
    assert "send" not in repr(datagram)
