"""What a transport must do whose requests are datagrams."""

from typing import Final

from acceptor.core.limits import Reply
from acceptor.testing.exam.paper import in_time, promised, require
from acceptor.testing.exam.room import HELLO, Room


def _carries_datagrams(room: Room) -> None:
    client = room.come()
    incoming = room.take()
    request, traffic = room.shake(incoming)
    require(request.payload == HELLO, f"the payload must be what was sent, is {request.payload!r}")
    require(not request.truncated, "a datagram that fits must not be said to be truncated")
    require(request.peer == incoming.peer, "datagram and incoming must have the same peer")
    for answer in (b"answer", b"another"):
        with promised("reply() must reach the sender"):
            require(request.reply(answer), "reply() must say that it was sent")
            require(client.recv(100) == answer, "reply() must reach the sender, as one datagram")
    expected = [len(HELLO), len(b"answeranother")]
    require(traffic == expected, f"the traffic must count the bytes, {expected}, is {traffic}")


def _answers_after_it_is_retired(room: Room) -> None:
    client, _, request = room.served()
    room.listener.retire()
    with promised("datagrams that were taken must be answered after retire()"):
        require(request.reply(b"late"), "reply() must still reach the sender after retire()")
        require(client.recv(100) == b"late", "reply() must still reach the sender after retire()")


def _answers_who_has_left(room: Room) -> None:
    client, _, request = room.served()
    client.close()
    with promised("reply() must not raise when the sender is gone"):
        in_time(lambda: request.reply(b"hello?"), "reply() must not wait for ever", room.patience)


def _refuses_with_a_reply(room: Room) -> None:
    client = room.come()
    room.take().refuse(Reply(b"busy\n"))
    with promised("refuse(Reply(...)) must answer the sender"):
        require(client.recv(100) == b"busy\n", "refuse(Reply(...)) must send its payload")
    room.come()
    with promised("refuse() must not raise for a reply that is too long for a datagram"):
        room.take().refuse(Reply(bytes(2**20)))


DATAGRAM_QUESTIONS: Final = (
    _carries_datagrams,
    _answers_after_it_is_retired,
    _answers_who_has_left,
    _refuses_with_a_reply,
)
