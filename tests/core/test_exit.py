"""Programs that end with a request in work: it gets its time, and the end never hangs."""

import weakref
from typing import Any

import pytest

from acceptor import DrainReport, StopCause
from acceptor.core import at_exit
from tests.core.kit import WORKERS, leave
from tests.fakes import held, let_go
from tests.programs import program
from tests.support import read_all

# A sync handler runs in the thread that the end waits for, too.
STRATEGIES = ("sync", *WORKERS)

SOURCE = """
warnings.simplefilter("ignore", ForkWithThreadsWarning)

def tell_all(event):
    tell(event)
    if isinstance(event, Stopped):
        say("stopped", event.report.cause.name, event.report.finished, event.report.cut)

server = tcp().{strategy}().timeouts(drain={drain}).observe(tell_all).handler(hold).build()
"""

FALLS_OFF = """
server.start()
say("port", server.address.port)
sys.stdin.readline()
"""

WITH = """
with server:
    server.start()
    say("port", server.address.port)
    sys.stdin.readline()
"""

EXITS = """
server.start()
say("port", server.address.port)
sys.stdin.readline()
sys.exit(3)
"""

ENDS = pytest.mark.parametrize(
    ("end", "cause", "code"), [(FALLS_OFF, "EXIT", 0), (WITH, "BLOCK_ENDED", 0), (EXITS, "EXIT", 3)]
)


@pytest.mark.parametrize("strategy", STRATEGIES)
@ENDS
def test_request_in_work_may_finish_when_the_program_ends(
    end: str, cause: str, code: int, strategy: str
) -> None:
    with program(SOURCE.format(strategy=strategy, drain=60.0) + end) as it:
        client = held(it.address())
        it.answer()
        it.hear("draining")

        assert let_go(client) == b"?"

        assert it.hear("stopped") == [cause, "1", "0"]
        assert it.end() == (code, "")


@pytest.mark.parametrize("strategy", STRATEGIES)
@ENDS
def test_request_that_does_not_finish_in_time_is_cut_when_the_program_ends(
    end: str, cause: str, code: int, strategy: str
) -> None:
    with program(SOURCE.format(strategy=strategy, drain=0.1) + end) as it:
        with held(it.address()) as client:
            it.answer()

            assert read_all(client) in (b"", b".")
        assert it.hear("stopped") == [cause, "0", "1"]
        assert it.end() == (code, "")


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_request_that_nothing_of_ours_can_end_holds_up_no_exit(strategy: str) -> None:
    source = SOURCE.format(strategy=strategy, drain=0.1) + FALLS_OFF
    stubborn = """
def hold(request, client_address, server):
    if {child}:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    request.sendall(b"!")
    while True:
        time.sleep(60)
""".replace("{child}", str(strategy == "forked"))
    with program(stubborn + source) as it:
        client = held(it.address())
        it.answer()

        assert it.hear("stopped") == ["EXIT", "0", "1"]
        assert it.end()[0] == 0
        leave(client)


def test_block_that_raises_waits_for_nobody() -> None:
    source = SOURCE.format(strategy="threaded", drain=60.0) + WITH + "    raise SystemExit(7)\n"
    with program(source) as it, held(it.address()) as client:
        it.answer()

        assert read_all(client) in (b"", b".")
        assert it.hear("stopped") == ["BLOCK_RAISED", "0", "1"]
        assert it.end() == (7, "")


def test_server_that_only_listens_holds_up_no_exit() -> None:
    source = SOURCE.format(strategy="threaded", drain=60.0) + "server.listen()\n"
    with program(source) as it:
        assert it.hear("stopped") == ["EXIT", "0", "0"]
        assert it.end() == (0, "")


def test_several_servers_end_with_the_program() -> None:
    source = """
        def tell_all(event):
            if isinstance(event, Stopped):
                say("stopped", event.report.cause.name)

        servers = [tcp().threaded().observe(tell_all).handler(hold).build() for _ in range(3)]
        for server in servers:
            server.start()
    """
    with program(source) as it:
        assert [it.hear("stopped") for _ in range(3)] == [["EXIT"]] * 3
        assert it.end() == (0, "")


def test_server_that_cannot_be_drained_keeps_no_other_from_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    servers, asked = weakref.WeakSet[Any](), list[StopCause]()
    monkeypatch.setattr(at_exit, "_SERVERS", servers)

    class Broken:
        def drain(self, *, cause: StopCause) -> DrainReport:
            asked.append(cause)
            raise ValueError("it broke")

    both = (Broken(), Broken())
    for server in both:
        at_exit.drain_at_exit(server)

    at_exit._drain_all()

    assert asked == [StopCause.EXIT] * 2
    assert caplog.text.count("ValueError: it broke") == 2


def test_forked_copy_of_a_program_does_not_wait_for_its_parents_drain() -> None:
    source = """
        def drain_slowly(event):
            if isinstance(event, Draining):
                asked.set()
                forked.wait()

        asked, forked = threading.Event(), threading.Event()
        stage = tcp().threaded().timeouts(drain=0.1).observe(drain_slowly)
        server = stage.handler(hold).build().start()
        drain = threading.Thread(target=server.drain)
        drain.start()
        asked.wait()
        if os.fork() == 0:
            sys.exit(7)
        say("child", os.waitstatus_to_exitcode(os.wait()[1]))
        forked.set()
        drain.join()
    """
    with program(source) as it:
        assert it.hear("child") == ["7"]
        assert it.end()[0] == 0


def test_forked_copy_of_a_program_does_not_end_its_parents_server() -> None:
    source = (
        SOURCE.format(strategy="threaded", drain=60.0)
        + """
server.start()
say("port", server.address.port)
if os.fork() == 0:
    sys.exit()
os.wait()
say("forked")
sys.stdin.readline()
"""
    )
    with program(source) as it:
        client = held(it.address())
        it.hear("forked")

        assert let_go(client) == b"?"
        it.answer()
        assert it.hear("closed") == ["FINISHED"]
        assert it.hear("stopped")[0] == "EXIT"
