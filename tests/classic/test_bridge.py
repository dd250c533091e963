"""A composed server where a library expects a classic one."""

import select
import threading
from pathlib import Path
from typing import Any

import pytest

from acceptor import LifecycleError, Phase, SelfWaitError, ServerBuilder, StreamHandler
from acceptor.classic import ClassicServerAdapter
from acceptor.core.errors import UnsupportedError
from tests.fakes import scripted
from tests.support import ask


class Echo(StreamHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


def composed(handler: Any = Echo) -> Any:
    return ServerBuilder().tcp(("127.0.0.1", 0)).threaded().handler(handler).build()


def test_adapter_serves_as_a_library_drives_a_classic_server() -> None:
    with ClassicServerAdapter(composed()) as adapter:
        thread = threading.Thread(target=adapter.serve_forever, kwargs={"poll_interval": 60.0})
        thread.start()

        assert ask(adapter.server_address, b"hello\n") == b"hello\n"
        adapter.shutdown()
        thread.join(10)

        assert not thread.is_alive()
        assert adapter.fileno() == adapter.socket.fileno() >= 0
    assert adapter.fileno() == adapter.socket.fileno() == -1


def test_adapter_shows_socket_address_and_handler() -> None:
    with ClassicServerAdapter(composed()) as adapter:
        assert adapter.socket.getsockname() == adapter.server_address
        assert adapter.RequestHandlerClass is Echo


def test_adapter_can_be_waited_for_by_a_loop_of_the_program() -> None:
    with ClassicServerAdapter(composed()) as adapter:
        answers: list[bytes] = []
        client = threading.Thread(
            target=lambda: answers.append(ask(adapter.server_address, b"hello\n"))
        )
        client.start()

        ready, _, _ = select.select([adapter], [], [], 10)
        adapter.handle_request()
        client.join(10)

        assert ready == [adapter]
        assert answers == [b"hello\n"]


def test_adapter_returns_what_handle_timeout_says_when_nobody_came() -> None:
    class Patient(ClassicServerAdapter[Any, Any]):
        timeout = 0.0

        def handle_timeout(self) -> str:
            return "nobody"

    with Patient(composed()) as adapter:
        assert adapter.handle_request() == "nobody"


def test_adapter_listens_later_when_it_is_told_not_to() -> None:
    adapter = ClassicServerAdapter(composed(), bind_and_activate=False)

    with pytest.raises(LifecycleError):
        _ = adapter.server_address
    adapter.server_bind()
    adapter.server_activate()

    with adapter:
        assert adapter.server.phase is Phase.LISTENING


def test_adapter_closes_a_server_that_never_served_and_may_be_closed_twice(tmp_path: Path) -> None:
    path = tmp_path / "it.sock"
    adapter = ClassicServerAdapter(ServerBuilder().unix_stream(path).handler(Echo).build())

    adapter.server_close()
    adapter.server_close()

    assert not path.exists()


def test_adapter_shutdown_from_a_handler_returns() -> None:
    adapters: list[ClassicServerAdapter[Any, Any]] = []

    class Stop(StreamHandler):
        def handle(self) -> None:
            adapters[0].shutdown()
            with pytest.raises(SelfWaitError):
                adapters[0].server_close()
            self.wfile.write(b"stopped\n")

    with ClassicServerAdapter(composed(Stop)) as adapter:
        adapters.append(adapter)
        thread = threading.Thread(target=adapter.serve_forever)
        thread.start()

        assert ask(adapter.server_address, b"\n") == b"stopped\n"
        thread.join(10)
        assert not thread.is_alive()


def test_adapter_says_so_when_the_transport_shows_no_socket() -> None:
    _, stage = scripted()

    adapter = ClassicServerAdapter(stage.handler(lambda *_: None).build())

    with adapter, pytest.raises(UnsupportedError, match="has no socket to show"):
        _ = adapter.socket
