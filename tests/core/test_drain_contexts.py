"""A drain can be asked for anywhere; who would wait for itself is told so."""

from typing import Any

import pytest

from acceptor import Accepted, Event, LifecycleError, Phase, SelfWaitError, Server
from tests.core.kit import STRATEGIES, WORKERS, at_once
from tests.fakes import Call, attempt, held, hold, in_phase, let_go, tcp
from tests.programs import program
from tests.support import Recorder, ask, connect, read_all, serving

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


@each_strategy
def test_drain_from_the_thread_that_has_started_the_server(strategy: str) -> None:
    server = getattr(tcp(), strategy)().handler(hold).build().start()
    let_go(held(server.address))

    assert server.drain().cut == 0


@each_strategy
def test_drain_from_another_thread_while_this_one_serves(strategy: str) -> None:
    server = getattr(tcp(), strategy)().handler(hold).build().listen()

    def visit_and_drain() -> object:
        let_go(held(server.address))
        return server.drain()

    call = Call(visit_and_drain)
    server.serve_forever()

    assert call.result().cut == 0


@each_strategy
def test_drain_while_another_thread_waits(strategy: str) -> None:
    with serving(getattr(tcp(), strategy)().handler(hold)) as server:
        waiting = Call(server.wait)

        report = server.drain()

        assert waiting.result() is True
    assert report.cut == 0


@each_strategy
@pytest.mark.parametrize("how", ["drain", "stop", "wait"])
def test_handler_is_told_that_it_would_wait_for_itself(how: str, strategy: str) -> None:
    def handle(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        error = attempt(getattr(server, how))
        request.sendall(type(error).__name__.encode())

    with serving(getattr(tcp(), strategy)().handler(handle)) as server:
        assert ask(server.address, b"") == b"SelfWaitError"
        assert ask(server.address, b"") == b"SelfWaitError"  # it goes on as if nothing were


@pytest.mark.parametrize("strategy", ["sync", "threaded"])
def test_handler_may_have_a_thread_of_its_own_drain(strategy: str) -> None:
    drains: list[Call] = []

    def handle(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        drains.append(Call(lambda: server.drain(60)))
        while not server.is_draining:
            pass
        request.sendall(b"done")

    with serving(getattr(tcp(), strategy)().handler(handle)) as server:
        assert ask(server.address, b"") == b"done"
        report = drains[0].result()

    assert (report.finished, report.cut) == (1, 0)


def test_observer_and_policy_are_told_that_they_would_wait_for_themselves() -> None:
    told: list[object] = []

    def observe(event: Event) -> None:
        if isinstance(event, Accepted):
            told.append(attempt(server.drain))

    def judge(peer: object) -> bool:
        told.append(attempt(server.drain))
        return True

    stage = tcp().access(judge).observe(observe)
    with serving(stage.handler(hold)) as server:
        let_go(held(server.address))

    assert [type(error) for error in told] == [SelfWaitError, SelfWaitError]


@pytest.mark.parametrize("strategy", WORKERS)
def test_shutdown_and_hurry_are_safe_in_a_handler(strategy: str) -> None:
    def handle(request: Any, client_address: object, server: Server[Any, Any]) -> None:
        server.hurry()
        server.shutdown()
        request.sendall(b"asked")

    server = getattr(tcp(), strategy)().handler(handle).build().start()
    assert ask(server.address, b"") == b"asked"

    assert server.wait(20.0)
    server.stop()


@each_strategy
def test_signal_handler_on_top_of_the_loop_is_told_so(strategy: str) -> None:
    source = f"""
        def on_signal(*_):
            try:
                server.drain()
            except SelfWaitError:
                say("told")
            server.shutdown()

        signal.signal(signal.SIGTERM, on_signal)
        server = tcp().{strategy}().handler(hold).build().listen()
        say("port", server.address.port)
        server.serve_forever()
        say("drained", server.drain().cut)
    """
    with program(source) as it:
        address = it.address()
        let_go(held(address))
        it.signal(15)

        it.hear("told")
        assert it.hear("drained") == ["0"]
        assert it.end() == (0, "")


@pytest.mark.parametrize("where", ["server.wait()", "threading.Event().wait(0.01)"])
def test_signal_handler_drains_where_its_thread_does_not_serve(where: str) -> None:
    source = f"""
        def on_signal(*_):
            say("drained", server.drain().cut)

        signal.signal(signal.SIGTERM, on_signal)
        server = tcp().threaded().handler(hold).build().start()
        say("port", server.address.port)
        while server.phase is not Phase.CLOSED:
            {where}
    """
    with program(source) as it:
        address = it.address()
        let_go(held(address))
        it.signal(15)

        assert it.hear("drained") == ["0"]
        assert it.end() == (0, "")


def test_drain_that_meets_a_server_about_to_listen_ends_it() -> None:
    for _ in range(50):
        server = tcp().handler(hold).build()

        loop, drain = at_once(server.serve_forever, server.drain)

        assert drain.result().cut == 0
        assert loop.result() is None or isinstance(loop.result(), LifecycleError)
        assert in_phase(server, Phase.CLOSED)


@each_strategy
def test_many_threads_drain_and_stop_at_once_and_get_one_report(strategy: str) -> None:
    recorder = Recorder()
    stage = getattr(tcp(), strategy)().observe(recorder)
    with serving(stage.handler(hold)) as server, connect(server.address) as client:
        client.recv(1)

        reports = [call.result() for call in at_once(*(server.drain, server.stop) * 3)]

        assert read_all(client) in (b"", b".")
    assert all(report is reports[0] for report in reports)
    assert (reports[0].finished, reports[0].cut) == (0, 1)


@pytest.mark.parametrize("call", ["serve_forever()", "handle_request()"])
def test_signal_that_the_system_gives_to_another_thread_ends_the_wait(call: str) -> None:
    source = f"""
        def on_signal(*_):
            say("told", threading.current_thread() is threading.main_thread())
            server.shutdown()

        def elsewhere():
            while server.phase is not Phase.SERVING:
                pass
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

        signal.signal(signal.SIGTERM, on_signal)
        server = tcp().handler(hold).build().listen()
        threading.Thread(target=elsewhere).start()
        server.{call}
        say("ended", signal.set_wakeup_fd(-1))
    """
    with program(source) as it:
        assert it.hear("told") == ["True"]
        assert it.hear("ended") == ["-1"]


def test_descriptor_that_a_program_is_woken_by_stays_its_own() -> None:
    source = """
        mine, other = socket.socketpair()
        other.setblocking(False)
        signal.set_wakeup_fd(other.fileno())
        server = tcp().handler(lambda *_: server.shutdown()).build().listen()
        threading.Thread(target=lambda: socket.create_connection(server.address).close()).start()
        server.serve_forever()
        say("ended", signal.set_wakeup_fd(-1) == other.fileno())
    """
    with program(source) as it:
        assert it.hear("ended") == ["True"]
