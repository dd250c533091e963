"""What clients and handlers do wrong, and what becomes of held connections then."""

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from acceptor import (
    AcceptPaused,
    AcceptResumed,
    Close,
    Closed,
    HandlerFailed,
    MessageFault,
    MessageRefused,
    MessageServed,
    Outcome,
    Refused,
    Reply,
    Reset,
    fixed,
    lines,
)
from acceptor.core.accept_loop import AcceptLoop
from acceptor.core.waiting import Waiter
from tests.framed.held_kit import (
    EVERY,
    ONE_PROCESS,
    THREADS,
    Gate,
    ask,
    forks,
    framed,
    handler_of,
    held,
    is_at_end,
    read_line,
    reset,
    upper,
)
from tests.support import PATIENCE, Recorder, connect, read_all, serving, wait_until


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("sent", [b"", b"half", b"whole\n", b"one\ntwo\nthr"])
def test_reset_ends_its_connection_once_and_no_other(strategy: str, sent: bytes) -> None:
    recorder = Recorder()
    with (
        serving(framed(strategy).handler(upper).observe(recorder)) as server,
        held(server) as other,
    ):
        client = connect(server.address)
        client.sendall(sent)

        reset(client)

        recorder.wait_for(Closed)
        assert ask(other, b"x") == b"X"
        (closed,) = recorder.of(Closed)
        assert closed.outcome in (Outcome.CLIENT_LEFT, Outcome.FINISHED)
    assert server.stats.accepted == 2


def test_connection_whose_client_has_left_before_the_reply_ends_as_client_left() -> None:
    recorder, gone, left = Recorder(), threading.Event(), []

    def reply_late(message: Any) -> None:
        assert gone.wait(PATIENCE)
        left.append(message.reply(b"x" * 100000))
        wait_until(lambda: not message.reply(b"x"))

    stage = framed("threaded").handler(handler_of(reply_late)).observe(recorder)
    with serving(stage) as server:
        client = connect(server.address)
        client.sendall(b"x\n")
        wait_until(lambda: server.stats.messages == 1)
        reset(client)
        gone.set()

        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.CLIENT_LEFT


@pytest.mark.parametrize("strategy", EVERY)
def test_half_closed_client_gets_all_its_replies(strategy: str) -> None:
    with serving(framed(strategy).handler(upper)) as server, connect(server.address) as client:
        client.sendall(b"a\nb\nc\n" * 30)
        client.shutdown(socket.SHUT_WR)

        assert read_all(client) == b"A\nB\nC\n" * 30


@pytest.mark.parametrize("strategy", EVERY)
def test_end_within_a_message_is_told_and_the_rest_is_answered(strategy: str) -> None:
    recorder = Recorder()
    stage = framed(strategy).handler(upper).observe(recorder)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"whole\nhal")
        client.shutdown(socket.SHUT_WR)

        assert read_all(client) == b"WHOLE\n"
        (refused,) = recorder.wait_for(MessageRefused)
        (closed,) = recorder.wait_for(Closed)

    assert refused.fault is MessageFault.INCOMPLETE
    assert closed.outcome is Outcome.FINISHED


@pytest.mark.parametrize("strategy", EVERY)
def test_cut_within_a_message_is_not_the_clients_fault(strategy: str) -> None:
    recorder = Recorder()
    stage = framed(strategy).handler(upper).observe(recorder)
    with serving(stage) as server, held(server) as client:
        client.sendall(b"hal")
        wait_until(lambda: server.connections()[0].received == 9)

        assert server.close_connection(1)

        assert is_at_end(client)
        recorder.wait_for(Closed)
    assert not recorder.of(MessageRefused)


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_handler_that_raises_ends_its_connection_alone(
    strategy: str, error: type[BaseException]
) -> None:
    recorder = Recorder()

    def fail(message: Any) -> None:
        message.reply(b"before")
        if message.payload == b"fail":
            raise error

    stage = framed(strategy).handler(handler_of(fail)).observe(recorder)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"fine\nfail\nnever\n")
        assert read_all(client) == b"before\nbefore\n"
        client.close()
        with connect(server.address) as other:
            assert ask(other, b"fine") == b"before"
        outcomes = [event.outcome for event in recorder.wait_for(Closed, 2)]

    assert sorted(outcomes, key=str) == [Outcome.FAILED, Outcome.FINISHED]
    assert len(recorder.of(HandlerFailed)) == (strategy != "forked")
    served = [event.outcome for event in recorder.of(MessageServed)]
    assert served == [Outcome.FINISHED, Outcome.FAILED, Outcome.FINISHED]


@forks
@pytest.mark.parametrize(
    ("word", "outcome"),
    [(b"exit", Outcome.FAILED), (b"kill", Outcome.LOST), (b"leave", Outcome.FINISHED)],
)
def test_child_that_dies_ends_its_connection_alone(word: bytes, outcome: Outcome) -> None:
    recorder = Recorder()

    def die(message: Any) -> None:
        message.reply(message.payload)
        if message.payload == b"exit":
            os._exit(7)
        if message.payload == b"kill":
            os.kill(os.getpid(), signal.SIGKILL)

    stage = framed("forked").handler(handler_of(die)).observe(recorder)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"fine\n" + word + b"\n")
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
        (closed,) = recorder.wait_for(Closed)

    assert answer == b"fine\n" + word + b"\n"
    assert closed.outcome is outcome


