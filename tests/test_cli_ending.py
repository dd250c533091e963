"""How the command ends: drained by the first signal, stopped by the second."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.commands import LOOPBACK, running
from tests.fakes import let_go
from tests.support import wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("how", ["--sync", "--threaded", "--pooled", "--forked"])
def test_first_signal_drains_and_the_running_request_ends_well(
    how: str, number: signal.Signals, tmp_path: Path
) -> None:
    with running(tmp_path, "app:Hold", *LOOPBACK, how, "--grace", "600") as it, it.hold() as client:
        it.process.send_signal(number)
        wait_until(it.has_closed_its_port, "the port is closed")

        assert let_go(client) == b"."
        assert it.end() == 0
        assert "stopped: 1 finished, 0 cut" in it.log()


@pytest.mark.parametrize("how", ["--sync", "--threaded", "--pooled", "--forked"])
def test_ctrl_c_in_the_terminal_drains_too(how: str, tmp_path: Path) -> None:
    with running(tmp_path, "app:Hold", *LOOPBACK, how, "--grace", "600") as it, it.hold() as client:
        os.killpg(it.process.pid, signal.SIGINT)  # a terminal tells the whole group
        wait_until(it.has_closed_its_port, "the port is closed")

        assert let_go(client) == b"."
        assert it.end() == 0


@pytest.mark.parametrize("how", ["--sync", "--threaded", "--pooled", "--forked"])
def test_second_signal_stops_at_once(how: str, tmp_path: Path) -> None:
    with running(tmp_path, "app:Hold", *LOOPBACK, how, "--grace", "600") as it, it.hold():
        it.process.send_signal(signal.SIGINT)
        wait_until(it.has_closed_its_port, "the port is closed")

        it.process.send_signal(signal.SIGTERM)

        assert it.end() == 1
        assert "stopped: 0 finished, 1 cut" in it.log()


@pytest.mark.parametrize("how", ["--sync", "--threaded", "--pooled", "--forked"])
def test_request_that_outlives_the_grace_period_is_cut(how: str, tmp_path: Path) -> None:
    with running(tmp_path, "app:Hold", *LOOPBACK, how, "--grace", "0") as it, it.hold() as client:
        it.process.terminate()

        assert it.end() == 1
        assert client.recv(1) == b""
        assert re.search("draining.*1 requests, .*0.0 s", it.log())


def test_signal_right_after_the_line_drains(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT) * 5:
        with running(tmp_path, "app:Echo", *LOOPBACK, "--threaded") as it:
            it.process.send_signal(number)

            assert it.end() == 0


# Sends itself a signal with the first line, and goes on when that has closed the port.
TOLD_TO_END_AT_ONCE = """
import builtins, os, signal, socket, sys
import acceptor.cli

said = print

def say(text, **options):
    said(text, **options)
    if builtins.print is say:
        builtins.print = said
        os.kill(os.getpid(), signal.SIGTERM)
        port = int(text.rpartition(":")[2])
        try:
            while True:
                socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionError:
            pass

builtins.print = say
sys.exit(acceptor.cli.main())
"""


@pytest.mark.parametrize("endpoints", [1, 2])
def test_signal_before_the_first_client_can_be_served_drains(
    endpoints: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", TOLD_TO_END_AT_ONCE]

    with running(tmp_path, "app:Echo", *LOOPBACK * endpoints, command=command) as it:
        assert it.end() == 0
        assert it.log().count("stopped: ") == endpoints


def test_signal_drains_all_endpoints(tmp_path: Path) -> None:
    with running(tmp_path, "app:Hold", *LOOPBACK * 3, "--threaded", "--grace", "600") as it:
        with it.hold() as client:
            it.process.terminate()
            wait_until(it.has_closed_its_port, "the port is closed")

            assert let_go(client) == b"."
            assert it.end() == 0
        assert it.log().count("stopped: ") == 3
