"""The order of a chain's steps, and what cannot stand where."""

from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    Reply,
    ServerBuilder,
    StreamHandler,
    allow_certificates,
    allow_networks,
    allow_users,
    ban_after,
    deny_networks,
    limit_per_peer,
    limit_rate,
)

CERTIFICATE = Path(__file__).with_name("server.pem")

tcp = ServerBuilder().tcp(("127.0.0.1", 0))
proxied = tcp.proxy_protocol(trusted="127.0.0.0/8")
MEMORIES = [ban_after(2, within=1.0, lasting=1.0), limit_per_peer(2), limit_rate(1.0, burst=1)]


def test_plan_shows_the_steps_in_the_order_of_the_chain() -> None:
    stage = tcp.access(deny_networks("192.0.2.1")).proxy_protocol(trusted=["10.0.0.0/8"])
    stage = stage.access(allow_networks("::/0"), refusal=Reply(b"no\n"))
    secured = stage.tls(CERTIFICATE).access(lambda client: True)

    plan = secured.handler(StreamHandler).build().plan()

    assert [step.partition("(")[0] for step in plan.access] == [
        "deny_networks",
        "allow_networks",  # of the hops that are trusted
        "proxy_protocol",
        "allow_networks",
        "tls",
        "AllowIf",
    ]
    assert plan.access[3] == "allow_networks('::/0'), Reply(payload=b'no\\n')"


@pytest.mark.parametrize("policy", MEMORIES, ids=repr)
@pytest.mark.parametrize("stage", [proxied, tcp.tls(CERTIFICATE)], ids=["proxied", "tls"])
def test_policy_that_remembers_cannot_stand_where_only_children_see_it(
    stage: Any, policy: Any
) -> None:
    ready = stage.access(~~limit_rate(1.0, burst=1) & policy).forked().handler(StreamHandler)

    with pytest.raises(ConfigurationError, match="remembers, but stands behind a step"):
        ready.build()


@pytest.mark.parametrize("policy", MEMORIES, ids=repr)
def test_policy_that_remembers_may_stand_before_such_a_step(policy: Any) -> None:
    tcp.access(policy).tls(CERTIFICATE).forked().handler(StreamHandler).build()
    proxied.access(policy).threaded().handler(StreamHandler).build()


def test_policy_of_certificates_needs_somebody_to_ask_for_them() -> None:
    with pytest.raises(ConfigurationError, match="client_ca"):
        tcp.tls(CERTIFICATE).access(allow_certificates())

    tcp.tls(CERTIFICATE, client_ca=CERTIFICATE).access(allow_certificates())


@pytest.mark.parametrize("trusted", [(), [], "here", None, 3])
def test_hops_that_cannot_be_trusted_are_refused_at_once(trusted: Any) -> None:
    with pytest.raises(ConfigurationError):
        tcp.proxy_protocol(trusted=trusted)


def test_hops_are_of_the_kind_that_the_transport_has() -> None:
    ServerBuilder().unix_stream("/run/it").proxy_protocol(trusted=allow_users(0))
    with pytest.raises(ConfigurationError, match="judges UnixPeer"):
        tcp.proxy_protocol(trusted=allow_users(0))  # type: ignore[arg-type]


@pytest.mark.parametrize("refusal", [b"no", Reply, "close"])
def test_what_is_no_refusal_is_refused(refusal: Any) -> None:
    with pytest.raises(ConfigurationError, match="refusal must be"):
        tcp.access(allow_networks("::/0"), refusal=refusal)


def test_stages_with_steps_are_values_of_which_several_servers_can_be_made() -> None:
    stage = proxied.tls(CERTIFICATE).threaded().handler(lambda *_: None)

    with stage.build() as one, stage.build() as other:
        assert one.address != other.address
