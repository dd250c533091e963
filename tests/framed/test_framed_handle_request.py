"""What `handle_request` finds of messages that were begun with while nobody drove the server."""

import threading
from typing import Any

import attrs
import pytest

from acceptor.transports import holding
from acceptor.transports.held import FramedMessage
from tests.fakes import Call
from tests.framed.held_kit import framed, held, on_linux, read_line, upper
from tests.support import PATIENCE, serving, wait_until


@attrs.define(eq=False)
class Telling:
    """A poller that tells when somebody is about to wait."""

    inner: Any
    waits: threading.Event = attrs.field(factory=threading.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def poll(self, timeout: float | None) -> list[tuple[int, int]]:
        self.waits.set()
        found: list[tuple[int, int]] = self.inner.poll(timeout)
        return found


@on_linux
@pytest.mark.parametrize("strategy", ["threaded", "pooled"])
def test_handle_request_finds_what_a_thread_was_about_to_begin_with(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    about_to, go_on = threading.Event(), threading.Event()

    def make_slowly() -> Any:
        about_to.set()
        assert go_on.wait(PATIENCE)
        return FramedMessage()

    with serving(framed(strategy).handler(upper)) as server, held(server) as client:
        server.shutdown()
        assert server.wait(PATIENCE)
        assert server.handle_request(0.0)  # that was the first one
        server.start()
        loop: Any = server._loop
        wait_until(lambda: loop.intake.holder._is_plain)  # nobody waits for messages any more
        server.shutdown()
        assert server.wait(PATIENCE)
        monkeypatch.setattr(holding, "FramedMessage", make_slowly)
        client.sendall(b"second\n")
        assert about_to.wait(PATIENCE)
        assert not server.handle_request(0.0)  # which uses up whatever has woken it before
        loop.waiter.poller = poller = Telling(loop.waiter.poller)
        call = Call(lambda: server.handle_request(PATIENCE))
        assert poller.waits.wait(PATIENCE)

        go_on.set()

        assert call.result()
        assert read_line(client) == b"SECOND"
