"""The command when it cannot start: status 2, one clear line, no traceback."""

import socket
import sys
from pathlib import Path

import pytest

from tests.commands import LOOPBACK, refusal

TCP = ("app:Echo", *LOOPBACK)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "required"),
        (("app:Echo",), "--listen"),
        (LOOPBACK, "MODULE:HANDLER"),
        ((*TCP, "--listen"), "--listen"),
        ((*TCP, "--treaded"), "--treaded"),
        ((*TCP, "--thr"), "--thr"),
        ((*TCP, "more"), "more"),
        ((*TCP, "--sync", "--forked"), "not allowed with"),
        ((*TCP, "--threaded", "many"), "'many'"),
        ((*TCP, "--threaded", "0"), "1 or more, got 0"),
        ((*TCP, "--pooled", "0"), "1 or more, got 0"),
        ((*TCP, "--forked", "-1"), "1 or more, got -1"),
        ((*TCP, "--grace", "soon"), "'soon'"),
        ((*TCP, "--grace", "-1"), "grace must be seconds, 0 or more"),
        ((*TCP, "--grace", "nan"), "grace must be seconds, 0 or more"),
        ((*TCP, "--grace"), "--grace"),
        ((*TCP, "--allow"), "--allow"),
        ((*TCP, "--allow", "10.0.0.0/33"), "10.0.0.0/33"),
        ((*TCP, "--deny", "10.0.0.1/8"), "10.0.0.1/8"),
        ((*TCP, "--deny", "localhost"), "localhost"),
        ((*TCP, "--lines", "--framing", "app:frames"), "not allowed with"),
        ((*TCP, "--framing", "lines"), "the framing must be given as MODULE:FRAMING, got 'lines'"),
        ((*TCP, "--framing", "app:missing"), "no framing 'missing' in 'app'"),
        ((*TCP, "--framing", "app:running"), "a framing needs cut and wrap, got 0"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_bad_argument_is_refused(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    assert said in refusal(tmp_path, *arguments)


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("127.0.0.1:80", "no '://'"),
        ("http://127.0.0.1:80", "unknown scheme 'http'"),
        ("tcp://127.0.0.1", "no port"),
        ("tcp://127.0.0.1:http", "'http'"),
        ("tcp://127.0.0.1:65536", "65536"),
        ("tcp://::1:80", "brackets"),
        ("tcp://[::g]:80", "no IPv6 address"),
        ("unix://relative", "must be absolute"),
        ("unix://@", "must not be empty"),
        ("unix:///" + "long" * 50, "choose a shorter"),
        ("unix:///no/such/folder/it.sock", "No such file"),
        ("unix:///etc/passwd", "is no socket"),
        ("tcp://192.0.2.1:0", "no interface of this machine"),
        ("tcp://.example:0", "tcp://.example:0"),
        ("tcp://" + "long" * 16 + ":0", "label too long"),
    ],
)
def test_bad_endpoint_is_refused(endpoint: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(tmp_path, "app:Echo", "--listen", endpoint)


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        ("app", "MODULE:HANDLER, got 'app'"),
        (":Echo", "MODULE:HANDLER"),
        ("app:", "MODULE:HANDLER"),
        ("no_such_module:Echo", "cannot import 'no_such_module'"),
        ("no.such.module:Echo", "cannot import 'no.such.module'"),
        ("..app:Echo", "cannot import"),
        ("app:Ecko", "no handler 'Ecko' in 'app'"),
        ("app:Nested.Outer", "no handler 'Nested.Outer' in 'app'"),
        ("app:number", "must be callable"),
        ("app:two_arguments", "cannot be called with (request, client_address, server)"),
        ("app:coroutine", "coroutine function"),
        ("app:Shout", "Shout serves datagrams, but this transport yields connections"),
    ],
)
def test_handler_that_cannot_serve_is_refused(handler: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(tmp_path, handler, *LOOPBACK)


def test_stream_handler_is_refused_on_datagrams(tmp_path: Path) -> None:
    said = refusal(tmp_path, "app:Echo", *LOOPBACK, "--listen", "udp://127.0.0.1:0")

    assert "Echo serves connections, but this transport yields datagrams" in said


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise RuntimeError('not today')", "cannot import 'broken': RuntimeError: not today"),
        ("raise RuntimeError('not today\\nnor tomorrow')", "not today"),
        ("1 +", "cannot import 'broken': SyntaxError"),
        ("import no_such_module", "no_such_module"),
        ("import os; os.no_such_name", "cannot import 'broken': AttributeError"),
        ("raise SystemExit(5)", "cannot import 'broken': SystemExit: 5"),
        ("import sys; sys.exit()", "cannot import 'broken': SystemExit"),
    ],
)
def test_module_that_raises_at_import_is_refused(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(source)

    assert said in refusal(tmp_path, "broken:Echo", *LOOPBACK)


def test_port_in_use_is_refused_and_the_way_out_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        endpoint = f"tcp://127.0.0.1:{other.getsockname()[1]}"

        said = refusal(tmp_path, "app:Echo", "--listen", endpoint)

    assert f"cannot listen on {endpoint}: Address already in use; " in said


def test_unix_socket_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "it.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        said = refusal(tmp_path, "app:Echo", "--listen", f"unix://{path}")

    assert "a live server has it" in said
    assert path.is_socket()


def test_all_endpoints_are_given_up_if_one_is_refused(tmp_path: Path) -> None:
    first, second = f"unix://{tmp_path}/first.sock", f"unix://{tmp_path}/no/second.sock"

    said = refusal(tmp_path, "app:Echo", "--listen", first, "--listen", second)

    assert second in said
    assert not (tmp_path / "first.sock").exists()


def test_networks_are_refused_for_unix_sockets(tmp_path: Path) -> None:
    listen = ("--listen", f"unix://{tmp_path}/it.sock")

    assert "clients are UnixPeer" in refusal(tmp_path, "app:Echo", *listen, "--deny", "10.0.0.0/8")


# What lets root bind any port is given up first: CAP_NET_BIND_SERVICE; capabilities(7).
WITHOUT_PRIVILEGE = """
import ctypes, sys
import acceptor.cli

libc = ctypes.CDLL(None, use_errno=True)
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
assert libc.capget(header, sets) == 0
sets[0] &= ~(1 << 10)
assert libc.capset(header, sets) == 0
sys.exit(acceptor.cli.main())
"""


def test_denied_port_is_refused_and_the_way_out_told(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("privileges are given up in Linux's way")
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 1:
        pytest.skip("this machine denies no port to anybody")

    said = refusal(
        tmp_path,
        *("app:Echo", "--listen", "tcp://127.0.0.1:1"),
        command=[sys.executable, "-c", WITHOUT_PRIVILEGE],
    )

    assert "cannot listen on tcp://127.0.0.1:1: Permission denied; ports below 1024" in said
