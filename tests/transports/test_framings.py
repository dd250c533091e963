"""What each framing takes, what it refuses and when, and how it is cut where it says nothing."""

from typing import Literal

import pytest

from acceptor import Framing, FramingError, delimited, fixed, length_prefixed, lines
from acceptor.transports.cutting import cutter_of
from tests.transports.framing_kit import Netstrings, OnlyCuts, connection_of, feed, singly

TOO_LONG = "FramingError MessageFault.TOO_LONG"
MALFORMED = "FramingError MessageFault.MALFORMED"


@pytest.mark.parametrize(
    ("framing", "stream", "messages"),
    [
        (lines(), b"one\ntwo\r\n\n\r\nthree\r\r\nfour", [b"one", b"two", b"", b"", b"three\r"]),
        (lines(), b"a\rb\n", [b"a\rb"]),
        (delimited(b"\r\n"), b"a\nb\rc\r\nd\r", [b"a\nb\rc"]),
        (delimited(b"\n"), b"a\r\n", [b"a\r"]),
        (delimited(b"aa"), b"aaaba", [b"", b"ab"][:1]),
        (length_prefixed(1), b"\2ab\0\1c\5abc", [b"ab", b"", b"c"]),
        (length_prefixed(2, "little"), b"\1\0a\0\0", [b"a", b""]),
        (length_prefixed(2, includes_header=True), b"\0\3a\0\2", [b"a", b""]),
        (length_prefixed(8), b"\0\0\0\0\0\0\0\1a", [b"a"]),
        (fixed(2), b"abcde", [b"ab", b"cd"]),
        (Netstrings(), b"3:a,b,0:,1:", [b"a,b", b""]),
    ],
    ids=range(11),
)
def test_framing_cuts(framing: Framing, stream: bytes, messages: list[bytes]) -> None:
    for pieces in ([stream], singly(stream)):
        assert feed(framing, pieces).messages == messages
        assert feed(OnlyCuts(framing), pieces).messages == messages


@pytest.mark.parametrize(
    ("framing", "longest", "longer"),
    [
        (lines(3), b"abc\n", b"abcd\n"),
        (lines(3), b"abc\r\n", b"abcd\r\n"),
        (lines(3), b"abc\r\n", b"abc\r\r\n"),
        (delimited(b"--", 3), b"abc--", b"abcd--"),
        (length_prefixed(2, max_length=3), b"\0\3abc", b"\0\4abcd"),
        (length_prefixed(2, "little", 3, includes_header=True), b"\5\0abc", b"\6\0abcd"),
        (length_prefixed(1, max_length=0), b"\0", b"\1a"),
    ],
    ids=range(7),
)
def test_bound_is_of_the_payload_alone(framing: Framing, longest: bytes, longer: bytes) -> None:
    for pieces in ([longest * 2 + longer], singly(longest * 2 + longer)):
        fed = feed(framing, pieces)

        assert len(fed.messages) == 2
        assert fed.fault == TOO_LONG


@pytest.mark.parametrize(
    ("framing", "stream", "taken"),
    [
        (delimited(b"\0", 10), b"a" * 50, 11),
        (delimited(b"--", 10), b"a" * 50, 12),
        (lines(10), b"a" * 50, 12),
        (lines(10), b"ab\n" + b"\r" * 50, 15),
        (length_prefixed(4, max_length=10), b"\0\0\0\x0bhello", 4),
        (length_prefixed(8, max_length=10), b"\xff" * 50, 8),
        (length_prefixed(4, "little", 10), b"\0\0\0\1hello", 4),
        (length_prefixed(2, max_length=10, includes_header=True), b"\0\x0dhello", 2),
    ],
    ids=range(8),
)
def test_message_that_is_too_long_is_refused_before_it_has_come(
    framing: Framing, stream: bytes, taken: int
) -> None:
    for kind in (framing, OnlyCuts(framing)):
        fed = feed(kind, singly(stream))

        assert fed.fault == TOO_LONG
        assert fed.taken == taken
        assert fed.most < taken


def test_framing_that_sets_no_bound_has_one_of_a_mebibyte() -> None:
    claim = b"9999999:"

    fed = feed(Netstrings(), [claim, *[b"a" * 2**16] * 100])

    assert fed.fault == TOO_LONG
    assert (
        fed.taken == 2**20 + 2**16 + len(claim) - len(claim) * 0 - 0 or fed.taken <= 2**20 + 2**16
    )
    assert fed.most <= 2**20


