"""Policies that take longer than the end of the server that asks them."""

import sys
import threading

import pytest

from acceptor import Closed, Outcome, Phase
from acceptor.core import drain, lending
from tests.core.kit import STRATEGIES
from tests.fakes import Call, greet, tcp
from tests.support import PATIENCE, Recorder, connect, read_all, wait_until

LENT = ("threaded", "pooled") if sys.platform == "linux" else ()


@pytest.mark.filterwarnings("ignore::acceptor.ForkWithThreadsWarning")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_stop_gives_up_on_a_policy_and_nobody_is_served_afterwards(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "LEAVE_PATIENCE", 0.0)
    monkeypatch.setattr(lending, "PATIENCE", 0.0)
    asked, may_answer, recorder = threading.Event(), threading.Event(), Recorder()

    def think(peer: object) -> bool:
        asked.set()
        return may_answer.wait(2 * PATIENCE)

    stage = getattr(tcp(), strategy)().access(think).observe(recorder).handler(greet)
    server = stage.build().start()
    with connect(server.address) as client:
        assert asked.wait(PATIENCE)

        try:
            report = Call(server.stop).result()
            phase, is_left = server.phase, strategy in LENT and server.wait(PATIENCE)
        finally:
            may_answer.set()

        answer = read_all(client)
    assert server.wait(PATIENCE)
    recorder.wait_for(Closed)
    wait_until(lambda: server.stats.active == 0)
    assert phase is Phase.CLOSED
    assert is_left == (strategy in LENT)  # elsewhere it is the thread that accepts who asks
    assert (report.finished, report.cut) == (0, 0)
    assert answer == b""
    assert [closed.outcome for closed in recorder.of(Closed)] == [Outcome.CUT]
    assert server.stats.cut == 1
