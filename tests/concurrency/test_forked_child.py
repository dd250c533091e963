"""What a child starts with, what it lets go of, and how it leaves."""

import os
import signal
import socket
import stat
from typing import Any

import pytest

from acceptor import Server
from tests.fakes import greet, held, hold, let_go, refuses, tcp
from tests.programs import program
from tests.support import ask, serving


def answer_with(*facts: Any) -> Any:
    """Make a handler that tells its client what some functions return in the child."""

    def tell(request: socket.socket, client_address: object, server: Server[Any, Any]) -> None:
        request.sendall(" ".join(str(fact(server)) for fact in facts).encode())

    return tell


def test_child_has_default_signal_handlers_and_no_signal_blocked() -> None:
    before = {
        number: signal.signal(number, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
    }
    handler = answer_with(
        lambda _: [signal.getsignal(number) is signal.SIG_DFL for number in before].count(True),
        lambda _: signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        lambda _: len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        lambda _: signal.set_wakeup_fd(-1),
    )
    try:
        with serving(tcp().forked().handler(handler)) as server:
            answer = ask(server.address, b"")
    finally:
        for number, old in before.items():
            signal.signal(number, old)

    assert answer == b"3 True 0 -1"


def test_child_leaves_ignored_signals_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    handler = answer_with(lambda _: signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)
    try:
        with serving(tcp().forked().handler(handler)) as server:
            assert ask(server.address, b"") == b"True"
    finally:
        signal.signal(signal.SIGHUP, before)


def test_parent_gets_its_signals_back_after_the_fork() -> None:
    with serving(tcp().forked().handler(greet)) as server:
        ask(server.address, b"")

    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def listening_sockets(server: object) -> int:
    found = 0
    for number in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                with socket.socket(fileno=os.dup(number)) as sock:
                    found += sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError:
            continue
    return found


def test_child_drops_the_listener() -> None:
    others = listening_sockets(None)
    with serving(tcp().forked().handler(answer_with(listening_sockets, Server.fileno))) as server:
        count, number = ask(server.address, b"").split()

        assert listening_sockets(None) == others + 1
    assert int(count) <= others
    assert number == b"-1"


def test_child_drops_the_listeners_of_other_servers_too() -> None:
    with (
        serving(tcp().forked().handler(hold)) as one,
        serving(tcp().forked().handler(hold)) as other,
        held(one.address) as client,
    ):
        other.stop()

        assert refuses(other.address)
        assert let_go(client) == b"?"


def test_child_knows_its_servers_address_and_phase() -> None:
    handler = answer_with(lambda server: server.address, lambda server: server.phase.value)
    with serving(tcp().forked().handler(handler)) as server:
        answer = ask(server.address, b"").decode()

    assert answer == f"{server.address} serving"


PRINTING = """
import atexit

def shout(request, client_address, server):
    print("in the child")
    print("error of the child", file=sys.stderr)
    {end}

sys.stdout.reconfigure(line_buffering=False)
server = tcp().forked().handler(shout).build().listen()
atexit.register(print, "at exit")
print("before the fork")
for _ in range(3):
    with socket.create_connection(server.address) as client:
        client.shutdown(socket.SHUT_WR)
        server.handle_request()
        client.recv(1)
server.drain()
print("after")
"""


@pytest.mark.parametrize("end", ["pass", "raise ValueError", "sys.exit()", "raise SystemExit(9)"])
def test_output_is_written_once_and_only_the_parent_runs_exit_functions(end: str) -> None:
    with program(PRINTING.format(end=end)) as it:
        code, output = it.end()

    assert code == 0
    assert output.count("before the fork") == 1
    assert output.count("in the child") == 3
    assert output.count("error of the child") == 3
    assert output.count("after") == 1
    assert output.count("at exit") == 1


def test_child_whose_standard_output_is_closed_serves_all_the_same() -> None:
    with program(
        """
        server = tcp().forked().handler(hold).build().listen()
        say("port", server.address.port)
        sys.stdout = None
        sys.stderr.close()
        server.handle_request()
        os._exit(server.drain().cut)
        """
    ) as it:
        assert let_go(held(it.address())) == b"?"
        assert it.end()[0] == 0


def test_ctrl_c_of_the_terminal_is_for_the_program_and_not_for_its_children() -> None:
    with program(
        """
        os.setpgid(0, 0)
        def on_ready():
            say("port", server.address.port)
        server = tcp().forked().observe(tell).handler(hold).build()
        (report,) = run(server, grace=None, on_ready=on_ready)
        say("report", report.finished, report.cut)
        """
    ) as it:
        with held(it.address()) as client:
            os.killpg(it.pid, signal.SIGINT)
            it.hear("draining")

            assert let_go(client) == b"?"
        assert it.hear("report") == ["1", "0"]
        assert it.end() == (0, "")
