"""Access by the credentials that the kernel vouches for on a Unix stream socket."""

import sys
from collections.abc import Iterable
from typing import ClassVar

from acceptor.core.access import Policy
from acceptor.core.errors import ConfigurationError, UnsupportedError
from acceptor.core.peers import UnixPeer
from acceptor.core.values import frozen

if sys.platform != "win32":
    import grp
    import pwd


@frozen
class Users(Policy[UnixPeer]):
    """Allows peers that run as one of the users; make it with `allow_users`."""

    peer_types: ClassVar[tuple[type, ...]] = (UnixPeer,)

    uids: frozenset[int]

    def allows(self, peer: UnixPeer, /) -> bool:
        """Look the peer's user up; one whose user is not known may not come in."""
        return peer.uid is not None and peer.uid in self.uids

    def __repr__(self) -> str:
        return f"allow_users({', '.join(map(str, sorted(self.uids)))})"


@frozen
class Groups(Policy[UnixPeer]):
    """Allows peers of one of the groups; make it with `allow_groups`."""

    peer_types: ClassVar[tuple[type, ...]] = (UnixPeer,)

    gids: frozenset[int]
    members: frozenset[int]  # uids that the group database lists for these groups

    def allows(self, peer: UnixPeer, /) -> bool:
        """Look the peer's group and user up; unknown ones may not come in."""
        return (peer.gid is not None and peer.gid in self.gids) or (
            peer.uid is not None and peer.uid in self.members
        )

    def __repr__(self) -> str:
        return f"allow_groups({', '.join(map(str, sorted(self.gids)))})"


def allow_users(*users: str | int) -> Policy[UnixPeer]:
    """Allow only peers that run as one of these users, by name or number.

    Needs a Unix stream socket on a system that tells its peer's user; elsewhere nobody comes in.

    Raises:
        ConfigurationError: A name is unknown here, a number is no user id, or none is given.
        UnsupportedError: The platform has no user database.
    """
    return Users(frozenset(_uid(user) for user in _given(users, "user")))


def allow_groups(*groups: str | int) -> Policy[UnixPeer]:
    """Allow only peers of these groups, by name or number: primary group or listed member.

    The list of members is read from the group database here, once, and not for each client: a
    look-up over the network would hold up the accept loop.

    Raises:
        ConfigurationError: A name is unknown here, a number is no group id, or none is given.
        UnsupportedError: The platform has no group database.
    """
    gids = frozenset(_gid(group) for group in _given(groups, "group"))
    return Groups(gids, frozenset(uid for gid in gids for uid in _members(gid)))


def _given(values: Iterable[str | int], kind: str) -> tuple[str | int, ...]:
    if sys.platform == "win32":
        raise UnsupportedError(f"cannot look up a {kind}: this platform has no {kind} database")
    found = tuple(values)
    if not found:
        raise ConfigurationError(f"at least one {kind} is needed, got none")
    for value in found:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ConfigurationError(f"a {kind} must be a name or a number, got {value!r}")
        if isinstance(value, int) and value < 0:
            raise ConfigurationError(f"a {kind}'s number must be 0 or more, got {value}")
    return found


if sys.platform == "win32":

    def _uid(user: str | int) -> int:
        raise NotImplementedError

    def _gid(group: str | int) -> int:
        raise NotImplementedError

    def _members(gid: int) -> list[int]:
        raise NotImplementedError

else:

    def _uid(user: str | int) -> int:
        if isinstance(user, int):
            return user
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            raise ConfigurationError(f"no user named {user!r} on this system") from None

    def _gid(group: str | int) -> int:
        if isinstance(group, int):
            return group
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            raise ConfigurationError(f"no group named {group!r} on this system") from None

    def _members(gid: int) -> list[int]:
        uids: list[int] = []
        try:
            names = grp.getgrgid(gid).gr_mem
        except KeyError:  # a number without an entry has no members listed
            names = []
        for name in names:
            try:
                uids.append(pwd.getpwnam(name).pw_uid)
            except KeyError:  # a group may list users that are gone
                continue
        return uids