@pytest.mark.parametrize("announced", [0, 1, 2, 3])
@pytest.mark.parametrize("byteorder", ["big", "little"])
def test_length_that_cannot_include_itself_is_malformed(
    announced: int, byteorder: Literal["big", "little"]
) -> None:
    framing = length_prefixed(4, byteorder, includes_header=True)
    stream = framing.wrap(b"good") * 2 + announced.to_bytes(4, byteorder) + b"more"

    for pieces in ([stream], singly(stream)):
        fed = feed(framing, pieces)

        assert fed.messages == [b"good", b"good"]
        assert fed.fault == MALFORMED


def test_what_follows_a_malformed_message_is_not_looked_at() -> None:
    fed = feed(Netstrings(), [b"1:a,1:b,x:,1:c,"])

    assert fed.messages == [b"a", b"b"]
    assert fed.fault == MALFORMED


def test_framing_is_told_what_it_has_seen_in_vain() -> None:
    seen: list[tuple[int, int]] = []

    class Watched(Netstrings):
        def cut(self, data: bytes | bytearray, before: int, /) -> tuple[bytes, int] | None:
            seen.append((len(data), before))
            return super().cut(data, before)

    connection = connection_of(Watched())
    connection.cut_messages(b"5:ab")
    seen.clear()

    connection.cut_messages(b"cd")
    connection.cut_messages(b"e")
    connection.cut_messages(b",2:x")
    connection.cut_messages(b"y,")

    assert seen[:3] == [(6, 4), (7, 6), (11, 7)]
    assert seen[-1] == (5, 3)


@pytest.mark.parametrize("length", [4000, 4095, 4096, 4097, 5000, 16384, 60000])
def test_messages_of_any_length_are_cut_one_by_one(length: int) -> None:
    framing = Netstrings()
    payloads = [b"a", b"b" * length, b"", b"c" * length, b"d"]
    stream = b"".join(map(framing.wrap, payloads))

    assert cutter_of(framing)(stream + b"3:ab") == [*payloads, b"3:ab"]


def test_short_messages_cost_no_copies_of_what_follows_a_long_one() -> None:
    given = 0

    class Counted(Netstrings):
        def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
            nonlocal given
            given += len(data)
            return super().cut(data, seen)

    stream = Netstrings().wrap(b"a" * 5000) + Netstrings().wrap(b"b") * 10_000
    cutter_of(Counted())(stream)

    assert given < 10_001 * 4096 + 2 * 16384


def test_framing_that_cuts_nothing_off_does_not_hang() -> None:
    class Stuck(Netstrings):
        def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
            return bytes(data[:1]), 0

    assert cutter_of(Stuck())(b"abc") == [b"a", b"b", b"c", b""]


@pytest.mark.parametrize(
    ("framing", "payload", "text"),
    [
        (length_prefixed(1), b"a" * 256, "256 bytes are more than a length of 1 bytes can say"),
        (length_prefixed(1, includes_header=True), b"a" * 255, "255 bytes are more than"),
        (fixed(4), b"abc", "a message has 4 bytes here, this one 3"),
        (fixed(4), b"abcde", "a message has 4 bytes here, this one 5"),
    ],
    ids=range(4),
)
def test_payload_that_cannot_be_said_is_refused(
    framing: Framing, payload: bytes, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        framing.wrap(payload)


def test_lines_reply_with_the_ending_that_was_chosen() -> None:
    assert lines().wrap(b"a") == b"a\n"
    assert lines(ending=b"\r\n").wrap(b"a") == b"a\r\n"
    assert delimited(b"--").wrap(b"a") == b"a--"


@pytest.mark.parametrize(
    ("framing", "text"),
    [
        (lines(), r"lines(max_length=65536, ending=b'\n')"),
        (delimited(b"\0", 9), r"delimited(b'\x00', max_length=9)"),
        (fixed(3), "fixed(3)"),
        (
            length_prefixed(2, "little", 5, includes_header=True),
            "length_prefixed(2, byteorder='little', max_length=5, includes_header=True)",
        ),
    ],
    ids=range(4),
)
def test_framing_prints_as_it_is_written_and_compares(framing: Framing, text: str) -> None:
    names = (lines, delimited, fixed, length_prefixed)
    made = eval(text, {name.__name__: name for name in names})

    assert repr(framing) == text
    assert made == framing


def test_error_of_a_framing_says_malformed_unless_told() -> None:
    assert FramingError("what").fault.name == "MALFORMED"
    assert str(FramingError("what")) == "what"
