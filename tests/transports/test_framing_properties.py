"""However a stream is cut into pieces, the messages are the same; and no stream takes more room."""

from typing import Final, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acceptor import Framing, delimited, fixed, length_prefixed, lines
from acceptor.transports.cutting import cutter_of
from tests.transports.framing_kit import Fed, Netstrings, OnlyCuts, feed, pieces_of, singly

# Short lengths, so that streams of a few bytes reach each bound; and few letters, those that mean
# something among them, so that separators are met, and met in halves.
_CUTTING: Final[list[tuple[Framing, bytes]]] = [
    (lines(max_length=5), b"\r\na"),
    (lines(max_length=1), b"\r\na"),
    (lines(ending=b"\r\n"), b"\r\na"),
    (delimited(b"\0", max_length=4), b"\0a"),
    (delimited(b"\r\n", max_length=4), b"\r\na"),
    (delimited(b"aba", max_length=6), b"ab"),
    (delimited(b"--a-", max_length=3), b"-a"),
    (length_prefixed(1, max_length=3), b"\0\1\2\3\4a"),
    (length_prefixed(2, max_length=3), b"\0\1\3\4"),
    (length_prefixed(2, byteorder="little", max_length=3), b"\0\1\3\4"),
    (length_prefixed(3, max_length=2, includes_header=True), b"\0\2\3\4\5"),
    (length_prefixed(8, max_length=0), b"\0\0\0\0\0\0\1"),
    (fixed(1), b"ab"),
    (fixed(3), b"ab"),
    (Netstrings(), b"012:,a"),
]
FRAMINGS: Final = [
    *_CUTTING,
    *((OnlyCuts(framing), letters) for framing, letters in _CUTTING),
]

framings = pytest.mark.parametrize(("framing", "letters"), FRAMINGS, ids=range(len(FRAMINGS)))
places = st.sets(st.integers(1, 40), max_size=12)
quick: Final = settings(max_examples=60, deadline=None, database=None)


def verdict(fed: Fed) -> tuple[list[bytes], str]:
    return fed.messages, fed.fault


@framings
@given(data=st.data())
@quick
def test_any_cutting_of_a_stream_gives_the_same_messages_and_the_same_verdict(
    framing: Framing, letters: bytes, data: st.DataObject
) -> None:
    stream = bytes(data.draw(st.lists(st.sampled_from(letters), max_size=40)))
    pieces = pieces_of(stream, data.draw(places))

    whole = feed(framing, [stream] if stream else [])

    assert verdict(feed(framing, pieces)) == verdict(whole)
    assert verdict(feed(framing, singly(stream))) == verdict(whole)


@framings
@given(data=st.data())
@quick
def test_all_that_one_by_one_cuts_is_what_is_cut_at_once(
    framing: Framing, letters: bytes, data: st.DataObject
) -> None:
    stream = bytes(data.draw(st.lists(st.sampled_from(letters), max_size=40)))

    *messages, rest = cutter_of(framing)(stream)

    assert messages == feed(framing, singly(stream)).messages
    assert stream.endswith(rest)
    assert feed(framing, [rest] if rest else []).messages == []


@framings
@given(data=st.data())
@quick
def test_no_stream_has_more_kept_than_one_message_may_take(
    framing: Framing, letters: bytes, data: st.DataObject
) -> None:
    stream = bytes(data.draw(st.lists(st.sampled_from(letters), max_size=60)))
    most: int = getattr(framing, "max_size", 60)

    fed = feed(framing, pieces_of(stream, data.draw(places)))

    assert fed.most <= most


@pytest.mark.parametrize("only_cuts", [False, True])
@pytest.mark.parametrize("size", range(1, 9))
@given(
    kind=st.tuples(st.sampled_from(["big", "little"]), st.booleans()),
    payloads=st.lists(st.binary(max_size=12), max_size=12),
    places=places,
)
@quick
def test_what_is_wrapped_with_a_length_is_cut_again(
    size: int,
    only_cuts: bool,
    kind: tuple[Literal["big", "little"], bool],
    payloads: list[bytes],
    places: set[int],
) -> None:
    framing = length_prefixed(size, kind[0], 12, kind[1])
    stream = b"".join(map(framing.wrap, payloads))

    fed = feed(OnlyCuts(framing) if only_cuts else framing, pieces_of(stream, places))

    assert verdict(fed) == (payloads, "")


@pytest.mark.parametrize("only_cuts", [False, True])
@pytest.mark.parametrize(
    "framing",
    [
        lines(12),
        lines(12, ending=b"\r\n"),
        delimited(b"\0", 12),
        delimited(b"\r\n\r\n", 12),
        Netstrings(),
    ],
    ids=str,
)
@given(payloads=st.lists(st.text("a\u20ac,:9 ", max_size=4), max_size=12), places=places)
@quick
def test_what_is_wrapped_is_cut_again(
    framing: Framing, only_cuts: bool, payloads: list[str], places: set[int]
) -> None:
    sent = [payload.encode() for payload in payloads]
    stream = b"".join(map(framing.wrap, sent))

    fed = feed(OnlyCuts(framing) if only_cuts else framing, pieces_of(stream, places))

    assert verdict(fed) == (sent, "")


@given(endings=st.lists(st.sampled_from([b"\n", b"\r\n"]), max_size=10), places=places)
@quick
def test_lines_of_both_kinds_may_be_mixed(endings: list[bytes], places: set[int]) -> None:
    stream = b"".join(b"%d" % number + ending for number, ending in enumerate(endings))

    fed = feed(lines(), pieces_of(stream, places))

    assert fed.messages == [b"%d" % number for number in range(len(endings))]
