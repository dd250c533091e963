"""What stands on a client's way, as the command's options say it."""

import signal
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from acceptor.cli import main
from tests.commands import LOOPBACK, running
from tests.support import PATIENCE, read_all, wait_until

CERTIFICATE = str(Path(__file__).with_name("server.pem"))

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 4000 80\r\n"


def tell(address: tuple[str, int], *said: bytes) -> bytes:
    """Say something first, if anything, and return the answer; b"" if there is none."""
    try:
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.sendall(b"".join(said))
            client.shutdown(socket.SHUT_WR)
            return read_all(client)
    except OSError:  # reset, or not connected any more
        return b""


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(CERTIFICATE)
    return context


def test_tls_is_spoken_with_the_certificate(tmp_path: Path) -> None:
    with (
        running(
            tmp_path, "app:Echo", *LOOPBACK, "--threaded", "--tls", CERTIFICATE, CERTIFICATE
        ) as it,
        socket.create_connection(it.address, timeout=PATIENCE) as plain,
        trusting().wrap_socket(plain) as client,
    ):
        client.sendall(b"hello\n")
        assert client.recv(100) == b"hello\n"


def test_client_without_a_certificate_is_turned_away_if_one_is_wanted(tmp_path: Path) -> None:
    options = ("--tls", CERTIFICATE, CERTIFICATE, "--client-ca", CERTIFICATE)
    with running(tmp_path, "app:Echo", *LOOPBACK, "--threaded", *options) as it:
        context = trusting()
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that the client hears of it at once
        with (
            socket.create_connection(it.address, timeout=PATIENCE) as plain,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(plain)
        wait_until(lambda: "bad client certificate" in it.log())


def test_real_client_is_seen_and_judged_behind_a_proxy(tmp_path: Path) -> None:
    options = ("--proxy-protocol", "127.0.0.0/8", "--deny", "192.0.2.8", "--per-peer", "1")
    with running(tmp_path, "app:Peer", *LOOPBACK, "--threaded", *options) as it:
        assert tell(it.address, V1) == b"192.0.2.7:4000"
        assert tell(it.address, V1.replace(b"2.7", b"2.8")) == b""
        assert tell(it.address, b"GET / HTTP/1.0\r\n\r\n") == b""


def test_hop_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, "app:Peer", *LOOPBACK, "--proxy-protocol", "192.0.2.0/24") as it:
        assert tell(it.address, V1) == b""
        wait_until(lambda: "refused 127.0.0.1" in it.log())


@pytest.mark.parametrize(
    ("option", "before", "after"), [("--allow", False, True), ("--deny", True, False)]
)
def test_networks_in_a_file_are_read_again_on_a_hang_up(
    option: str, before: bool, after: bool, tmp_path: Path
) -> None:
    networks = tmp_path / "networks"
    networks.write_text("192.0.2.0/24  # nobody\n")
    with running(tmp_path, "app:Peer", *LOOPBACK, option, f"@{networks}") as it:
        assert bool(tell(it.address)) is before

        networks.write_text("127.0.0.0/8\n")
        it.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "read again" in it.log())

        assert bool(tell(it.address)) is after


def test_client_beyond_the_rate_is_refused(tmp_path: Path) -> None:
    with running(tmp_path, "app:Peer", *LOOPBACK, "--rate", "0.001:2") as it:
        assert [bool(tell(it.address)) for _ in range(3)] == [True, True, False]


def test_client_beyond_the_number_of_one_peer_is_closed(tmp_path: Path) -> None:
    options = ("--threaded", "--max-connections", "5", "--per-peer", "1")
    with running(tmp_path, "app:Hold", *LOOPBACK, *options) as it, it.hold():
        assert tell(it.address) == b""


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["udp://127.0.0.1:0", "--tls", CERTIFICATE, CERTIFICATE], "--tls needs connections"),
        (["udp://127.0.0.1:0", "--proxy-protocol", "::/0"], "--proxy-protocol needs connections"),
        (["tcp://127.0.0.1:0", "--client-ca", CERTIFICATE], "--client-ca needs --tls"),
        (["tcp://127.0.0.1:0", "--tls", "/nowhere", "/nowhere"], "No such file"),
        (["tcp://127.0.0.1:0", "--allow", "@/nowhere"], "cannot read networks from /nowhere"),
        (["tcp://127.0.0.1:0", "--rate", "fast"], "--rate"),
        (["tcp://127.0.0.1:0", "--rate", "0"], "per_second"),
        (["tcp://127.0.0.1:0", "--max-connections", "0"], "max_connections"),
        (["tcp://127.0.0.1:0", "--proxy-protocol", "here"], "not a network"),
        (["unix:///tmp/it", "--allow", "::/0"], "UnixPeer"),
    ],
)
def test_what_cannot_work_is_told_in_a_line(
    options: Sequence[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["http.server:SimpleHTTPRequestHandler", "--listen", *options])

    said = capsys.readouterr().err
    assert left.value.code == 2
    assert line in said
    assert said.count("\n") == 1
