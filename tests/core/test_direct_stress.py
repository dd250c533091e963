"""Datagrams that fly while other threads count, list and cut them."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import Message, Server, Stats
from tests.core.kit import DATAGRAMS, in_background, sender, stage_of
from tests.support import serving, wait_until

ROUNDS = 60
AT_ONCE = 8


@pytest.fixture(autouse=True)
def hasty() -> Generator[None, None, None]:
    """Have threads change as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def fall(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
    """Answer, with a pause that others may use; fail now and then."""
    os.sched_yield()
    message.reply(message.payload)
    if message.payload.endswith(b"7"):
        raise ValueError("it was a seven")


def ended(stats: Stats) -> int:
    return stats.finished + stats.failed + stats.cut


def watch(
    server: Server[Any, Any], most: int, wrong: list[object], cut: list[int]
) -> Callable[[], bool]:
    """Return a step that looks at everything and notes what cannot be; it cuts some."""
    last = Stats()

    def step() -> bool:
        nonlocal last
        stats, lives = server.stats, server.connections()
        if stats.accepted != ended(stats) + stats.active or not 0 <= stats.active <= most:
            wrong.append(stats)
        if stats.accepted < last.accepted or ended(stats) < ended(last) or len(lives) > most:
            wrong.append((last, stats, lives))
        last = stats
        numbers = [live.id for live in lives if live.id % 3 == 0]
        cut.extend([number for number in numbers if server.close_connection(number)])
        return True

    return step


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("transport", DATAGRAMS)
def test_all_are_answered_and_counted_once_while_others_look_and_cut(
    transport: str, most: int, tmp_path: Path
) -> None:
    wrong: list[object] = []
    cut: list[int] = []
    answers: list[bytes] = []
    stage = stage_of(transport, "sync", tmp_path)
    stage = stage if most == 1 else stage.threaded(max_threads=most)
    with serving(stage.handler(fall)) as server, contextlib.ExitStack() as stack:
        client = stack.enter_context(sender(server.address, tmp_path))
        for _ in range(2):
            stack.enter_context(in_background(watch(server, most, wrong, cut)))
        for begin in range(0, ROUNDS * AT_ONCE, AT_ONCE):
            if begin % 5 == 0:
                server.pause()
            for number in range(begin, begin + AT_ONCE):
                client.send(b"%d" % number)
            if begin % 5 == 0:
                server.resume()
            answers += [client.recv(100) for _ in range(AT_ONCE)]
        wait_until(lambda: server.stats.active == 0)
        stats = server.stats

    assert wrong == []
    expected = [b"%d" % number for number in range(ROUNDS * AT_ONCE)]
    assert sorted(answers) == sorted(expected) if most > 1 else answers == expected
    assert (stats.accepted, ended(stats)) == (len(answers), len(answers))
    assert stats.cut == len(cut) == len(set(cut))


def test_drain_at_any_moment_reports_what_its_counters_say(tmp_path: Path) -> None:
    for sent in range(30):
        server = stage_of("udp", "sync", tmp_path).handler(lambda *_: None).build().start()
        with sender(server.address, tmp_path) as client:
            for _ in range(sent):
                client.send(b"hello")

            report = server.drain()

        stats = server.stats
        assert stats.accepted == stats.finished
        assert report.cut == stats.active == 0
        assert report.left_in_backlog == sent - stats.accepted