@forks
def test_threads_of_a_child_reply_too() -> None:
    def reply_from_threads(message: Any) -> None:
        many = [
            threading.Thread(target=message.reply, args=(b"%d" % number,)) for number in range(8)
        ]
        for thread in many:
            thread.start()
        for thread in many:
            thread.join()

    stage = framed("forked").handler(handler_of(reply_from_threads))
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"x\n")

        found = sorted(read_line(client) for _ in range(8))

    assert found == [b"%d" % number for number in range(8)]


@forks
def test_connection_ends_for_its_client_while_other_children_run() -> None:
    ours, theirs = socket.socketpair()

    def wait(message: Any) -> None:
        message.reply(b"!")
        if message.payload == b"wait":
            theirs.recv(1)

    with (
        ours,
        theirs,
        serving(framed("forked").handler(handler_of(wait))) as server,
        connect(server.address) as busy,
        connect(server.address) as client,
    ):
        assert ask(client, b"x") == b"!"
        assert ask(busy, b"wait") == b"!"

        wait_until(lambda: [one.worker for one in server.connections()].count(None) == 1)
        (resting,) = [one for one in server.connections() if one.worker is None]
        server.close_connection(resting.id)

        assert is_at_end(client)
        ours.sendall(b".")


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("how", [Close(), Reply(b"no\n"), Reset()])
@pytest.mark.parametrize("raises", [False, True])
def test_message_that_a_policy_denies_ends_its_connection(
    strategy: str, how: Any, raises: bool
) -> None:
    recorder, asked = Recorder(), []

    def allows(peer: object) -> bool:
        asked.append(peer)
        if len(asked) == 2:
            if raises:
                raise ValueError("as I was told")
            return False
        return True

    stage = framed(strategy).access(allows, refusal=how).handler(upper).observe(recorder)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"a\nb\nc\nd\n")

        heard = b""
        try:
            heard = read_all(client)
        except ConnectionResetError:
            assert isinstance(how, Reset)
        client.close()
        (closed,) = recorder.wait_for(Closed)
        with connect(server.address) as other:
            assert ask(other, b"x") == b"X"
            recorder.wait_for(MessageServed, 3)

    if not isinstance(how, Reset):
        assert heard == b"A\n" + (how.payload if isinstance(how, Reply) else b"")
    assert closed.outcome is Outcome.DENIED
    assert len(recorder.of(Refused)) == 1
    assert len(asked) == 3
    served = [event.outcome for event in recorder.of(MessageServed)]
    assert served == [Outcome.FINISHED, Outcome.DENIED, Outcome.FINISHED]


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("how", [Close(), Reply(b"no\n"), Reset()])
def test_message_that_is_too_long_is_refused_after_those_before_it(strategy: str, how: Any) -> None:
    recorder = Recorder()
    stage = framed(strategy, lines(max_length=8), refusal=how).handler(upper).observe(recorder)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"a\nb\n1234567890123")
        heard = b""
        try:
            heard = read_all(client)
        except ConnectionResetError:
            assert isinstance(how, Reset)
        (closed,) = recorder.wait_for(Closed)

    if not isinstance(how, Reset):
        assert heard == b"A\nB\n" + (how.payload if isinstance(how, Reply) else b"")
    assert closed.outcome is Outcome.BAD_MESSAGE
    assert server.stats.bad_message == 1
    assert [event.fault for event in recorder.of(MessageRefused)] == [MessageFault.TOO_LONG]


@pytest.mark.parametrize("strategy", ONE_PROCESS)
def test_observer_that_raises_changes_nothing(strategy: str) -> None:
    def fail(event: object) -> None:
        raise ValueError("as I was told")

    with serving(framed(strategy).handler(upper).observe(fail)) as server, held(server) as client:
        assert [ask(client, b"x") for _ in range(20)] == [b"X"] * 20


@pytest.mark.parametrize("strategy", EVERY)
def test_slow_client_holds_up_nobody_and_is_understood(strategy: str) -> None:
    with (
        serving(framed(strategy, fixed(10)).handler(upper)) as server,
        connect(server.address) as slow,
        connect(server.address) as fast,
    ):
        for byte in b"abcdefghij":
            slow.sendall(bytes([byte]))
            fast.sendall(b"0123456789")
            assert fast.recv(100) == b"0123456789"

        assert slow.recv(100) == b"ABCDEFGHIJ"


@pytest.mark.parametrize("strategy", THREADS)
def test_what_comes_while_a_message_is_in_work_is_served_after_it(strategy: str) -> None:
    gate = Gate()

    with (
        serving(framed(strategy).handler(gate)) as server,
        connect(server.address) as slow,
        connect(server.address) as fast,
    ):
        slow.sendall(b"wait\n")
        gate.wait_for_begin()
        for line in (b"next\n", b"last\n"):
            slow.sendall(line)
            assert [ask(fast, b"x") for _ in range(3)] == [b"X"] * 3  # it was looked at by then
        slow.shutdown(socket.SHUT_WR)
        assert ask(fast, b"x") == b"X"
        gate.let_go()

        assert read_all(slow) == b"WAIT\nNEXT\nLAST\n"


