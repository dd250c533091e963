"""Every scenario runs on the standard module and on ours, and has to come to the same."""

import difflib
import pprint
import socketserver

import pytest

import acceptor.classic
from tests.classic.parity import SCENARIOS
from tests.classic.parity.differences import DIFFERENCES

ALIKE = sorted(set(SCENARIOS) - set(DIFFERENCES))


@pytest.mark.parametrize("name", ALIKE, ids=str)
def test_classic_does_as_the_standard_module(name: str) -> None:
    play = SCENARIOS[name]

    standard, ours = play(socketserver), play(acceptor.classic)

    assert ours == standard, in_contrast(standard, ours)


@pytest.mark.parametrize("name", DIFFERENCES, ids=str)
def test_classic_differs_from_the_standard_module_as_listed(name: str) -> None:
    play, difference = SCENARIOS[name], DIFFERENCES[name]

    standard, ours = play(socketserver), play(acceptor.classic)

    assert standard == difference.standard, "the standard module has changed"
    assert ours == difference.ours, difference.reason
    assert ours != standard, "there is no difference any more"


def in_contrast(standard: object, ours: object) -> str:
    """Return both, line by line, where they differ."""
    theirs, mine = (pprint.pformat(seen, width=100).splitlines() for seen in (standard, ours))
    names = "socketserver", "acceptor.classic"
    return "\n".join(difflib.unified_diff(theirs, mine, *names, lineterm=""))
