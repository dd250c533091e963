"""Policies about the client or the hop of a proxied connection."""

from typing import Any

import pytest

from acceptor import ConfigurationError, Peer, UnixPeer, allow_networks, allow_users
from acceptor.core.proxied_access import of_client, of_hop
from tests.core.access_kit import Fails, at, behind

CLIENT, HOP = at("192.0.2.1"), at("10.0.0.1")


def is_it(wanted: Peer) -> Any:
    return lambda peer: peer is wanted


@pytest.mark.parametrize("asked", [CLIENT, HOP], ids=["client", "hop"])
def test_wrapper_asks_about_one_of_the_two(asked: Peer) -> None:
    peer = behind(HOP, CLIENT)

    assert of_client(is_it(asked)).allows(peer) is (asked is CLIENT)
    assert of_hop(is_it(asked)).allows(peer) is (asked is HOP)


def test_client_of_a_proxy_that_speaks_for_itself_is_the_proxy() -> None:
    assert of_client(is_it(HOP)).allows(behind(HOP, None))


def test_hop_is_judged_by_what_judges_its_kind() -> None:
    peer = behind(UnixPeer("/run/proxy", 1, 0, 0), CLIENT)

    assert of_hop(allow_users(0)).allows(peer)
    assert not of_hop(allow_users(1)).allows(peer)
    assert of_hop(allow_networks("10.0.0.0/8")).allows(behind(HOP, CLIENT))


def test_wrappers_combine() -> None:
    policy = of_hop(is_it(HOP)) & ~of_client(is_it(CLIENT))

    assert policy.allows(behind(HOP, at("192.0.2.2")))
    assert not policy.allows(behind(HOP, CLIENT))


def test_error_of_a_wrapped_policy_is_nobodys_yes() -> None:
    for wrap in (of_client, of_hop):
        with pytest.raises(RuntimeError, match="no idea"):
            wrap(Fails()).allows(behind(HOP, CLIENT))


@pytest.mark.parametrize("wrong", [None, 3, "10.0.0.0/8"])
def test_wrapper_refuses_what_is_no_policy(wrong: Any) -> None:
    for wrap in (of_client, of_hop):
        with pytest.raises(ConfigurationError, match="an access policy needs"):
            wrap(wrong)


def test_wrappers_print_as_they_were_written_and_compare() -> None:
    users = allow_users(0)

    assert repr(of_hop(users)) == "of_hop(allow_users(0))"
    assert repr(of_client(Fails())) == "of_client(Fails())"
    assert of_hop(users) == of_hop(allow_users(0))
    assert of_hop(users) != of_hop(allow_users(1))
