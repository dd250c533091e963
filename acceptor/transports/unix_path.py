"""Binding Unix sockets to names, and owning the files that come of it."""

import contextlib
import errno
import os
import socket
import stat
import sys
import time
from collections.abc import Generator
from typing import Any, Final

import attrs

from acceptor.core.errors import ConfigurationError, ListenError, UnsupportedError
from acceptor.core.values import frozen

if sys.platform != "win32":
    import fcntl
    import grp
    import pwd

# A number, so that the module can be imported, and refuse, where there are none.
AF_UNIX: Final[int] = getattr(socket, "AF_UNIX", -1)

# sun_path has 108 bytes on Linux and 104 elsewhere, one of them for the NUL; unix(7), unix(4).
MAX_PATH: Final = 107 if sys.platform == "linux" else 103

# How long to wait for another server that is just opening a socket in the same folder.
_LOCK_PATIENCE: Final = 2.0  # seconds


def check_path(path: str) -> None:
    """Refuse a name that cannot be bound here.

    Raises:
        ConfigurationError: It is too long for a socket's address.
        UnsupportedError: The platform has no Unix sockets, or no abstract names.
    """
    if AF_UNIX < 0:
        raise UnsupportedError("this platform has no Unix sockets; use tcp() or udp()")
    if path.startswith("@") and sys.platform != "linux":
        raise UnsupportedError(f"abstract names are Linux's alone; give a path, not {path!r}")
    length = len(os.fsencode(path))
    if length > MAX_PATH:
        raise ConfigurationError(
            f"a Unix socket's path may have {MAX_PATH} bytes here, got {length}: {path!r}; "
            "choose a shorter folder, or a path relative to the current one"
        )


def check_mode(instance: object, attribute: "attrs.Attribute[Any]", mode: object) -> None:
    """Refuse what are no permissions; None leaves them to the umask. An attrs validator."""
    if mode is None:
        return
    # The other bits mean nothing here; but 660, which is 0o1224, was meant to be 0o660.
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0 <= mode <= 0o777:
        raise ConfigurationError(f"mode must be a number such as 0o660, up to 0o777, got {mode!r}")


def _number(what: str, given: object) -> int:
    if given is None:
        return -1
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ConfigurationError(f"{what} must be a name or a number, got {given!r}")
    return given


def user_id(user: str | int | None) -> int:
    """Return the number of a user given by name or number; -1 for None, as `chown` takes it."""
    if not isinstance(user, str):
        return _number("owner", user)
    if sys.platform != "win32":
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(user).pw_uid
    raise ConfigurationError(f"no user named {user!r} on this system")


def group_id(group: str | int | None) -> int:
    """Return the number of a group given by name or number; -1 for None, as `chown` takes it."""
    if not isinstance(group, str):
        return _number("group", group)
    if sys.platform != "win32":
        with contextlib.suppress(KeyError):
            return grp.getgrnam(group).gr_gid
    raise ConfigurationError(f"no group named {group!r} on this system")


@frozen
class OwnedFile:
    """A socket's file that we created; removed only as long as it is still ours."""

    path: str  # absolute, so that a later change of folder does not matter
    identity: tuple[int, int]  # device and inode
    creator: int = attrs.field(factory=os.getpid)  # a forked child's copy is not the owner

    def remove(self) -> None:
        """Remove the file unless somebody has put another in its place."""
        with contextlib.suppress(OSError):
            if os.getpid() == self.creator and _identity(self.path) == self.identity:
                os.unlink(self.path)


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


@frozen
class UnixName:
    """A name to bind to, and what its file shall look like."""

    path: str
    mode: int | None
    uid: int
    gid: int

    def bind(self, sock: socket.socket) -> OwnedFile | None:
        """Bind the socket; return the file that this made, None for an abstract name.

        A dead server's file is replaced. Mode and owner are right before anyone can come in. The
        caller holds `opening` until the socket listens.

        Raises:
            ListenError: A live server has the path, or it is no socket.
        """
        if self.path.startswith("@"):
            sock.bind(b"\0" + os.fsencode(self.path[1:]))
            return None
        self._clear(sock.type)
        self._bind_closed(sock)
        owned = OwnedFile(os.path.abspath(self.path), _identity(self.path))
        try:
            self._dress()
        except BaseException:
            owned.remove()
            raise
        return owned

    def _clear(self, kind: int) -> None:
        try:
            before = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(before.st_mode):
            raise ListenError(
                errno.EEXIST, f"cannot listen on {self.path!r}: it exists and is no socket"
            )
        if _answers(self.path, kind):
            raise ListenError(
                errno.EADDRINUSE,
                f"cannot listen on {self.path!r}: a live server has it; stop that one first",
            )
        OwnedFile(self.path, (before.st_dev, before.st_ino)).remove()

    def _bind_closed(self, sock: socket.socket) -> None:
        """Bind; if a mode or an owner is wanted, so that nobody can come in before it is set."""
        if self.mode is None and self.uid == self.gid == -1:
            sock.bind(self.path)
        elif sys.platform == "linux":
            os.fchmod(sock.fileno(), 0)  # bind gives the file the socket's own mode
            sock.bind(self.path)
        else:
            before = os.umask(0o777)  # of the whole process, but only for this call
            try:
                sock.bind(self.path)
            finally:
                os.umask(before)

    def _dress(self) -> None:
        if self.mode is None and self.uid == self.gid == -1:
            return
        if sys.platform != "win32" and (self.uid, self.gid) != (-1, -1):
            os.chown(self.path, self.uid, self.gid, follow_symlinks=False)
        os.chmod(self.path, self.mode if self.mode is not None else 0o777 & ~_umask())


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


def _answers(path: str, kind: int) -> bool:
    """Say whether a live server has the socket's file, by connecting to it."""
    with socket.socket(AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except BlockingIOError:  # its backlog is full, so it lives
            return True
        except OSError as error:
            # A live socket of the other type, or one that is connected to somebody else.
            if error.errno in (errno.EPROTOTYPE, errno.EPERM):
                return True
            raise
    return True


@contextlib.contextmanager
def opening(path: str) -> Generator[None, None, None]:
    """Keep other servers of ours from opening a socket in the same folder meanwhile.

    Between bind and listen a socket looks as dead as one left behind, and between the look at a
    dead file and its removal somebody may have replaced it. Where the folder cannot be locked, or
    somebody else keeps it locked, it goes without.
    """
    with contextlib.ExitStack() as stack:
        if sys.platform != "win32" and not path.startswith("@"):
            with contextlib.suppress(PermissionError):
                folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, folder)
                if _lock(folder):
                    # Said, because a child forked meanwhile has the descriptor, too.
                    stack.callback(fcntl.flock, folder, fcntl.LOCK_UN)
        yield


if sys.platform != "win32":

    def _lock(folder: int) -> bool:
        until = time.monotonic() + _LOCK_PATIENCE
        while time.monotonic() < until:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:  # a file system without locks
                return False
            else:
                return True
        return False  # it is held for long, so by something else than an opening
