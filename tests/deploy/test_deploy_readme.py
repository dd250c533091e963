"""The program that the page shows, and the times in the files that have to fit together."""

import http.client
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Final

from acceptor import Timeouts
from acceptor.concurrency.bounds import DEFAULT_MAX_CHILDREN
from acceptor.core.drain import LEAVE_PATIENCE
from tests.deploy.kit import NGINX, ROOT
from tests.examples.programs import running
from tests.support import PATIENCE, connect, wait_until

README: Final = (ROOT / "deploy" / "README.md").read_text()
HAPROXY: Final = (ROOT / "deploy" / "haproxy.cfg").read_text()
KUBERNETES: Final = (ROOT / "deploy" / "kubernetes.yaml").read_text()

DRIVER: Final = "import logging; logging.basicConfig(level=logging.INFO)\n"


def number(pattern: str, text: str) -> float:
    """Return the one number that the pattern finds in a text."""
    (found,) = set(re.findall(pattern, text))
    return float(found)


def test_program_fails_readiness_while_it_still_serves(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    # Ports are the system's choice here, and the lame duck lasts until the second signal.
    for ours, theirs in {"8000": "0", "8001": "0", "lame_duck=5.0": "lame_duck=60.0"}.items():
        assert shown.count(ours) == 1
        shown = shown.replace(ours, theirs)
    (tmp_path / "app.py").write_text(DRIVER + shown)
    with running([sys.executable, "app.py"], tmp_path) as program:
        clients, health = (_address(it) for it in program.addresses(2))
        before = _ready(health)
        program.process.send_signal(signal.SIGTERM)
        wait_until(lambda: _ready(health) == 503, "it is not ready any more")
        with connect(clients) as client:
            client.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello\n")
            answer = client.recv(6, socket.MSG_WAITALL)
        status = program.end()

    assert (before, answer, status) == (200, b"hello\n", 0)


def test_grace_period_is_long_enough_for_all_that_happens_in_it() -> None:
    grace = number(r"terminationGracePeriodSeconds: (\d+)", KUBERNETES)
    pre_stop = number(r'"sleep", "(\d+)"', KUBERNETES)
    lame_duck = number(r"lame_duck=([\d.]+)", README)
    drain = Timeouts().drain

    assert drain is not None
    assert grace > pre_stop + lame_duck + drain + LEAVE_PATIENCE


def test_proxies_wait_longer_than_we_do() -> None:
    idle = Timeouts().idle

    assert idle is not None
    assert number(r"timeout (?:client|server) (\d+)s", HAPROXY) > idle
    assert number(r"proxy_timeout (\d+)s", NGINX.read_text()) > idle


def test_proxies_leave_room_for_checks() -> None:
    assert number(r"MAXCONN (\d+)", HAPROXY) < DEFAULT_MAX_CHILDREN
    assert number(r"max_conns=(\d+)", NGINX.read_text()) < DEFAULT_MAX_CHILDREN


def test_haproxy_has_a_retry_left_when_it_finds_a_server_dead() -> None:
    assert number(r"error-limit (\d+)", HAPROXY) <= number(r"retries (\d+)", HAPROXY)


def _address(text: str) -> tuple[str, int]:
    return "127.0.0.1", int(text.rpartition(":")[2])


def _ready(address: tuple[str, int]) -> int:
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status
    finally:
        connection.close()
