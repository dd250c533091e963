"""Packages that are built on `socketserver` run on our classes, with a client.

None is a dependency: what is not installed is skipped. Which packages pass their own tests on our
classes, and how to repeat that, is in docs/compatibility.md.
"""

import http.client
import importlib.util
import signal
import socket

import pytest

from tests.programs import program
from tests.support import PATIENCE

SWAP = """
import acceptor.classic
sys.modules["socketserver"] = acceptor.classic
"""

WERKZEUG = """
from werkzeug.serving import make_server

def app(environ, start):
    if environ["PATH_INFO"] == "/fault":
        raise LookupError
    start("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {threading.current_thread() is threading.main_thread()}".encode()]

server = make_server("127.0.0.1", 0, app, OPTIONS)
say("is", isinstance(server, acceptor.classic.MIXIN))
say("port", server.port)
server.serve_forever()  # theirs: it takes the KeyboardInterrupt, and closes the server
say("closed", server.socket.fileno())
"""

PYTHON_OSC = """
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer

heard = Dispatcher()
heard.map("/say", lambda address, *words: say("heard", *words))

class Telling(ThreadingOSCUDPServer):
    def process_request(self, request, client_address):
        say("took", len(request[0]))
        super().process_request(request, client_address)

with Telling(("127.0.0.1", 0), heard) as server:
    say("is", isinstance(server, acceptor.classic.UDPServer))
    say("port", server.server_address[1])
    loop = threading.Thread(target=server.serve_forever)
    loop.start()
    sys.stdin.readline()
    server.shutdown()
    loop.join()
say("closed", server.socket.fileno())
"""


def skip_without(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def get(address: tuple[str, int], path: str) -> tuple[int, list[str]]:
    """Return the status and the words of the answer."""
    client = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.read().decode().split()
    finally:
        client.close()


@pytest.mark.parametrize(
    ("options", "mixin", "in_child", "in_main_thread"),
    [
        ("threaded=True", "ThreadingMixIn", False, False),
        ("processes=2", "ForkingMixIn", True, True),
        ("", "BaseServer", False, True),
    ],
)
def test_werkzeug_serves_on_our_classes_until_it_is_interrupted(
    options: str, mixin: str, in_child: bool, in_main_thread: bool
) -> None:
    skip_without("werkzeug")
    source = SWAP + WERKZEUG.replace("OPTIONS", options).replace("MIXIN", mixin)

    with program(source) as server:
        assert server.hear("is") == ["True"]
        address = server.address()
        fault, _ = get(address, "/fault")
        status, (pid, main_thread) = get(address, "/")
        server.signal(signal.SIGINT)
        closed = server.hear("closed")
        code, _ = server.end()

    assert (fault, status) == (500, 200)
    assert (int(pid) != server.pid, main_thread) == (in_child, str(in_main_thread))
    assert (closed, code) == (["-1"], 0)


def test_python_osc_drops_a_malformed_datagram_and_serves_the_next() -> None:
    skip_without("pythonosc")

    with (
        program(SWAP + PYTHON_OSC) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        assert server.hear("is") == ["True"]
        client.connect(server.address())
        client.send(b"no message of this protocol")  # its verify_request says no
        client.send(b"/say\0\0\0\0,i\0\0\0\0\0\7")
        took, heard = server.hear("took"), server.hear("heard")
        server.answer()
        closed = server.hear("closed")
        code, _ = server.end()

    assert (took, heard) == (["16"], ["7"])
    assert (closed, code) == (["-1"], 0)
