"""Out of descriptors: nobody spins, nobody raises, and nobody is lost."""

import errno
import socket
import time
from typing import Any

import pytest

from acceptor.classic import TCPServer
from tests.classic.support import LOOPBACK, STYLES
from tests.fakes import greet
from tests.programs import program
from tests.support import ask, connect, read_all

PRELUDE = """
import logging
import acceptor.classic as socketserver

class Server(socketserver.{kind}):
    request_queue_size = 50
    tries = []

    def get_request(self):
        self.tries.append(time.monotonic())
        return super().get_request()

    def service_actions(self):
        super().service_actions()
        served.set()

def greet(request, client_address, server):
    request.sendall(b"hello")

def hoard():
    held = []
    with contextlib.suppress(OSError):
        while True:
            held.append(os.dup(0))
    return held

def serve_one():
    # Nothing that is still to be closed may make room.
    loop = threading.Thread(target=server.serve_forever, args=({poll_interval},))
    loop.start()
    sys.stdin.readline()  # the client is served
    while not served.is_set() or getattr(server, "active_children", None):
        threading.Event().wait(0.001)
    while threading.active_count() > 2:
        threading.Event().wait(0.001)
    del server.tries[:]
    return loop

served = threading.Event()
logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
server = Server(("127.0.0.1", 0), greet)
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
say("port", server.server_address[1])
"""

IN_A_LOOP = """
loop = serve_one()
held = hoard()
say("hoarded")
while len(server.tries) < 4:
    threading.Event().wait(0.01)
say("tried", server.tries[3] - server.tries[0])
for number in held:
    os.close(number)
sys.stdin.readline()  # all clients are served
server.shutdown()
loop.join()
server.server_close()
say("over")
"""


@pytest.mark.parametrize("poll_interval", [None, 0.01])
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_loop_without_descriptors_tries_now_and_then_and_loses_nobody(
    style: type[TCPServer], poll_interval: Any
) -> None:
    source = PRELUDE + IN_A_LOOP
    clients: list[socket.socket] = []
    with program(source.format(kind=style.__name__, poll_interval=poll_interval)) as it:
        address = it.address()
        try:
            assert ask(address, b"") == b"hello"
            it.answer()
            it.hear("hoarded")
            clients.extend(connect(address) for _ in range(20))
            [elapsed] = it.hear("tried")
            answers = [read_all(client) for client in clients]
        finally:
            for client in clients:
                client.close()
        it.answer()

        it.hear("over")
        code, log = it.end()

    assert float(elapsed) >= 0.1 + 0.2 + 0.4 - 0.01
    assert answers == [b"hello"] * 20
    assert code == 0
    assert log.count("WARNING accepting is paused") == 1
    assert log.count("WARNING accepting again") == 1


SHUT_DOWN = """
loop = serve_one()
held = hoard()
say("hoarded")
while not server.tries:
    threading.Event().wait(0.001)
server.shutdown()
loop.join()
server.server_close()
say("over", len(server.tries))
"""


def test_loop_without_descriptors_is_shut_down_at_once() -> None:
    source = PRELUDE + SHUT_DOWN
    with program(source.format(kind="TCPServer", poll_interval=None)) as it:
        address = it.address()
        assert ask(address, b"") == b"hello"
        it.answer()
        it.hear("hoarded")
        with connect(address):
            [tries] = it.hear("over")
        code, _ = it.end()

    assert int(tries) < 5
    assert code == 0


SINGLE_REQUESTS = """
sys.stdin.readline()  # a client waits
held = hoard()
server.timeout = 0.3
for _ in range(2):
    server.handle_request()
say("tried", len(server.tries))
for number in held:
    os.close(number)
server.timeout = None
server.handle_request()
server.server_close()
say("over")
"""


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_single_request_without_descriptors_raises_nothing_and_is_served_later(
    style: type[TCPServer],
) -> None:
    source = (PRELUDE + SINGLE_REQUESTS).format(kind=style.__name__, poll_interval=None)
    with program(source) as it, connect(it.address()) as client:
        it.answer()
        [tries] = it.hear("tried")
        it.hear("over")

        assert read_all(client) == b"hello"
        assert int(tries) < 10
        assert it.end()[0] == 0


def test_single_requests_without_descriptors_pause_before_they_try_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Poor(TCPServer):
        timeout: float | None = 0.2
        shortage = True

        def get_request(self) -> tuple[socket.socket, Any]:
            if self.shortage:
                raise OSError(errno.EMFILE, "none left")
            return super().get_request()

    with Poor(LOOPBACK, greet) as server, connect(server.server_address) as client:
        begun = time.monotonic()
        for _ in range(5):
            server.handle_request()
        elapsed = time.monotonic() - begun
        server.shortage, server.timeout = False, None

        server.handle_request()

        assert read_all(client) == b"hello"
    assert elapsed >= 0.4
    assert "accepting is paused" in caplog.text
