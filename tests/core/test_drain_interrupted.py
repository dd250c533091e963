"""A drain that is itself interrupted or broken leaves nobody waiting for ever."""

import errno
import signal

import pytest

from acceptor import Phase, ResourceError
from tests.fakes import Call, FakeDispatcher, FakeIncoming, in_phase, scripted
from tests.programs import program
from tests.support import wait_until


@pytest.mark.parametrize("strategy", ["sync", "threaded", "pooled", "forked"])
@pytest.mark.parametrize("end", ["stop", "drain"])
def test_ctrl_c_during_a_drain_leaves_a_server_that_can_be_stopped(strategy: str, end: str) -> None:
    with program(
        f"""
        warnings.simplefilter("ignore")

        def observe(event):
            if isinstance(event, Draining):
                say("draining")

        server = tcp().{strategy}().observe(observe).handler(hold).build().start()
        client = socket.create_connection(server.address)
        client.recv(1)
        try:
            server.drain(None)
        except KeyboardInterrupt:
            say("interrupted")
        client.shutdown(socket.SHUT_WR)
        report = server.{end}()
        say("closed", server.phase.value, server.{end}() is report)
        """
    ) as it:
        it.hear("draining")

        it.signal(signal.SIGINT)

        it.hear("interrupted")
        assert it.hear("closed") == ["closed", "True"]
        assert it.end() == (0, "")


@pytest.mark.parametrize("error", [TypeError("it broke"), OSError(errno.EBADF, "it broke")])
def test_strategy_that_breaks_during_a_drain_ends_it_with_the_cause(error: Exception) -> None:
    client = FakeIncoming()
    _, stage = scripted(client)
    refusal = ResourceError(errno.EAGAIN, "no more")
    dispatcher = FakeDispatcher(errors=[refusal, error])
    server = stage.concurrency(dispatcher).handler(lambda *_: None).build()
    server.handle_request()

    drain = Call(lambda: server.drain(None))

    assert drain.result() is error
    assert Call(server.stop).result() is not None
    assert in_phase(server, Phase.CLOSED)
    assert client.history == ["closed"]
    wait_until(lambda: "closed" in dispatcher.history)
