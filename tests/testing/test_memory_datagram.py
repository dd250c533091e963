"""Datagrams without a network, served by real servers."""

import errno
from typing import Any

import pytest

from acceptor import (
    Closed,
    Datagram,
    DatagramHandler,
    IPv4Peer,
    NeedsHandler,
    NoReturnAddressError,
    Refused,
    Server,
    ServerBuilder,
    UnixPeer,
    UnsupportedError,
    allow_networks,
)
from acceptor.testing import MemoryDatagramTransport, serve
from tests.fakes import Call


class Shout(DatagramHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


@pytest.fixture
def transport() -> MemoryDatagramTransport:
    return MemoryDatagramTransport()


@pytest.fixture(params=["sync", "threaded"])
def stage(
    request: pytest.FixtureRequest, transport: MemoryDatagramTransport
) -> NeedsHandler[Datagram, Any]:
    builder = ServerBuilder().transport(transport)
    return builder.sync() if request.param == "sync" else builder.threaded()


def test_handler_class_answers_memory_datagrams(
    stage: NeedsHandler[Datagram, Any], transport: MemoryDatagramTransport
) -> None:
    with serve(stage.handler(Shout)) as serving, transport.connect() as client:
        for number in range(5):
            client.send(b"question %d" % number)

            assert client.receive() == b"QUESTION %d" % number
        closed = serving.events.wait_for(Closed, 5)

    assert {(event.received, event.sent) for event in closed} == {(10, 10)}


def test_each_client_gets_its_own_answers(
    stage: NeedsHandler[Datagram, Any], transport: MemoryDatagramTransport
) -> None:
    with (
        serve(stage.handler(Shout)),
        transport.connect() as first,
        transport.connect() as second,
    ):
        second.send(b"second")
        first.sendto(b"first", ("anywhere", 1))

        assert first.recvfrom(100) == (b"FIRST", ("127.0.0.1", 9999))
        assert second.receive() == b"SECOND"


def test_datagram_that_is_too_long_arrives_cut_and_says_so() -> None:
    transport, seen = MemoryDatagramTransport(max_datagram_size=4), list[Datagram]()

    def note(request: Datagram, client_address: object, server: Server[Any, Any]) -> None:
        seen.append(request)
        request.reply(b"")

    with serve(ServerBuilder().transport(transport).handler(note)), transport.connect() as client:
        for payload in (b"four", b"fiver", b""):
            client.send(payload)
            assert client.receive() == b""

    assert [(one.payload, one.truncated) for one in seen] == [
        (b"four", False),
        (b"five", True),
        (b"", False),
    ]


def test_datagram_that_no_datagram_can_be_is_refused(transport: MemoryDatagramTransport) -> None:
    def answer(request: Datagram, client_address: object, server: Server[Any, Any]) -> None:
        with pytest.raises(OSError, match=r".*") as caught:
            request.reply(bytes(70_000))
        request.reply(b"%d" % (caught.value.errno or 0))

    with serve(ServerBuilder().transport(transport).handler(answer)), transport.connect() as client:
        with pytest.raises(OSError, match=r".*") as caught:
            client.send(bytes(70_000))
        client.send(b"?")

        assert client.receive() == b"%d" % errno.EMSGSIZE

    assert caught.value.errno == errno.EMSGSIZE


def test_sender_without_a_name_cannot_be_answered() -> None:
    transport = MemoryDatagramTransport(address=UnixPeer("/run/log.sock"))
    stage = ServerBuilder().transport(transport).handler(Shout)
    with serve(stage, may_fail=True) as serving:
        with transport.connect(UnixPeer()) as nobody:
            nobody.send(b"hello?")
            serving.events.wait_for(Closed)
        with transport.connect() as somebody:
            somebody.send(b"hello!")

            assert somebody.receive() == b"HELLO!"
        failures = [event.outcome for event in serving.events.wait_for(Closed, 2)]

    assert len(set(failures)) == 2
    assert NoReturnAddressError.__name__ in str(serving.events.events)


def test_reply_to_a_sender_that_has_left_is_not_taken(transport: MemoryDatagramTransport) -> None:
    listener = transport.listen()
    with transport.connect() as client:
        client.send(b"bye")
    datagram = listener.accept()
    listener.close()

    assert datagram is not None
    assert datagram.reply(b"hello?") is False


def test_nobody_is_reached_while_nobody_listens(transport: MemoryDatagramTransport) -> None:
    with transport.connect() as client, pytest.raises(ConnectionRefusedError):
        client.send(b"hello?")


def test_policies_judge_the_peer_that_a_client_says_it_is(
    transport: MemoryDatagramTransport,
) -> None:
    stage = ServerBuilder().transport(transport).access(allow_networks("10.0.0.0/8"))
    with serve(stage.handler(Shout)) as serving:
        with transport.connect(IPv4Peer("192.0.2.1", 4000)) as stranger:
            stranger.send(b"hello?")
            [refused] = serving.events.wait_for(Refused)
        with transport.connect(IPv4Peer("10.1.2.3", 4000)) as friend:
            friend.send(b"hello!")

            assert friend.receive() == b"HELLO!"

    assert refused.peer == IPv4Peer("192.0.2.1", 4000)


def test_client_that_waits_in_vain_is_told(transport: MemoryDatagramTransport) -> None:
    with transport.connect(timeout=0.01) as client:
        with pytest.raises(TimeoutError):
            client.receive()
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.receive()


def test_client_that_is_closed_waits_no_longer(transport: MemoryDatagramTransport) -> None:
    client = transport.connect()
    waiting = Call(client.receive)

    client.close()

    assert isinstance(waiting.result(), OSError)
    with pytest.raises(OSError, match="Bad file descriptor"):
        client.send(b"x")


def test_datagrams_that_were_left_are_counted(transport: MemoryDatagramTransport) -> None:
    listener = transport.listen()
    with transport.connect() as client:
        for _ in range(3):
            client.send(b"hello?")

    assert listener.waiting() == 3
    assert (listener.retire(), listener.retire()) == (3, 0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_children_cannot_be_reached_and_the_client_is_told(
    transport: MemoryDatagramTransport,
) -> None:
    with serve(ServerBuilder().transport(transport).forked().handler(Shout)) as serving:
        with transport.connect() as client:
            client.send(b"hello?")
            with pytest.raises(UnsupportedError, match="cannot reach a forked child"):
                client.receive()
        serving.events.wait_for(Closed)
