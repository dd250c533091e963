"""A message to call a handler with does as those of a server do."""

from typing import Any, assert_type

import attrs
import pytest

from acceptor import IPv4Peer, replying
from acceptor.testing import FakeMessage


@attrs.define
class Session:
    name: str = "Ann"


def test_message_keeps_what_is_replied_in_its_order() -> None:
    message = FakeMessage(b"hello")

    accepted = [message.reply(b"one"), message.reply(b"two")]

    assert accepted == [True, True]
    assert message.replies == [b"one", b"two"]


def test_message_takes_no_reply_once_it_is_closed_or_its_client_has_left() -> None:
    closed, left = FakeMessage(b"hello"), FakeMessage(b"hello")
    closed.close()
    left.has_left = True

    accepted = [closed.reply(b"late"), left.reply(b"late")]

    assert accepted == [False, False]
    assert closed.replies == left.replies == []
    assert (closed.is_closed, left.is_closed) == (True, False)


def test_message_refuses_a_reply_that_is_no_bytes() -> None:
    text: Any = "hello"

    with pytest.raises(TypeError):
        FakeMessage(b"hello").reply(text)


def test_message_has_the_session_that_it_is_given_and_none_otherwise() -> None:
    with_session, without = FakeMessage(b"", session=Session()), FakeMessage(b"")

    assert assert_type(with_session.session, Session).name == "Ann"
    assert assert_type(without.session, None) is None


def test_message_comes_from_whom_it_is_said_to() -> None:
    peer = IPv4Peer("192.0.2.9", 9)

    message = FakeMessage(b"hello", peer=peer)

    assert (message.peer, message.hop, message.tls) == (peer, None, None)
    assert repr(message) == "FakeMessage(b'hello', peer=192.0.2.9:9)"


def test_message_goes_through_a_handler_made_of_a_function() -> None:
    message = FakeMessage(b"hello")
    no_server: Any = None

    replying(bytes.upper)(message, message.peer, no_server)

    assert message.replies == [b"HELLO"]
