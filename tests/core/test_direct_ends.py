"""How datagrams end that are served where they are taken: failed, cut, drained, or just done."""

from pathlib import Path
from typing import Any

import pytest

from acceptor import Limits, Message, Outcome, SelfWaitError, Server, ServerBuilder
from tests.core.direct_kit import Held, begin, echo, end, served
from tests.core.kit import sender, stage_of
from tests.fakes import Call, attempt
from tests.support import serving, wait_until


@pytest.mark.parametrize("error", [ValueError("wrong"), SystemExit(3), KeyboardInterrupt()])
def test_handler_that_raises_fails_alone(
    error: BaseException, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
        message.reply(b"sorry")
        if message.payload == b"fail":
            raise error

    with served(fail, tmp_path) as (server, client):
        for payload in (b"well", b"fail", b"fail", b"well"):
            client.send(payload)
        answers = [client.recv(100) for _ in range(4)]
        wait_until(lambda: server.stats.finished == 2)
        stats, name = server.stats, client.getsockname()

    assert answers == [b"sorry"] * 4
    assert (stats.accepted, stats.active, stats.failed) == (4, 0, 2)
    logged = [(record.getMessage(), record.exc_info) for record in caplog.records]
    assert [text for text, _ in logged] == [f"handler failed for {name[0]}:{name[1]}"] * 2
    assert all(info is not None and info[1] is error for _, info in logged)


def test_ctrl_c_in_a_handler_reaches_the_program_and_the_server_can_serve_again(
    tmp_path: Path,
) -> None:
    def press(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
        if message.payload == b"!":
            raise KeyboardInterrupt

    stage = stage_of("udp", "sync", tmp_path).handler(press)
    with stage.build() as server, sender(server.address, tmp_path) as client:
        for payload in (b"!", b"."):
            client.send(payload)
        with pytest.raises(KeyboardInterrupt):
            server.handle_request()
        after = server.stats

        assert server.handle_request()

    assert (after.accepted, after.active, after.failed) == (1, 0, 1)
    assert (server.stats.finished, server.stats.failed) == (1, 1)


def test_handle_request_serves_one_and_leaves_the_others(tmp_path: Path) -> None:
    seen: list[bytes] = []
    stage = stage_of("udp", "sync", tmp_path)
    with stage.handler(lambda message, *_: seen.append(message.payload)).build() as server:
        with sender(server.address, tmp_path) as client:
            for payload in (b"1", b"2", b"3"):
                client.send(payload)

            assert [server.handle_request(), server.handle_request()] == [True, True]
        assert seen == [b"1", b"2"]
        assert server.stats.finished == 2


def test_handler_that_ends_the_loop_is_the_last_of_it(tmp_path: Path) -> None:
    def shut(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
        server.shutdown()

    stage = stage_of("udp", "sync", tmp_path).handler(shut)
    with stage.build() as server, sender(server.address, tmp_path) as client:
        for _ in range(2):
            client.send(b"hello")

        for count in (1, 2):
            server.serve_forever()
            assert server.stats.accepted == server.stats.finished == count


def test_handler_that_would_wait_for_itself_is_told_so(tmp_path: Path) -> None:
    def wait(message: Message[Any], client_address: object, server: Server[Any, Any]) -> None:
        for call in (server.drain, server.stop, server.wait):
            message.reply(type(attempt(call)).__name__.encode())

    with served(wait, tmp_path) as (_, client):
        client.send(b"hello")

        assert {client.recv(100) for _ in range(3)} == {SelfWaitError.__name__.encode()}


@pytest.mark.parametrize("patience", [None, 0.0])
def test_drain_counts_the_request_in_work(patience: float | None, tmp_path: Path) -> None:
    handler = Held()
    server = stage_of("udp", "sync", tmp_path).handler(handler).build().start()
    with sender(server.address, tmp_path) as client:
        begin(client)

        drain = Call(lambda: server.drain(patience))
        wait_until(lambda: drain.has_ended if patience == 0 else server.fileno() == -1)

        assert drain.has_ended == (patience == 0)
        handler.may_end.release()
        report = drain.result()
        wait_until(lambda: server.stats.active == 0)
    assert (report.finished, report.cut) == ((0, 1) if patience == 0 else (1, 0))
    assert (server.stats.finished, server.stats.cut) == (report.finished, report.cut)
    wait_until(server.wait)


def test_limits_changed_while_a_request_is_in_work_keep_nothing_of_it(tmp_path: Path) -> None:
    handler = Held()
    with served(handler, tmp_path) as (server, client):
        for _ in range(3):
            begin(client)
            server.limits = Limits(per_peer=1, max_connections=1)
            end(client, handler)
        wait_until(lambda: server.stats.finished == 3)

        assert server.stats.refused == 0
        assert server._opened("look").intake.admission.has_room_for(client.getsockname())


def test_outcome_of_what_nobody_has_seen_is_finished() -> None:
    with serving(ServerBuilder().udp(("127.0.0.1", 0)).handler(echo)) as server:
        with sender(server.address, Path()) as client:
            for _ in range(200):
                client.send(b"hello")
                client.recv(100)
        wait_until(lambda: server.stats.active == 0)

        assert server.stats.finished == server.stats.accepted == 200
        assert Outcome.FINISHED not in server._opened("look").intake.admission._ended_otherwise
