"""The command while it serves: what it prints, and how it runs."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from acceptor import UdpEndpoint, parse_endpoint
from tests.commands import COMMAND, LOOPBACK, running
from tests.fakes import let_go
from tests.support import PATIENCE, ask, connect, read_all


def ask_unix(path: str, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(path)
        client.sendall(question)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def ask_datagram(address: tuple[str, int], question: bytes) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.sendto(question, address)
        return client.recv(100)


def test_command_prints_where_it_listens_with_the_real_port(tmp_path: Path) -> None:
    with running(tmp_path, "app:Echo", *LOOPBACK) as it:
        host, port = it.address

        assert it.endpoints == [f"tcp://127.0.0.1:{port}"]
        assert port > 0
        assert ask((host, port), b"hello\n") == b"hello\n"


def test_command_serves_every_endpoint_and_prints_them_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "it.sock"
    endpoints = ["tcp://127.0.0.1:0", f"unix://{path}", "tcp://[::1]:0"]
    arguments = [word for endpoint in endpoints for word in ("--listen", endpoint)]

    with running(tmp_path, "app:Echo", *arguments) as it:
        one, two, three = it.endpoints
        assert one.startswith("tcp://127.0.0.1:")
        assert two == f"unix://{path}"
        assert three.startswith("tcp://[::1]:")

        assert ask(it.address, b"one\n") == b"one\n"
        assert ask_unix(str(path), b"two\n") == b"two\n"
        assert ask(("::1", int(three.rpartition(":")[2])), b"three\n") == b"three\n"
        it.process.terminate()
        assert it.end() == 0

    assert not path.exists()


def test_command_gives_lines_and_datagrams_to_the_same_handler(tmp_path: Path) -> None:
    path = tmp_path / "it.sock"
    endpoints = ["tcp://127.0.0.1:0", f"unix://{path}", "udp://127.0.0.1:0"]
    arguments = [word for endpoint in endpoints for word in ("--listen", endpoint)]

    with running(tmp_path, "app:upper", *arguments, "--lines") as it:
        udp = parse_endpoint(it.endpoints[2])
        assert isinstance(udp, UdpEndpoint)

        assert ask(it.address, b"one\ntwo\n") == b"ONE\nTWO\n"
        assert ask_unix(str(path), b"three\n") == b"THREE\n"
        assert ask_datagram((udp.host, udp.port), b"four") == b"FOUR"


@pytest.mark.parametrize("strategy", [(), ("--threaded",), ("--pooled", "2"), ("--forked",)])
def test_command_cuts_messages_as_an_object_says(strategy: tuple[str, ...], tmp_path: Path) -> None:
    with running(tmp_path, "app:upper", *LOOPBACK, "--framing", "app:frames", *strategy) as it:
        assert ask(it.address, b"\0\5hello\0\1x") == b"\0\5HELLO\0\1X"


def test_command_serves_datagrams(tmp_path: Path) -> None:
    with running(tmp_path, "app:Shout", "--listen", "udp://127.0.0.1:0", "--threaded") as it:
        assert it.endpoints[0].startswith("udp://127.0.0.1:")
        assert ask_datagram(it.address, b"hello") == b"HELLO"


def test_command_finds_a_handler_inside_another_object(tmp_path: Path) -> None:
    with running(tmp_path, "app:Nested.Inner", *LOOPBACK) as it:
        assert ask(it.address, b"hello\n") == b"hello\n"


def test_command_serves_files_with_the_standard_handler(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("a page")

    with running(tmp_path, "http.server:SimpleHTTPRequestHandler", *LOOPBACK, "--threaded") as it:
        answer = ask(it.address, b"GET /page.txt HTTP/1.0\r\n\r\n")

    assert answer.endswith(b"a page")


def test_command_logs_to_standard_error(tmp_path: Path) -> None:
    with running(tmp_path, "app:Echo", *LOOPBACK) as it:
        it.process.terminate()
        assert it.end() == 0

        assert "INFO stopped: 0 finished, 0 cut" in it.log()


@pytest.mark.parametrize(
    ("how", "elsewhere"),
    [
        ((), "here"),
        (("--sync",), "here"),
        (("--threaded",), "thread"),
        (("--threaded", "2"), "thread"),
        (("--pooled",), "thread"),
        (("--pooled", "2"), "thread"),
        (("--forked",), "child"),
        (("--forked", "2"), "child"),
    ],
)
def test_command_runs_requests_as_it_is_told(
    how: tuple[str, ...], elsewhere: str, tmp_path: Path
) -> None:
    with running(tmp_path, "app:Where", *LOOPBACK, *how) as it:
        pid, thread = ask(it.address, b"").decode().split(" ", 1)

        in_process, in_thread = int(pid) == it.process.pid, thread == "MainThread"
        assert (in_process, in_thread) == {
            "here": (True, True),
            "thread": (True, False),
            "child": (False, True),
        }[elsewhere]


def test_command_runs_no_more_at_a_time_than_it_is_told(tmp_path: Path) -> None:
    with (
        running(tmp_path, "app:Hold", *LOOPBACK, "--threaded", "2") as it,
        connect(it.address) as one,
        connect(it.address) as two,
        connect(it.address) as three,
    ):
        assert {one.recv(1), two.recv(1)} == {b"1", b"2"}
        assert let_go(one) == b"."

        assert three.recv(1) == b"2"


@pytest.mark.parametrize(
    ("access", "answer"),
    [
        (("--allow", "127.0.0.0/8"), b"hello\n"),
        (("--allow", "10.0.0.0/8"), b""),
        (("--allow", "10.0.0.0/8", "127.0.0.1"), b"hello\n"),
        (("--allow", "10.0.0.0/8", "--allow", "127.0.0.1"), b"hello\n"),
        (("--deny", "127.0.0.0/8"), b""),
        (("--deny", "10.0.0.0/8", "--deny", "::1"), b"hello\n"),
        (("--deny", "10.0.0.0/8", "127.0.0.1"), b""),
        (("--allow", "127.0.0.0/8", "--deny", "127.0.0.1"), b""),
    ],
)
def test_command_lets_in_whom_it_is_told(
    access: tuple[str, ...], answer: bytes, tmp_path: Path
) -> None:
    with running(tmp_path, "app:Echo", *LOOPBACK, *access) as it:
        try:
            answered = ask(it.address, b"hello\n")
        except OSError:  # the door closed before the question was through
            answered = b""

        assert answered == answer


def test_installed_command_imports_from_the_current_folder(tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "acceptor"
    if not script.exists():
        pytest.skip("the package is not installed here, so there is no command")

    with running(tmp_path, "app:Echo", *LOOPBACK, command=[str(script)]) as it:
        assert ask(it.address, b"hello\n") == b"hello\n"


@pytest.mark.parametrize(("option", "said"), [("--version", "acceptor "), ("--help", "ENDPOINT")])
def test_command_tells_about_itself(option: str, said: str) -> None:
    result = subprocess.run([*COMMAND, option], capture_output=True, text=True, check=True)

    assert said in result.stdout
    assert result.stderr == ""
