"""Two of us behind HAProxy, in short: restarts that nobody notices, and a death that few do."""

import http.client
import signal
from pathlib import Path

import pytest

from chaos.behind import NAMES, Behind, behind
from chaos.rolling import main as rolling
from chaos.shops import CLIENTS, Load, wrk
from tests.deploy.kit import HOP, needs_haproxy, needs_wrk
from tests.support import PATIENCE, wait_until

pytestmark = [needs_haproxy, needs_wrk]

AT_ONE = 5  # connections that HAProxy has open to one server


@pytest.mark.parametrize("how", ["http", "tcp"])
def test_rolling_restart_behind_haproxy_fails_no_request(
    how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    status = rolling(["--seconds", "3", "--haproxy", how])

    said = capfd.readouterr().out
    assert status == 0, said
    assert said.count("no error\n") == 2


def test_haproxy_sends_nobody_to_who_drains_and_still_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaos.behind._LAME_DUCK", "60")
    (tmp_path / "page").write_text("hello\n")
    with behind("http", str(tmp_path), "HTTP/1.1") as servers:
        servers.shops["first"].send_signal(signal.SIGTERM)
        wait_until(lambda: _is_down(servers, "first"), "a check has found out")
        found_by = servers.proxy.figure("web/first", "check_status")
        served = _served(servers, "first")
        statuses = [_get(servers.port) for _ in range(10)]

        assert found_by == "L7STS"  # it has answered that it is not ready
        assert servers.shops["first"].poll() is None
        assert statuses == [200] * 10
        assert _served(servers, "first") == served


@pytest.mark.parametrize("how", ["http", "tcp"])
def test_killed_server_takes_only_its_requests_with_it(how: str, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("hello\n")
    with behind(how, str(tmp_path), "HTTP/1.0", MAXCONN=str(AT_ONE)) as servers:
        with wrk(servers.port, 3) as asking:
            wait_until(lambda: all(_served(servers, name) > 100 for name in NAMES), "load on both")
            servers.shops["first"].kill()
            wait_until(lambda: _goes_on(servers), "the other goes on")
            said, _ = asking.communicate(timeout=PATIENCE)
        statuses = [_get(servers.port) for _ in range(20)]

    load = Load.of(said)
    # Twice: the system may close its connections before its port, and then HAProxy gives it as many
    # again. They wait there until that is closed, too; there is no third time.
    assert load.failed <= 2 * AT_ONE < CLIENTS, said
    assert load.requests > 200
    assert statuses == [200] * 20


def _served(servers: Behind, name: str) -> int:
    return int(servers.proxy.figure(f"{servers.door}/{name}", "stot"))


def _goes_on(servers: Behind) -> bool:
    before = _served(servers, "second")
    wait_until(lambda: _served(servers, "second") > before + 20, "some more")
    return _is_down(servers, "first")


def _is_down(servers: Behind, name: str) -> bool:
    return servers.proxy.figure(f"{servers.door}/{name}", "status").startswith("DOWN")


def _get(port: int) -> int:
    connection = http.client.HTTPConnection(HOP, port, timeout=PATIENCE)
    try:
        connection.request("GET", "/page")
        return connection.getresponse().status
    finally:
        connection.close()