@forks
def test_fork_that_fails_is_tried_again_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    fork = os.fork

    def refuse() -> int:
        tries.append(0)
        if len(tries) <= 4:
            raise OSError(errno.EAGAIN, "no more processes")
        return fork()

    monkeypatch.setattr(os, "fork", refuse)
    recorder = Recorder()
    with serving(framed("forked").observe(recorder).handler(upper)) as server:
        clients = [connect(server.address) for _ in range(6)]
        for client in clients:
            client.sendall(b"x\n")

        answers = [read_line(client) for client in clients]

        for client in clients:
            client.close()
    assert answers == [b"X"] * 6
    assert len(tries) == 4 + 6
    (paused,), (resumed,) = recorder.of(AcceptPaused), recorder.of(AcceptResumed)
    assert paused.cause is not None
    assert paused.cause.errno == errno.EAGAIN
    assert resumed.attempts == 4


@forks
@pytest.mark.parametrize("which", [1, 2])  # of what is waited for: replies, and the child's end
def test_message_is_served_once_though_the_machine_refuses_a_watch(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked: list[int] = []
    watched: list[int] = []
    fork, watch = os.fork, Waiter.watch

    def count() -> int:
        forked.append(0)
        return fork()

    def refuse(waiter: Waiter, fd: int, on_readable: Callable[[], object]) -> None:
        watched.append(fd)
        if len(watched) == which:
            raise OSError(errno.ENOSPC, "no more watches")
        watch(waiter, fd, on_readable)

    with serving(framed("forked").handler(upper)) as server, held(server) as client:
        wait_until(lambda: server.connections()[0].worker is None)
        monkeypatch.setattr(os, "fork", count)
        monkeypatch.setattr(Waiter, "watch", refuse)

        assert ask(client, b"x") == b"X"

        wait_until(lambda: server.connections()[0].worker is None)
        assert ask(client, b"y") == b"Y"
    assert len(forked) == 2


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "handed"])
def test_held_connections_are_served_while_there_are_no_descriptors(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder, tries = Recorder(), []
    accept = AcceptLoop._accept

    with serving(framed(strategy).handler(upper).observe(recorder)) as server, held(server) as one:
        real = server.listener.accept

        def refuse() -> Any:
            tries.append(0)
            if len(tries) <= 2:
                raise OSError(errno.EMFILE, "too many open files")
            return real()

        monkeypatch.setattr(type(server.listener), "accept", lambda self: refuse())
        with connect(server.address) as waiting:
            waiting.sendall(b"y\n")
            recorder.wait_for(AcceptPaused)
            assert [ask(one, b"x") for _ in range(50)] == [b"X"] * 50

            assert read_line(waiting) == b"Y"
    assert accept is AcceptLoop._accept
    assert len(tries) <= 6


@pytest.mark.parametrize("strategy", THREADS)
def test_reply_and_close_of_another_thread_lose_nothing(strategy: str) -> None:
    kept: list[Any] = []
    with (
        serving(framed(strategy).handler(handler_of(kept.append))) as server,
        connect(server.address) as client,
    ):
        client.sendall(b"x\n")
        wait_until(lambda: kept)
        wait_until(lambda: server.connections()[0].worker is None)
        accepted = [kept[0].reply(b"%d" % number) for number in range(100)]
        kept[0].close()

        assert read_all(client) == b"".join(b"%d\n" % number for number in range(100))
    assert all(accepted)


@pytest.mark.parametrize("strategy", ONE_PROCESS)
def test_session_may_greet_and_close_at_once(strategy: str) -> None:
    class Session:
        def opened(self, connection: Any) -> None:
            connection.reply(b"full")
            connection.close()

    stage = framed(strategy, session=Session).handler(upper)
    with serving(stage) as server, connect(server.address) as client:
        assert read_all(client) == b"full\n"


@pytest.mark.parametrize("strategy", ONE_PROCESS)
def test_replies_of_many_threads_are_whole(strategy: str) -> None:
    kept: list[Any] = []
    with (
        serving(framed(strategy).handler(handler_of(kept.append))) as server,
        connect(server.address) as client,
    ):
        client.sendall(b"x\n")
        wait_until(lambda: kept)

        def send(name: bytes) -> None:
            for number in range(200):
                line = b"%s%d" % (name, number)
                while not kept[0].reply(line):  # so much waits for the server to send it
                    pass

        threads = [threading.Thread(target=send, args=(name,)) for name in (b"a", b"b", b"c")]
        for thread in threads:
            thread.start()
        found = [read_line(client) for _ in range(600)]
        for thread in threads:
            thread.join()

    for name in (b"a", b"b", b"c"):
        own = [line for line in found if line.startswith(name)]
        assert own == [b"%s%d" % (name, number) for number in range(200)]
