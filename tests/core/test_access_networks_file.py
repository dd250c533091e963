"""Networks from a file: what it may hold, and that a reload changes all or nothing."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from acceptor import ConfigurationError, UnixPeer
from acceptor.core.access import AllOf, explain, parts
from acceptor.core.dry_run import DryRun
from acceptor.core.networks_file import NetworksFile, allow_networks_in, deny_networks_in
from acceptor.core.proxied_access import of_hop
from tests.core.access_kit import at, behind

GOOD = """\
# Ours.
10.0.0.0/8
   fd00::/8   # the same, in IPv6

\t192.0.2.1\t
::ffff:198.51.100.0/120
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "networks"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("10.1.2.3", True),
        ("fd00::1", True),
        ("192.0.2.1", True),
        ("198.51.100.255", True),
        ("192.0.2.2", False),
        ("::1", False),
    ],
)
def test_file_allows_or_denies_who_is_in_its_networks(file: Path, host: str, inside: bool) -> None:
    assert allow_networks_in(file).allows(at(host)) is inside
    assert deny_networks_in(file).allows(at(host)) is not inside
    assert (~allow_networks_in(file)).allows(at(host)) is not inside


def test_file_judges_a_proxied_peer_by_its_client(file: Path) -> None:
    hop = at("203.0.113.1")

    assert allow_networks_in(file).allows(behind(hop, at("10.0.0.1")))
    assert not allow_networks_in(file).allows(behind(at("10.0.0.1"), at("203.0.113.2")))
    assert deny_networks_in(file).allows(behind(hop, UnixPeer("10.0.0.1")))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("10.0.0.0/8\n\n10.0.0.1/8\n", r", line 3: '10\.0\.0\.1/8': not a network: "),
        ("localhost  # here\n", r", line 1: 'localhost  # here': not a network: "),
        ("10.0.0.0/8 192.0.2.0/24\n", r", line 1: .*: not a network: "),
        ("10.0.0.0/8,\n", r", line 1: '10\.0\.0\.0/8,': not a network: "),
        ("", " has no network; for nobody, name one that nobody has"),
        ("# 10.0.0.0/8\n\n", " has no network"),
    ],
)
def test_bad_file_is_refused_with_the_line_and_the_old_list_stays(
    file: Path, content: str, complaint: str
) -> None:
    policy = allow_networks_in(file)
    file.write_text(content)

    with pytest.raises(ConfigurationError, match=f"^{re.escape(str(file))}{complaint}"):
        policy.reload()
    with pytest.raises(ConfigurationError, match=complaint):
        deny_networks_in(file)

    assert policy.allows(at("10.0.0.1"))
    assert not policy.allows(at("203.0.113.1"))


def test_file_that_cannot_be_read_is_refused_and_the_old_list_stays(file: Path) -> None:
    policy = allow_networks_in(file)

    file.write_bytes(b"10.0.0.0/8 # \xff\n")
    with pytest.raises(ConfigurationError, match=r"^cannot read networks from .*utf-8"):
        policy.reload()
    file.unlink()
    with pytest.raises(ConfigurationError, match=r"^cannot read networks from .*: No such file"):
        policy.reload()
    with pytest.raises(ConfigurationError, match=r"^cannot read networks from .*: Is a directory"):
        allow_networks_in(file.parent)

    assert policy.allows(at("10.0.0.1"))


def test_reload_puts_the_new_list_in_the_place_of_the_old(file: Path) -> None:
    policy = allow_networks_in(file)
    file.write_text("203.0.113.0/24\n")

    unchanged = policy.allows(at("10.0.0.1"))
    policy.reload()

    assert unchanged
    assert policy.allows(at("203.0.113.1"))
    assert not policy.allows(at("10.0.0.1"))


def test_reload_changes_what_was_made_of_the_policy_too(file: Path) -> None:
    policy = allow_networks_in(file)
    denied = ~policy

    file.write_text("203.0.113.0/24\n")
    policy.reload()

    assert denied.allows(at("10.0.0.1"))
    assert not denied.allows(at("203.0.113.1"))


def test_parts_find_every_file_of_a_chain(file: Path) -> None:
    files = [allow_networks_in(file), deny_networks_in(file), allow_networks_in(file)]
    chain: Any = AllOf((files[0], DryRun(~files[1]), of_hop(files[2])))

    assert [part for part in parts(chain) if isinstance(part, NetworksFile)] == files


def test_file_prints_and_explains_as_it_was_written(file: Path) -> None:
    name = os.fspath(file)
    allowed, denied = allow_networks_in(file), deny_networks_in(name)

    assert repr(allowed) == f"allow_networks_in({name!r})"
    assert repr(denied) == f"deny_networks_in({name!r})"
    assert explain(allowed, at("::1")) == f"denied: {allowed!r} does not have ::1"
    assert explain(denied, at("10.0.0.1")) == f"denied: {denied!r} has 10.0.0.1"
    assert explain(denied, at("::1")) == f"allowed: {denied!r} does not have ::1"
