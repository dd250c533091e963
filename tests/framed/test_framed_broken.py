"""What gives out while messages are served: clients in the midst of replies, framings, threads."""

import contextlib
import socket
import threading
from typing import Any

import pytest

from acceptor import AcceptPaused, Closed, Framing, HandlerFailed, Message, Outcome, lines
from tests.fakes import drain_meanwhile
from tests.framed.held_kit import (
    EVERY,
    WORKERS,
    Gate,
    ask,
    framed,
    handler_of,
    on_linux,
    read_line,
    reset,
    upper,
)
from tests.support import PATIENCE, Recorder, connect, read_all, serving, wait_until


def flood(message: Message[Any]) -> None:
    """Reply until no more is accepted."""
    while message.reply(b"x" * 50_000):
        pass
    message.close()


@pytest.mark.parametrize("strategy", WORKERS)
@pytest.mark.parametrize("read", [0, 1, 1_000_000])
def test_replies_are_refused_once_their_client_has_left(strategy: str, read: int) -> None:
    recorder = Recorder()
    with serving(framed(strategy).handler(handler_of(flood)).observe(recorder)) as server:
        client = connect(server.address)
        client.sendall(b"x\n")
        left = read
        while left > 0:
            left -= len(client.recv(left))

        # A child has the client's descriptor, too, so closing ours would send nothing. What comes
        # behind a shutdown is reset, too, once there is room for it.
        client.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(ConnectionError):
            while client.recv(65536):
                pass
        reset(client)

        (closed,) = recorder.wait_for(Closed)
    assert closed.outcome is Outcome.CLIENT_LEFT


@on_linux
def test_threads_that_the_machine_has_refused_are_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, refused = Gate(), threading.Event()

    def refuse(_: object) -> None:
        refused.set()
        raise RuntimeError("can't start new thread")

    with serving(framed("threaded").handler(gate)) as server:
        clients = [connect(server.address) for _ in range(3)]
        assert ask(clients[0], b"x") == b"X"  # the crew has its first two threads
        with monkeypatch.context() as machine:
            machine.setattr(threading.Thread, "start", refuse)
            for client in clients[:2]:
                client.sendall(b"wait\n")
            gate.wait_for_begin(2)
            wait_until(refused.is_set)

        clients[2].settimeout(PATIENCE / 2)  # after all of it, handlers give up and are free
        assert ask(clients[2], b"x") == b"X"

        gate.let_go()
        for client in clients:
            client.close()


@on_linux
def test_client_that_waits_for_the_first_thread_does_not_hold_up_a_drain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder, may_start, start = Recorder(), threading.Event(), threading.Thread.start

    def start_if_allowed(thread: threading.Thread) -> None:
        if thread.name == "acceptor-crew" and not may_start.is_set():
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_allowed)
    server = framed("threaded").handler(upper).observe(recorder).build().start()
    holder: Any = server._loop.intake.holder
    with connect(server.address) as client:
        recorder.wait_for(AcceptPaused)
        drain = drain_meanwhile(server)
        wait_until(lambda: holder._dismissed)

        may_start.set()

        assert read_all(client) == b""
        assert drain.result().cut == 0


class Broken(Framing):
    """Lines that cannot be cut if they say so."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def cut(self, data: bytes | bytearray, seen: int, /) -> tuple[bytes, int] | None:
        if b"fail" in data[:4]:
            raise self._error
        return lines().cut(data, seen)

    def wrap(self, payload: bytes, /) -> bytes:
        return payload + b"\n"


@pytest.mark.parametrize("strategy", EVERY)
@pytest.mark.parametrize("error", [ValueError, SystemExit])
@pytest.mark.parametrize("sent", [b"fail\n", b"x\nfail\n"])
def test_framing_that_raises_ends_its_connection_alone(
    strategy: str, error: type[BaseException], sent: bytes
) -> None:
    recorder = Recorder()
    stage = framed(strategy, Broken(error)).handler(upper).observe(recorder)
    with serving(stage) as server, connect(server.address) as other:
        assert ask(other, b"x") == b"X"
        with connect(server.address) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            assert read_line(client) == (b"X" if sent.startswith(b"x") else b"")
            (closed,) = recorder.wait_for(Closed)

        assert ask(other, b"x") == b"X"
        (failed,) = recorder.of(HandlerFailed)
    assert closed.outcome is Outcome.FAILED
    assert isinstance(failed.error, error)
