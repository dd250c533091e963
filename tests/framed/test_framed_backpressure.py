"""Clients that send without reading: what is kept for them, and who else is served meanwhile."""

import socket
import threading
from typing import Any

import attrs
import pytest

from acceptor import Closed, Outcome
from tests.framed.held_kit import (
    EVERY,
    ONE_PROCESS,
    THREADS,
    Gate,
    Handed,
    ask,
    framed,
    handler_of,
    held,
    is_at_end,
    on_linux,
    read_line,
    upper,
)
from tests.support import PATIENCE, Recorder, connect, read_all, serving, wait_until

MOST = 2**16


def fill(client: socket.socket, piece: bytes = b"q\n" * 1000) -> None:
    """Send until the server reads no more."""
    client.settimeout(0.2)
    for _ in range(2**24 // len(piece)):
        try:
            client.sendall(piece)
        except TimeoutError:
            break
    client.settimeout(30)


def connection_of(server: Any, number: int) -> Any:
    """Return what the server keeps of a connection."""
    (found,) = [job for job in server._loop.intake.admission.running() if job.id == number]
    return found


@pytest.mark.parametrize("strategy", EVERY)
def test_client_that_does_not_read_is_kept_within_bounds(strategy: str) -> None:
    big = b"x" * 50_000
    sizes: list[int] = []
    stage = framed(strategy, max_output=MOST).handler(handler_of(lambda it: it.reply(big)))
    with serving(stage) as server, connect(server.address) as stuck, connect(server.address) as one:
        fill(stuck)
        one.sendall(b"x\n")
        assert len(read_line(one)) == len(big)
        kept = connection_of(server, 1)

        sizes.append(len(kept.out or b""))
        sizes.append(sum(map(len, kept.queue or ())))
        sizes.append(len(kept.pending or b""))

        assert sizes[0] <= MOST + len(big) + 1
        assert sizes[1] <= 2**16
        assert sizes[2] <= 2**16 + 2
        loop: Any = server._loop
        assert len(loop.intake.holder.timers._entries) < 20
        server.close_connection(1)


@pytest.mark.parametrize("strategy", ONE_PROCESS)
def test_replies_of_other_threads_are_kept_within_bounds(strategy: str) -> None:
    kept: list[Any] = []
    stage = framed(strategy, max_output=MOST).handler(handler_of(kept.append))
    with serving(stage) as server, connect(server.address) as stuck, connect(server.address) as one:
        stuck.sendall(b"x\n")
        wait_until(lambda: any(it.payload == b"x" for it in kept))
        (message,) = [it for it in kept if it.payload == b"x"]
        accepted = 0
        refused_in_a_row = 0
        while refused_in_a_row < 1000 and accepted < 3000:
            if message.reply(b"x" * 10_000):
                accepted, refused_in_a_row = accepted + 1, 0
            else:
                refused_in_a_row += 1

        connection = message._connection
        assert len(connection.out or b"") + connection.mailed <= MOST + 2 * 10_001
        assert accepted < 3000
        one.sendall(b"y\n")
        wait_until(lambda: any(it.payload == b"y" for it in kept))
        server.close_connection(connection.id)


@pytest.mark.parametrize("strategy", EVERY)
def test_slow_reader_gets_everything_in_order(strategy: str) -> None:
    count = 40 if strategy == "forked" else 400
    big = b"x" * 20_000

    def number(message: Any) -> None:
        message.reply(message.payload + big)

    stage = framed(strategy, max_output=1000).handler(handler_of(number)).timeouts(write=None)
    if strategy == "sync":  # where a reply cannot wait
        stage = framed(strategy).handler(handler_of(number)).timeouts(write=None)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"".join(b"%d\n" % it for it in range(count)))
        client.shutdown(socket.SHUT_WR)

        answers = read_all(client).split(b"\n")

    assert answers == [b"%d" % it + big for it in range(count)] + [b""]


def test_reply_on_the_loops_thread_is_not_accepted_beyond_the_bound() -> None:
    accepted: list[bool] = []
    recorder = Recorder()

    def flood(message: Any) -> None:
        while message.payload == b"flood":
            accepted.append(message.reply(b"x" * 10_000))
            if not accepted[-1]:
                break
        message.reply(b"X")

    stage = framed("sync").handler(handler_of(flood)).observe(recorder)
    with serving(stage) as server, connect(server.address) as stuck, connect(server.address) as one:
        stuck.sendall(b"flood\n")
        wait_until(lambda: accepted and not accepted[-1])

        assert ask(one, b"x") == b"X"
        read_all(stuck)
        (closed,) = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("strategy", THREADS)
def test_reply_waits_for_a_client_that_reads_in_the_end(strategy: str) -> None:
    def flood(message: Any) -> None:
        for _ in range(2000):
            assert message.reply(b"x" * 9_999)
        message.close()

    stage = framed(strategy).handler(handler_of(flood))
    with serving(stage) as server, connect(server.address) as slow:
        slow.sendall(b"flood\n")
        wait_until(lambda: server.stats.messages == 1)

        assert len(read_all(slow)) == 2000 * 10_000


