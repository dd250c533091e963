"""Access by lists of networks that are kept in files."""

import os
import threading
from pathlib import Path
from typing import ClassVar

import attrs

from acceptor.core.access import Policy
from acceptor.core.asking import ALLOWED, DENIED
from acceptor.core.errors import ConfigurationError
from acceptor.core.networks import InetClient, Network, NetworkSet, parse_network
from acceptor.core.peers import IPv4Peer, IPv6Peer
from acceptor.core.proxied import ProxiedPeer


@attrs.define(eq=False, repr=False)
class NetworksFile(Policy[InetClient]):
    """Allows, or denies, whose address lies in a network of a file; see `allow_networks_in`."""

    peer_types: ClassVar[tuple[type, ...]] = (IPv4Peer, IPv6Peer, ProxiedPeer)

    path: str
    denies: bool = False
    _set: NetworkSet = attrs.field(init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)  # for one reload

    def __attrs_post_init__(self) -> None:
        self.reload()

    def reload(self) -> None:
        """Read the file again; from one client to the next, all of its networks count.

        Raises:
            ConfigurationError: It cannot be read or has a bad line, or no network at all; what was
                read before goes on to count.
        """
        with self._lock:  # or the older of two readings could come out as the last
            self._set = NetworkSet.of(_read(self.path))

    def allows(self, peer: InetClient, /) -> bool:
        """Look the peer's address up; the scope of a link-local address plays no part."""
        return self._set.has_client(peer) is not self.denies

    def explain(self, peer: InetClient, /) -> str:
        """Say whether the file has the address."""
        is_in = self._set.has_client(peer)
        verdict = ALLOWED if is_in is not self.denies else DENIED
        return f"{verdict}{self!r} {'has' if is_in else 'does not have'} {peer.host}"

    def __repr__(self) -> str:
        return f"{'deny' if self.denies else 'allow'}_networks_in({self.path!r})"


def _read(path: str) -> list[Network]:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"cannot read networks from {path}: {reason}") from error
    found: list[Network] = []
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if text:
            try:
                found.append(parse_network(text))
            except ConfigurationError as error:
                raise ConfigurationError(f"{path}, line {number}: {line!r}: {error}") from error
    if not found:
        raise ConfigurationError(
            f"{path} has no network; for nobody, name one that nobody has, such as 192.0.2.0/24"
        )
    return found


def allow_networks_in(path: str | os.PathLike[str]) -> NetworksFile:
    """Allow only addresses in the networks of a file, which is read here, and by `reload`.

    A network a line, as for `allow_networks`; blank lines and what follows a `#` are skipped. A
    file without any network is refused, because it may be one that is just being written. What
    was read belongs to this object: a reload is one for all servers that use it.

    Raises:
        ConfigurationError: The file cannot be read, has no network, or a malformed one; it says
            which line.
    """
    return NetworksFile(os.fspath(path))


def deny_networks_in(path: str | os.PathLike[str]) -> NetworksFile:
    """Allow only addresses in none of the networks of a file; otherwise as `allow_networks_in`."""
    return NetworksFile(os.fspath(path), denies=True)
