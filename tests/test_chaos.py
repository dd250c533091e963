"""The fault matrix in short: every fault once, on every transport, under every strategy."""

import contextlib
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import attrs
import pytest

from acceptor import Accepted, Closed, Event, IPv4Peer, Outcome
from chaos.__main__ import main
from chaos.fault import STRATEGIES, TRANSPORTS, Fault
from chaos.framed_lab import FramedLab
from chaos.lab import FRAMED, STREAMS, Lab
from chaos.ledger import Ledger
from chaos.matrix import FAULTS, Effort, Result, cells, objections, run
from chaos.resources import can_be_measured
from chaos.rolling import Rolling
from chaos.rolling import main as rolling
from chaos.soak import PLACES
from chaos.soak import main as soak
from chaos.table import notes, what_is_wrong
from chaos.trend import trend
from tests.support import PATIENCE

pytestmark = [
    pytest.mark.skipif(not can_be_measured(), reason="needs /proc"),
    pytest.mark.timeout(180),  # two dozen faults each, some with deadlines to be waited for
]

GOOD_BOOKS = {"accepted": 3, "closed": 3, "most": 2, "wrong": [], "outcomes": {"FINISHED": 3}}


def nothing(lab: Lab) -> None:
    """Do no harm."""


def hold(lab: Lab) -> None:
    """Have a handler run for as long as the lab is open."""
    lab.hold()


NOTHING = Fault("nothing", "", nothing)


def cut_at_rest(lab: Lab) -> None:
    """Cut off the client to whom nothing shall happen."""
    assert isinstance(lab, FramedLab)
    assert lab._resting is not None
    lab._resting.shutdown(socket.SHUT_RDWR)


def tried(*faults: Fault, transport: str = "tcp") -> list[Result]:
    return list(run(cells({transport}, {"threaded"}, faults), Effort()))


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_server_is_as_before_after_every_fault(transport: str, strategy: str) -> None:
    results = list(run(cells({transport}, {strategy}), Effort()))

    assert len(results) >= (28 if transport in FRAMED else 20 if transport in STREAMS else 9)
    assert {str(it.cell): it.problem for it in results if it.problem} == {}
    # `make chaos` asks for a second; here the machine may be busy with other things.
    assert {str(it.cell): it.wait for it in results if it.wait > PATIENCE / 2} == {}


def test_every_fault_happens_somewhere_or_says_why_not() -> None:
    happening = {cell.fault.name for cell in cells()}

    assert happening == {fault.name for fault in FAULTS}
    for fault in FAULTS:
        everywhere = len(cells(faults=[fault])) == len(TRANSPORTS) * len(STRATEGIES)
        assert everywhere is (fault.elsewhere == "")


def test_matrix_finds_what_a_server_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos.patience.PATIENCE", 6.0)

    (result,) = tried(Fault("holds", "", hold))

    assert "keeps" in result.problem
    assert "descriptors where there were" in result.problem


def test_matrix_finds_that_a_connection_at_rest_was_not_spared() -> None:
    faults = [Fault("cuts", "", cut_at_rest), attrs.evolve(NOTHING, transports=FRAMED)]

    cut, spared = tried(*faults, transport="tcp_framed")

    assert "BrokenPipeError" in cut.problem
    assert spared.problem == ""


def test_matrix_goes_on_in_a_new_process_when_a_server_dies() -> None:
    def kill(lab: Lab) -> None:
        os.kill(lab.host.pid, signal.SIGKILL)

    died, went_on = tried(Fault("dies", "", kill), NOTHING)

    assert "HostLostError" in died.problem
    assert went_on.problem == ""


