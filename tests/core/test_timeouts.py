"""Each limit of a connection, on every stream transport, under every strategy and handler."""

import contextlib
import functools
import http.server
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from acceptor import Closed, DeadlineError, HandlerFailed, Outcome, Server, StreamHandler, Timeouts
from acceptor.transports.stream import LINGER_SECONDS
from tests.core.kit import STRATEGIES, STREAMS, in_background, leave, stage_of
from tests.support import Recorder, connect, serving, wait_until

LIMITS = ("first_data", "idle", "write", "connection")
SHORT = 0.1  # seconds

# More than any system takes without a reader.
HUGE = bytes(64 * 2**20)


@contextlib.contextmanager
def noting(diary: Path) -> Generator[None, None, None]:
    """Write down what is raised, in a file: the handler may run in a child."""
    try:
        yield
    except DeadlineError as error:
        note(diary, error)
        raise


def note(diary: Path, error: BaseException) -> None:
    with diary.open("a") as file:
        print(type(error).__name__, isinstance(error, TimeoutError), file=file)


class Reader(StreamHandler):
    diary: Path

    def handle(self) -> None:
        with noting(self.diary):
            for _ in self.rfile:
                self.wfile.write(HUGE)


def receive(
    diary: Path, request: socket.socket, client_address: object, server: Server[Any, Any]
) -> None:
    with noting(diary):
        while piece := request.recv(100):
            if b"\n" in piece:
                request.sendall(HUGE)


class Files(http.server.SimpleHTTPRequestHandler):
    diary: Path

    def log_message(self, *args: object) -> None:
        pass

    def log_error(self, format: str, *args: Any) -> None:  # told of a timeout, which ends here
        note(self.diary, args[0])


def handlers(folder: Path) -> dict[str, Callable[..., Any]]:
    diary = folder / "diary"
    with (folder / "huge").open("wb") as file:
        file.truncate(len(HUGE))
    files = type("TheseFiles", (Files,), {"diary": diary})
    return {
        "rfile": type("ThisReader", (Reader,), {"diary": diary}),
        "recv": functools.partial(receive, diary),
        "http": functools.partial(files, directory=str(folder)),
    }


def drip(client: socket.socket) -> bool:
    """Send a byte now and then."""
    try:
        client.send(b"x")
        client.settimeout(0.005)
        client.recv(1)
    except TimeoutError:
        return True
    except OSError:  # broken off, or closed by the test
        pass
    return False


@contextlib.contextmanager
def behaving(client: socket.socket, limit: str) -> Generator[None, None, None]:
    """Be a client who exceeds the limit, and no other."""
    match limit:
        case "idle":
            client.sendall(b"GET /hu")
        case "write":
            client.sendall(b"GET /huge HTTP/1.0\r\n\r\n")
        case "connection":
            with in_background(lambda: drip(client)):
                yield
            return
    yield


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("handler", ["rfile", "recv", "http"])
@pytest.mark.parametrize("limit", LIMITS)
def test_client_who_exceeds_a_limit_is_timed_out(  # noqa: PLR0917 - by keyword, as pytest does
    limit: str,
    handler: str,
    transport: str,
    strategy: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder()
    # This one begins before the child does, which may take its time on a busy machine.
    seconds = 1.0 if (limit, strategy) == ("connection", "forked") else SHORT
    only = dict.fromkeys(LIMITS) | {limit: seconds}
    stage = stage_of(transport, strategy, tmp_path).timeouts(**only).observe(recorder)
    ready = stage.handler(handlers(tmp_path)[handler])
    with (
        serving(ready) as server,
        connect(server.address) as client,
        behaving(client, limit),
    ):
        wait_until((tmp_path / "diary").exists)
        leave(client)
        [closed] = recorder.wait_for(Closed)

    assert closed.outcome is Outcome.TIMED_OUT
    assert closed.elapsed >= seconds
    assert (tmp_path / "diary").read_text() == "DeadlineError True\n"
    assert recorder.of(HandlerFailed) == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert server.timeouts == Timeouts(**only)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("limit", ["first_data", "connection"])
def test_client_who_exceeds_a_limit_does_not_hold_the_only_slot(
    limit: str, transport: str, strategy: str, tmp_path: Path
) -> None:
    recorder = Recorder()
    only = dict.fromkeys(LIMITS) | {limit: SHORT}
    stage = stage_of(transport, strategy, tmp_path).limits(max_connections=1).timeouts(**only)
    ready = stage.observe(recorder).handler(handlers(tmp_path)["recv"])
    with serving(ready) as server:
        for count in range(1, 4):  # the best of three: the machine may be busy
            with connect(server.address) as client, behaving(client, limit):
                closed = recorder.wait_for(Closed, count)  # although the client is still there
            if closed[-1].elapsed < SHORT + LINGER_SECONDS / 2:
                break

    # Who was given so much time is given no more to read the last reply.
    assert min(event.elapsed for event in closed) < SHORT + LINGER_SECONDS / 2
