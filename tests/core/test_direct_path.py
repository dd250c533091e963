"""Datagrams that are served where they are taken, without a job: all the same, all is told."""

import threading
from pathlib import Path
from typing import Any

import pytest

from acceptor import AccessPolicy, Closed, Message, RequestState, Server
from tests.core.direct_kit import Held, begin, echo, end, served
from tests.core.kit import DATAGRAMS, STRATEGIES, Stage, sender, stage_of
from tests.support import Recorder, serving, wait_until

each_transport = pytest.mark.parametrize("transport", DATAGRAMS)


def goes_direct(server: Server[Any, Any]) -> bool:
    """Say whether the loop has the direct path, and ordinary requests go by it."""
    direct = server._opened("look").direct
    return direct is not None and direct.is_open


@each_transport
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_datagrams_go_direct_where_the_accept_thread_serves(
    transport: str, strategy: str, tmp_path: Path
) -> None:
    with serving(stage_of(transport, strategy, tmp_path).handler(echo)) as server:
        assert goes_direct(server) == (strategy == "sync")


class Anybody(AccessPolicy[Any]):
    def allows(self, peer: Any, /) -> bool:
        return True


@pytest.mark.parametrize("with_part", ["observe", "access"])
def test_datagrams_do_not_go_direct_where_somebody_observes_or_judges(
    with_part: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    part = recorder if with_part == "observe" else Anybody()
    stage: Stage = getattr(stage_of("udp", "sync", tmp_path), with_part)(part)
    with serving(stage.handler(echo)) as server, sender(server.address, tmp_path) as client:
        client.send(b"hello")

        assert client.recv(100) == b"hello"
        assert not goes_direct(server)
        wait_until(lambda: server.stats.finished == 1)
    assert len(recorder.of(Closed)) == (with_part == "observe")


@each_transport
def test_counters_are_exact_before_in_and_after_a_handler(transport: str, tmp_path: Path) -> None:
    handler = Held()
    with serving(stage_of(transport, "sync", tmp_path).handler(handler)) as server:
        seen = [server.stats]
        with sender(server.address, tmp_path) as client:
            for _ in range(2):
                begin(client)
                seen.append(server.stats)
                end(client, handler)
                wait_until(lambda: server.stats.active == 0)
                seen.append(server.stats)

    counts = [(stats.accepted, stats.active, stats.finished) for stats in seen]
    assert counts == [(0, 0, 0), (1, 1, 0), (1, 0, 1), (2, 1, 1), (2, 0, 2)]


@each_transport
def test_request_in_work_is_listed_with_all_that_is_known(transport: str, tmp_path: Path) -> None:
    handler, now = Held(), [100.0]
    stage: Stage = stage_of(transport, "sync", tmp_path).clock(lambda: now[0])
    with serving(stage.handler(handler)) as server, sender(server.address, tmp_path) as client:
        begin(client)
        wait_until(lambda: server.connections()[0].sent == 5)  # counted right after it is sent
        now[0] = 107.5

        [live] = server.connections()
        [again] = server.connections()

        end(client, handler)
        wait_until(lambda: server.connections() == [])
        name = client.getsockname()
    assert (live.id, live.age, live.state) == (1, 7.5, RequestState.HANDLING)
    assert (live.received, live.sent) == (5, 5)
    assert live.worker == handler.threads[0] != threading.get_ident()
    assert getattr(live.peer, "path", live.peer) == name
    assert again == live


def test_bytes_sent_after_it_was_listed_are_counted_too(tmp_path: Path) -> None:
    def answer(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
        server.connections()
        message.reply(b"12345")
        message.reply(str(server.connections()[0].sent).encode())

    with served(answer, tmp_path) as (_, client):
        client.send(b"")

        assert [client.recv(100), client.recv(100)] == [b"12345", b"5"]


def test_request_can_be_cut_from_another_thread_and_the_next_is_served(tmp_path: Path) -> None:
    handler = Held()
    with served(handler, tmp_path) as (server, client):
        begin(client)

        cut = [server.close_connection(number) for number in (2, 1, 1)]

        end(client, handler)
        wait_until(lambda: server.stats.active == 0)
        begin(client)
        end(client, handler)
        wait_until(lambda: server.stats.finished == 1)
    assert cut == [False, True, False]
    assert (server.stats.accepted, server.stats.cut) == (2, 1)
