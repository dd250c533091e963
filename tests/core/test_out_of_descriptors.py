"""A machine that runs out: nobody spins, nobody is lost, and it is told once."""

import socket
import threading

import pytest

from acceptor import AcceptPaused, AcceptResumed
from tests.fakes import FakeIncoming, scripted
from tests.programs import program
from tests.support import Recorder, connect, read_all, serving

SOURCE = """
import logging, attrs

@attrs.define(eq=False)
class Counting:
    '''A listener that counts how often it is asked.'''

    inner: object
    accepts: int = 0

    address = property(lambda self: self.inner.address)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def accept(self):
        self.accepts += 1
        return self.inner.accept()

class CountingTransport:
    def listen(self):
        global listener
        listener = Counting(TcpTransport(endpoint=TcpEndpoint("127.0.0.1", 0)).listen())
        return listener

def greet(request, client_address, server):
    request.sendall(b"hello")

def tell(event):
    if isinstance(event, (AcceptPaused, AcceptResumed)):
        said.append(type(event).__name__)

said = []
logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
warnings.simplefilter("ignore")
server = ServerBuilder().transport(CountingTransport()).{strategy}().observe(tell).handler(greet)
server = server.build().listen()
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
hoard = []
with contextlib.suppress(OSError):
    while True:
        hoard.append(os.dup(0))
say("port", server.address.port)
sys.stdin.readline()  # all clients wait
server.start()
threading.Event().wait(2.0)  # the two seconds that the requirement names
say("tried", listener.accepts, *said)
for number in hoard:
    os.close(number)
sys.stdin.readline()  # all clients are served
report = server.drain()
say("served", server.stats.finished, *said)
"""


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
def test_waiting_clients_are_served_once_descriptors_are_free_again(strategy: str) -> None:
    clients: list[socket.socket] = []
    with program(SOURCE.replace("{strategy}", strategy)) as it:
        address = it.address()
        try:
            clients.extend(connect(address) for _ in range(20))
            it.answer()
            tried, *told = it.hear("tried")
            answers = [read_all(client) for client in clients]
        finally:
            for client in clients:
                client.close()
        it.answer()

        assert it.hear("served") == ["20", "AcceptPaused", "AcceptResumed"]
        code, log = it.end()

    assert 1 <= int(tried) < 30
    assert told == ["AcceptPaused"]
    assert answers == [b"hello"] * 20
    assert code == 0
    assert log.count("WARNING accepting is paused") == 1
    assert log.count("WARNING accepting again") == 1
    assert "ERROR" not in log


def test_pause_of_a_machine_without_descriptors_ends_at_once_with_the_server() -> None:
    recorder = Recorder()
    _, stage = scripted(*[OSError(24, "none left")] * 100)
    with serving(stage.observe(recorder).handler(lambda *_: None)) as server:
        recorder.wait_for(AcceptPaused)

        server.shutdown()

        assert server.wait(20.0)


def test_requests_go_on_while_accepting_is_paused_and_are_drained() -> None:
    served = threading.Event()
    recorder = Recorder()
    listener, stage = scripted(OSError(24, "none left"))
    with serving(stage.observe(recorder).handler(lambda *_: served.set())) as server:
        recorder.wait_for(AcceptPaused)
        listener.add(FakeIncoming())
        recorder.wait_for(AcceptResumed)

        assert served.wait(20.0)
        assert server.drain().cut == 0