@pytest.mark.parametrize(
    ("change", "objection"),
    [
        ({}, []),
        ({"closed": 2}, ["3 accepted, 2 closed"]),
        ({"most": 9}, ["9 were open at a time"]),
        ({"outcomes": {"TIMED_OUT": 3}}, ["a request ended as TIMED_OUT"]),
        ({"outcomes": {"LOST": 3}}, []),
        ({"wrong": ["request 1 was accepted twice"]}, ["request 1 was accepted twice"]),
    ],
)
def test_matrix_objects_to_what_a_server_tells(
    change: dict[str, Any], objection: list[str]
) -> None:
    fault = attrs.evolve(NOTHING, may_tell=["LOST"], limits={"max_connections": 8})

    assert list(objections(fault, {**GOOD_BOOKS, **change})) == objection


def test_matrix_objects_when_an_outcome_is_not_told() -> None:
    fault = attrs.evolve(NOTHING, must_tell="LOST")

    assert list(objections(fault, GOOD_BOOKS)) == ["no request ended as LOST"]


def test_ledger_finds_an_end_that_is_told_twice_and_one_without_a_beginning() -> None:
    peer = IPv4Peer("192.0.2.1", 4000)
    events: list[Event] = [Accepted(id=1, peer=peer), Accepted(id=2, peer=peer)]
    events += [
        Closed(id=number, peer=peer, outcome=Outcome.CUT, elapsed=0.0, received=0, sent=0)
        for number in (1, 1, 3)
    ]
    ledger = Ledger()
    for event in events:
        ledger(event)

    books = ledger.books()

    assert (books["accepted"], books["closed"], books["open"], books["most"]) == (2, 3, 1, 2)
    assert books["wrong"] == [
        "request 1 was closed (CUT) and was not open",
        "request 3 was closed (CUT) and was not open",
    ]


def test_table_shows_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    effort = ["--repetitions", "2", "--size", "1", "--endurance", "0"]

    status = main(["handler raises", "--transport", "udp", "--strategy", "forked", *effort])

    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.startswith("| handler raises")]
    assert status == 0
    assert row.startswith("| handler raises | ends as handler failed | ")
    assert "4 failed" in row
    assert "1 of 1 cells are as required." in lines


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, ""),
        ({"problem": "keeps 1 threads where there were 0"}, "keeps 1 threads where there were 0"),
        ({"wait": 1.5}, "the next client waited 1.50 s"),
        ({"growth": 10_000}, "gained 10000 KiB"),
    ],
)
def test_table_says_what_is_wrong(change: dict[str, Any], what: str) -> None:
    (cell,) = cells({"tcp"}, {"sync"}, [NOTHING])
    result = attrs.evolve(Result(cell), **change)

    said = "\n".join(notes([NOTHING], [result]))

    assert what_is_wrong(result) == what
    assert what in said
    assert ("0 of 1 cells are as required." in said) is bool(what)


def test_trend_is_sure_of_what_grows_and_not_of_what_sways() -> None:
    times = [float(number) for number in range(30)]

    grows = trend(times, [100.0 * time + (time % 3) for time in times])
    sways = trend(times, [1000.0 * (time % 2) for time in times])

    assert round(grows.growth, -2) == 2900
    assert grows.surely_exceeds(2000)
    assert not grows.surely_exceeds(3000)
    assert not sways.surely_exceeds(0)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_rolling_restart_under_load_fails_no_request(capfd: pytest.CaptureFixture[str]) -> None:
    status = rolling(["--seconds", "3"])

    said = capfd.readouterr().out
    assert status == 0, said
    assert said.count("no error\n") == 2


def test_rolling_restart_finds_what_is_lost(tmp_path: Path) -> None:
    it = Rolling(0, str(tmp_path), "HTTP/1.1")
    with contextlib.closing(it):
        it.add()
        it._servers[0].kill()
        it.remove()

    assert it.lost == ["cut, left in the queue: it said nothing"]


def test_soak_finds_servers_flat(capsys: pytest.CaptureFixture[str]) -> None:
    status = soak(["--minutes", "0.05"])

    said = capsys.readouterr().out
    assert status == 0, said
    assert said.count("  flat\n") == len(PLACES)