@pytest.mark.parametrize("strategy", THREADS)
def test_reply_gives_up_on_a_client_that_never_reads(strategy: str) -> None:
    accepted: list[bool] = []
    recorder = Recorder()

    def flood(message: Any) -> None:
        while message.reply(b"x" * 10_000):
            pass
        accepted.append(message.reply(b"x"))

    stage = framed(strategy).handler(handler_of(flood)).timeouts(write=0.05).observe(recorder)
    with serving(stage) as server, connect(server.address) as stuck:
        stuck.sendall(b"flood\n")

        (closed,) = recorder.wait_for(Closed)

    assert accepted == [False]
    assert closed.outcome is Outcome.TIMED_OUT


def test_reply_of_another_thread_does_not_have_two_messages_in_work() -> None:
    gate, kept = Gate(), []
    running: list[bytes] = []
    most: list[int] = []

    def handle(message: Any, client_address: object, server: object) -> None:
        kept.append(message)
        running.append(message.payload)
        most.append(sum(it.startswith(b"own") for it in running))
        gate(message, client_address, server)
        running.remove(message.payload)

    stage = framed("handed").concurrency(Handed(1)).handler(handle)
    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"own0\n")
        assert read_line(client) == b"OWN0"
        with connect(server.address) as busy:
            busy.sendall(b"wait\n")
            gate.wait_for_begin()
            client.sendall(b"own1\nown2\nown3\n")
            wait_until(lambda: server.connections()[0].received == 20)
            for _ in range(10):
                assert kept[0].reply(b"meanwhile")
                assert read_line(client) == b"meanwhile"
            gate.let_go()

            assert [read_line(client) for _ in range(3)] == [b"OWN1", b"OWN2", b"OWN3"]
    assert max(most) == 1


@attrs.define(eq=False)
class Counting:
    """A poller that counts its waits."""

    inner: Any
    waits: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def poll(self, *arguments: Any) -> Any:
        self.waits += 1
        return self.inner.poll(*arguments)


def counted(server: Any) -> list[Counting]:
    """Count the waits of a server that listens and does not serve yet."""
    server.listen()
    server._loop.waiter.poller = Counting(server._loop.waiter.poller)
    found = [server._loop.waiter.poller]
    holder = server._loop.intake.holder
    if hasattr(holder, "_poller"):
        holder._poller = Counting(holder._poller)
        found.append(holder._poller)
    return found


@on_linux
@pytest.mark.parametrize("strategy", EVERY)
def test_connections_at_rest_cost_no_wake_ups(strategy: str) -> None:
    server = framed(strategy).handler(upper).build()
    pollers = counted(server)
    server.start()
    clients = [held(server) for _ in range(20 if strategy == "forked" else 200)]
    before = sum(it.waits for it in pollers)

    for _ in range(10):
        assert ask(clients[7], b"x") == b"X"

    assert sum(it.waits for it in pollers) - before <= 10 * 8 + 20
    for client in clients:
        client.close()
    server.stop()


@on_linux
@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("trouble", ["half-closed", "denied", "stuck", "drained", "reset"])
def test_loop_does_not_spin_over_a_connection_in_trouble(strategy: str, trouble: str) -> None:
    asked: list[object] = []
    big = b"x" * 100_000

    def allows(peer: object) -> bool:
        asked.append(peer)
        return trouble != "denied" or len(asked) > 1

    def handle(message: Any) -> None:
        message.reply(big if message.payload == b"big" else message.payload)

    server = framed(strategy).access(allows).handler(handler_of(handle)).build()
    pollers = counted(server)
    server.start()
    with connect(server.address) as client, connect(server.address) as other:
        if trouble == "half-closed":
            client.sendall(b"big\n" * 100)
            client.shutdown(socket.SHUT_WR)
        elif trouble == "denied":
            client.sendall(b"a\n" * 500)
            assert is_at_end(client)
        elif trouble == "stuck":
            fill(client, b"big\n" * 100)
        elif trouble == "reset":
            client.sendall(b"big\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        else:
            client.sendall(b"hal")
        before = sum(it.waits for it in pollers)

        for _ in range(50):
            assert ask(other, b"x") == b"x"

        assert sum(it.waits for it in pollers) - before <= 50 * 10 + 500
    server.stop()


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled"])
def test_flood_of_one_client_does_not_starve_the_others(strategy: str) -> None:
    counts = [0] * 64
    lock = threading.Lock()
    everybody_served = threading.Event()
    everybody_sent = threading.Event()

    def count(message: Any) -> None:
        everybody_sent.wait(PATIENCE)
        with lock:
            counts[int(message.payload)] += 1
            if not everybody_served.is_set() and min(counts) >= 200:
                everybody_served.counts = list(counts)  # type: ignore[attr-defined]
                everybody_served.set()

    with serving(framed(strategy).handler(handler_of(count))) as server:
        clients = [connect(server.address) for _ in range(64)]
        wait_until(lambda: server.stats.active == len(clients))
        for number, client in enumerate(clients):
            client.sendall(b"%d\n" % number * (2000 if number else 100_000 // 2))
        everybody_sent.set()
        wait_until(everybody_served.is_set)
        for client in clients:
            client.close()

    assert everybody_served.counts[0] <= 8000  # type: ignore[attr-defined]
