"""nginx's stream module in front of us, with the configuration that we ship."""

from pathlib import Path

import pytest

from tests.deploy.kit import (
    CLIENT,
    HOP,
    ask,
    checked_nginx,
    client_context,
    needs_nginx,
    nginx,
    port_of,
    proxied,
)
from tests.support import serving

pytestmark = needs_nginx


def test_nginx_accepts_the_file(tmp_path: Path) -> None:
    checked = checked_nginx(tmp_path)

    assert checked.returncode == 0, checked.stderr
    assert "test is successful" in checked.stderr


@pytest.mark.parametrize("strategy", ["threaded", "pooled", "forked"])
def test_handler_sees_the_real_client_with_the_hop_beside_it(strategy: str, tmp_path: Path) -> None:
    with serving(proxied(strategy)) as server:
        own_port = port_of(server)
        with nginx(own_port, own_port, tmp_path) as port:
            told = ask(port)

    assert told.said == {
        "client": [CLIENT, told.port],
        "hop": HOP,
        "destination": [HOP, port],
        "version": 1,
        "command": "proxy",
        "tls": None,
    }


def test_client_speaks_tls_with_us_through_the_proxy(tmp_path: Path) -> None:
    with serving(proxied(tls=True)) as server:
        own_port = port_of(server)
        with nginx(own_port, own_port, tmp_path) as port:
            told = ask(port, client_context())

    assert (told.said["client"], told.said["hop"]) == ([CLIENT, told.port], HOP)


def test_client_is_sent_to_the_other_when_one_is_not_there(tmp_path: Path) -> None:
    with serving(proxied()) as ended:
        closed_port = port_of(ended)

    with serving(proxied()) as server, nginx(closed_port, port_of(server), tmp_path) as port:
        told = [ask(port) for _ in range(4)]

    assert [it.said["client"] for it in told] == [[CLIENT, it.port] for it in told]
