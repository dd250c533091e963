"""What the tests of access policies share."""

from collections.abc import Callable
from typing import TypeVar

import attrs

from acceptor import (
    InetPeer,
    IPv4Peer,
    IPv6Peer,
    Leave,
    Outcome,
    Peer,
    Policy,
    ProxiedPeer,
    ProxyCommand,
    ProxyHeader,
    RememberingPolicy,
)

HopT = TypeVar("HopT")

PEER = IPv4Peer("127.0.0.1", 1)


def at(host: str) -> InetPeer:
    return IPv6Peer(host, 1) if ":" in host else IPv4Peer(host, 1)


def behind(hop: HopT, client: Peer | None) -> ProxiedPeer[HopT]:
    """Return the client as a hop tells of it; None speaks for the hop itself."""
    command = ProxyCommand.LOCAL if client is None else ProxyCommand.PROXY
    return ProxiedPeer(hop, ProxyHeader(version=2, command=command, source=client))


@attrs.define
class FakeClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@attrs.define
class Says(Policy[object]):
    """Gives a fixed answer and counts how often it was asked."""

    answer: bool
    asked: int = 0

    def allows(self, peer: object, /) -> bool:
        self.asked += 1
        return self.answer


class Fails(Policy[object]):
    def allows(self, peer: object, /) -> bool:
        raise RuntimeError("no idea")

    def __repr__(self) -> str:
        return "Fails()"


@attrs.define(eq=False)
class Remembers(Policy[object], RememberingPolicy[object]):
    """Keeps who has entered and how each has left."""

    answer: bool = True
    entered: list[object] = attrs.field(factory=list[object])
    left: list[Outcome] = attrs.field(factory=list[Outcome])
    on_leave: Callable[[], object] = bool

    def allows(self, peer: object, /) -> bool:
        return self.answer

    def enter(self, peer: object, /) -> Leave | None:
        if not self.answer:
            return None
        self.entered.append(peer)
        return self._leave

    def _leave(self, outcome: Outcome, /) -> None:
        self.left.append(outcome)
        self.on_leave()
