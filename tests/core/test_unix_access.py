"""Access by the credentials of a Unix socket's peer."""

import grp
import os
import pwd
from typing import Any

import pytest

from acceptor import ConfigurationError, UnixPeer, allow_groups, allow_users

ROOT = pwd.getpwuid(0).pw_name


def user(uid: int | None, gid: int | None = None) -> UnixPeer:
    return UnixPeer("", None if uid is None else 1, uid, gid)


@pytest.mark.parametrize("wanted", [0, ROOT], ids=["number", "name"])
def test_users_are_known_by_name_and_by_number(wanted: int | str) -> None:
    policy = allow_users(wanted)

    assert policy.allows(user(0))
    assert not policy.allows(user(1))
    assert not policy.allows(user(1, gid=0))


def test_several_users_are_all_allowed() -> None:
    policy = allow_users(ROOT, 4242)

    assert [uid for uid in (0, 1, 4242) if policy.allows(user(uid))] == [0, 4242]


def test_peer_whose_user_is_not_known_is_denied() -> None:
    assert not allow_users(0, os.getuid()).allows(user(None))
    assert not allow_users(0).allows(UnixPeer("/run/it"))
    assert not allow_groups(0).allows(user(None))


@pytest.mark.parametrize("wanted", [0, grp.getgrgid(0).gr_name], ids=["number", "name"])
def test_groups_are_known_by_name_and_by_number(wanted: int | str) -> None:
    policy = allow_groups(wanted)

    assert policy.allows(user(4242, gid=0))
    assert not policy.allows(user(4242, gid=4242))


def test_group_allows_the_members_that_the_database_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = grp.struct_group(("staff", "x", 4242, [ROOT, "left-long-ago"]))
    monkeypatch.setattr(grp, "getgrnam", lambda name: entry)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: entry)

    policy = allow_groups("staff")

    assert policy.allows(user(0, gid=1))
    assert policy.allows(user(1, gid=4242))
    assert not policy.allows(user(1, gid=1))


def test_number_without_an_entry_is_allowed_as_it_is() -> None:
    assert allow_users(987_654).allows(user(987_654, gid=1))
    assert allow_groups(987_654).allows(user(1, gid=987_654))


def test_unknown_names_are_refused_where_they_are_written() -> None:
    with pytest.raises(ConfigurationError, match="no user named 'nobody-of-this-name'"):
        allow_users(ROOT, "nobody-of-this-name")
    with pytest.raises(ConfigurationError, match="no group named 'no-such-group'"):
        allow_groups("no-such-group")


@pytest.mark.parametrize("wrong", [-1, True, 1.5, None, b"root"], ids=str)
def test_what_is_neither_name_nor_number_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="a user"):
        allow_users(wrong)
    with pytest.raises(ConfigurationError, match="a group"):
        allow_groups(wrong)


def test_no_users_or_groups_at_all_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one user is needed"):
        allow_users()
    with pytest.raises(ConfigurationError, match="at least one group is needed"):
        allow_groups()
