"""What breaks a loop ends its server, and reaches whoever waits."""

import errno

import pytest

from acceptor import (
    Phase,
)
from tests.fakes import in_phase, scripted
from tests.support import (
    wait_until,
)

BREAKS = [
    OSError(errno.EBADF, "it broke"),
    OSError(errno.EINVAL, "it broke"),
    TypeError("it broke"),
]


@pytest.mark.parametrize("error", BREAKS, ids=repr)
def test_serve_forever_raises_what_broke_the_listener_and_has_closed(error: Exception) -> None:
    listener, stage = scripted(error)
    server = stage.handler(lambda *_: None).build()

    with pytest.raises(type(error)) as caught:
        server.serve_forever()

    assert caught.value is error
    assert server.phase is Phase.CLOSED
    assert listener.history[-1] == "closed"


@pytest.mark.parametrize("error", BREAKS, ids=repr)
@pytest.mark.parametrize("call", ["wait", "drain"])
def test_error_that_ends_a_started_loop_is_raised_to_whoever_waits(
    call: str, error: Exception
) -> None:
    listener, stage = scripted(error)
    server = stage.handler(lambda *_: None).build().start()
    wait_until(lambda: listener.accepts)

    with pytest.raises(type(error)) as caught:
        getattr(server, call)()

    wait_until(lambda: in_phase(server, Phase.CLOSED))
    assert caught.value is error
    assert listener.history[-1] == "closed"


def test_error_that_ends_a_started_loop_is_raised_at_the_end_of_the_block() -> None:
    listener, stage = scripted(TypeError("it broke"))

    server = stage.handler(lambda *_: None).build()

    def leave() -> None:
        with server:
            server.start()
            wait_until(lambda: listener.accepts)

    with pytest.raises(TypeError, match="it broke"):
        leave()

    assert in_phase(server, Phase.CLOSED)


def test_error_that_ends_a_started_loop_is_logged_when_nobody_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, stage = scripted(TypeError("it broke"))
    server = stage.handler(lambda *_: None).build().start()

    wait_until(lambda: in_phase(server, Phase.CLOSED))
    server.stop()

    assert "it broke" in caplog.text
