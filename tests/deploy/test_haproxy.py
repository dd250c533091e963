"""HAProxy in front of us, with the configuration that we ship."""

import os
import ssl
import subprocess
from collections.abc import Mapping

import pytest

from acceptor import Closed, HandshakeFailed, ProxiedPeer, Refused
from chaos.haproxy import CONFIGURATION, find, haproxy
from tests.deploy.kit import CLIENT, HOP, PEM, ask, client_context, needs_haproxy, port_of, proxied
from tests.support import Recorder, serving, wait_until

pytestmark = needs_haproxy

CERTIFICATE = {"CERTIFICATE": str(PEM), "CLIENT_CA": str(PEM)}


@pytest.mark.parametrize("settings", [{}, CERTIFICATE], ids=["plain", "tls"])
def test_haproxy_accepts_the_file_as_it_is(settings: Mapping[str, str]) -> None:
    environment = {**os.environ, **{f"ACCEPTOR_{name}": it for name, it in settings.items()}}

    checked = subprocess.run(
        [str(find("haproxy")), "-c", "-f", CONFIGURATION],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stderr


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
@pytest.mark.parametrize(("header", "version"), [("send-proxy", 1), ("send-proxy-v2", 2)])
@pytest.mark.parametrize("door", ["streams", "web"])
def test_handler_sees_the_real_client_with_the_hop_beside_it(
    door: str, header: str, version: int, strategy: str
) -> None:
    with serving(proxied(strategy)) as server:
        port = port_of(server)
        with haproxy(port, port, HEADER=header) as proxy:
            told = ask(proxy.ports[door])

    assert told.said == {
        "client": [CLIENT, told.port],
        "hop": HOP,
        "destination": [HOP, proxy.ports[door]],
        "version": version,
        "command": "proxy",
        "tls": None,
    }


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_handler_sees_whose_certificate_the_client_has_shown_the_proxy(strategy: str) -> None:
    with serving(proxied(strategy)) as server:
        port = port_of(server)
        with haproxy(port, port, **CERTIFICATE) as proxy:
            known = ask(proxy.ports["secured"], client_context(certificate=True))
            unknown = ask(proxy.ports["secured"], client_context())

    assert known.said["tls"] == ["localhost", True]
    assert known.said["client"] == [CLIENT, known.port]
    assert unknown.said["tls"] == [None, False]


def test_client_speaks_tls_with_us_through_the_proxy() -> None:
    with serving(proxied(tls=True)) as server:
        port = port_of(server)
        with haproxy(port, port) as proxy:
            told = ask(proxy.ports["streams"], client_context())

    assert (told.said["client"], told.said["hop"]) == ([CLIENT, told.port], HOP)


def test_handshake_that_fails_behind_the_proxy_is_told_with_the_real_client() -> None:
    recorder = Recorder()
    with serving(proxied(tls=True).observe(recorder)) as server:
        port = port_of(server)
        with haproxy(port, port) as proxy:
            with pytest.raises(ssl.SSLCertVerificationError):
                ask(proxy.ports["streams"], ssl.create_default_context())
            # What its end does to the alert that says why is up to the proxy: no reason here.
            recorder.wait_for(HandshakeFailed, where=lambda it: _host(it.peer) == CLIENT)


@pytest.mark.parametrize("header", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize(("door", "status"), [("streams", "L4OK"), ("web", "L7OK")])
def test_checks_find_us_well_and_do_not_disturb(door: str, status: str, header: str) -> None:
    recorder = Recorder()
    with serving(proxied().observe(recorder)) as server:
        port = port_of(server)
        with haproxy(port, port, HEADER=header, CHECK="10ms") as proxy:
            recorder.wait_for(Closed, 20)
            name = f"{door}/first"
            wait_until(lambda: proxy.figure(name, "check_status") == status, f"{name} is well")
            told = ask(proxy.ports[door])
            # Now: at its end HAProxy leaves checks that have said nothing yet.
            disturbed = [*recorder.of(HandshakeFailed), *recorder.of(Refused)]

    assert told.said["client"] == [CLIENT, told.port]
    assert disturbed == []


def _host(peer: object) -> str:
    assert isinstance(peer, ProxiedPeer)
    return str(peer[0])
