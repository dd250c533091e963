"""Real signals to real programs: the first drains, the second stops now."""

import signal

import pytest

from acceptor.core.runner import SIGNALS
from tests.fakes import held, let_go, refuses
from tests.programs import Program, program
from tests.support import read_all

STRATEGIES = ["sync", "threaded", "pooled", "forked"]


def source(strategy: str, count: int = 1, grace: float | None = None, after: str = "") -> str:
    return f"""
import logging
logging.basicConfig(level=logging.ERROR)
servers = [tcp().{strategy}().observe(tell).handler(hold).build() for _ in range({count})]
def on_ready():
    for server in servers:
        say("port", server.address.port)
reports = run(*servers, grace={grace}, on_ready=on_ready)
say("reports", *(f"{{report.finished}}/{{report.cut}}" for report in reports))
{after}
"""


def reports(it: Program) -> list[str]:
    """Wait for a clean end; return how many requests each server finished and cut."""
    told = it.hear("reports")
    code, _ = it.end()
    assert code == 0
    return told


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_first_signal_drains(strategy: str, number: int) -> None:
    with program(source(strategy)) as it:
        address = it.address()
        with held(address) as client:
            it.signal(number)
            it.hear("draining")
            assert refuses(address)

            assert let_go(client) == b"?"
        assert reports(it) == ["1/0"]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_second_signal_stops_now_although_there_is_time(strategy: str, number: int) -> None:
    with program(source(strategy)) as it:
        address = it.address()
        with held(address) as client:
            it.signal(number)
            it.hear("draining")
            assert refuses(address)
            it.signal(number)

            assert read_all(client) in (b"", b".")
            assert reports(it) == ["0/1"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_stuck_client_is_cut_when_the_grace_is_over(strategy: str) -> None:
    with program(source(strategy, grace=0.1)) as it, held(it.address()) as client:
        it.signal(signal.SIGTERM)

        assert read_all(client) in (b"", b".")
        assert reports(it) == ["0/1"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_several_servers_drain_under_one_set_of_signal_handlers(strategy: str) -> None:
    with program(source(strategy, count=3)) as it:
        addresses = [it.address() for _ in range(3)]
        with held(addresses[0]) as first, held(addresses[2]) as third:
            it.signal(signal.SIGTERM)
            for _ in addresses:
                it.hear("draining")

            assert let_go(first) == b"?"
            assert it.hear("closed") == ["FINISHED"]
            it.signal(signal.SIGINT)
            assert read_all(third) in (b"", b".")
        assert reports(it) == ["1/0", "0/0", "0/1"]


def test_idle_program_ends_at_the_first_signal_with_default_grace() -> None:
    with program(source("threaded", grace=8.0)) as it:
        address = it.address()
        let_go(held(address))
        it.hear("closed")

        it.signal(signal.SIGTERM)

        assert reports(it)[0].endswith("/0")  # its slot may be given back in the drain
        assert refuses(address)


def test_signal_handlers_of_before_are_there_again() -> None:
    after = 'say("before", *(signal.getsignal(n) in (signal.SIG_DFL, signal.default_int_handler) '
    after += "for n in (signal.SIGTERM, signal.SIGINT)))"
    with program(source("sync", after=after)) as it:
        it.address()
        it.signal(signal.SIGINT)

        assert it.hear("reports") == ["0/0"]
        assert it.hear("before") == ["True", "True"]
        assert it.end() == (0, "")


def test_many_signals_do_no_harm() -> None:
    with program(source("threaded")) as it:
        address = it.address()
        with held(address):
            it.signal(signal.SIGTERM)
            it.hear("draining")
            for _ in range(20):  # many that come at once are one to the system
                it.signal(signal.SIGTERM)

            assert reports(it) == ["0/1"]


def test_second_signal_stops_although_there_are_no_more_threads() -> None:
    text = source("threaded").replace(
        "def on_ready():",
        """
def refuse(*_):
    raise RuntimeError("can't start new thread")

def on_ready():
    import _thread
    _thread.start_new_thread = refuse""",
    )
    with program(text) as it:
        address = it.address()
        it.signal(signal.SIGTERM)

        assert it.hear("reports") == ["0/0"]
        assert refuses(address)


@pytest.mark.parametrize("count", [1, 2])
def test_first_signal_drains_although_there_are_no_more_threads(count: int) -> None:
    text = source("threaded", count).replace(
        "servers = [",
        """
def tell(event, tell=tell):
    tell(event)
    if isinstance(event, Started):
        import _thread
        _thread.start_new_thread = threading.Thread.start = refuse

def refuse(*_):
    raise RuntimeError("can't start new thread")

servers = [""",
    )
    with program(text) as it:
        addresses = [it.address() for _ in range(count)]
        client = held(addresses[0])
        it.signal(signal.SIGTERM)
        it.hear("draining")

        assert let_go(client) == b"?"

        assert reports(it) == ["1/0", "0/0"][:count]


def with_signals_to_another_thread(text: str) -> str:
    """Have a thread take a signal itself for each line that it reads.

    The system may give a signal to any thread, and to the main thread just before it goes to
    sleep; either way nothing interrupts that sleep.
    """
    return text.replace(
        "def on_ready():",
        """
def take_the_signals():
    while not all(server.phase is Phase.SERVING for server in servers):
        time.sleep(0.001)
    while sys.stdin.readline():
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

def on_ready():
    threading.Thread(target=take_the_signals, daemon=True).start()""",
    )


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_first_signal_drains_although_another_thread_got_it(strategy: str, count: int) -> None:
    with program(with_signals_to_another_thread(source(strategy, count))) as it:
        addresses = [it.address() for _ in range(count)]
        let_go(held(addresses[0]))
        it.hear("closed")

        it.answer()

        # The slot of the one that has ended may be given back in the drain.
        assert [report.partition("/")[2] for report in reports(it)] == ["0"] * count


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "strategy", ["threaded", "pooled", "forked"]
)  # else the main thread may be stuck
def test_second_signal_stops_although_another_thread_got_it(strategy: str, count: int) -> None:
    with program(with_signals_to_another_thread(source(strategy, count))) as it:
        addresses = [it.address() for _ in range(count)]
        with held(addresses[-1]) as client:
            it.answer()
            for _ in addresses:
                it.hear("draining")
            it.answer()

            assert read_all(client) in (b"", b".")
            assert reports(it)[-1] == "0/1"
