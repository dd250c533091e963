"""What a server will do, told before it does anything."""

import os
import select
import signal
import socket
import sys
from typing import Final, TypeVar

import attrs

from acceptor.core.access import AllOf
from acceptor.core.deadlines import Timeouts
from acceptor.core.limits import Close, Limits, Reply, Reset, Wait
from acceptor.core.path import Rule, Step
from acceptor.core.recipe import Recipe
from acceptor.core.values import frozen

RequestT = TypeVar("RequestT")
PeerT = TypeVar("PeerT")

_FEATURES: Final = (
    (hasattr(os, "fork"), "no fork: forked() is refused"),
    (hasattr(socket, "AF_UNIX"), "no Unix sockets"),
    (hasattr(socket, "SO_REUSEPORT"), "no SO_REUSEPORT: reuse_port is refused"),
    (hasattr(select, "epoll"), "no epoll: the wait costs a little more"),
    (hasattr(os, "pidfd_open"), "no descriptors of processes: children are watched by a pipe"),
    (sys.platform == "linux", "no count of the clients in the backlog, and no abstract names"),
    (hasattr(socket, "MSG_DONTWAIT"), "no MSG_DONTWAIT: writes take a system call more"),
    (hasattr(signal, "pthread_sigmask"), "no signal masks"),
)


@frozen(kw_only=True)
class Plan:
    """What a server will do; `str` has it in words, a line for each point."""

    endpoint: str
    concurrency: str
    handler: str
    access: tuple[str, ...]  # the steps on a client's way, in order; empty if all may come in
    slots: int  # requests, or messages, in work at a time
    connections: int | None  # that are held at a time, where messages are served
    limits: Limits
    timeouts: Timeouts
    missing: tuple[str, ...]  # features that this platform lacks

    @classmethod
    def of(cls, recipe: Recipe[RequestT, PeerT]) -> "Plan":
        """Read it from the parts; nothing is opened."""
        most = recipe.concurrency.limit
        cap = recipe.limits.max_connections
        held: int | None = getattr(recipe.transport, "most", None)
        return cls(
            endpoint=str(getattr(recipe.transport, "endpoint", recipe.transport)),
            concurrency=repr(recipe.concurrency),
            handler=_name(recipe.handler),
            access=tuple(words for step in recipe.steps for words in _words(step)),
            slots=most if cap is None or held is not None else min(most, cap),
            connections=held if held is None or cap is None else cap,
            limits=recipe.limits,
            timeouts=recipe.timeouts,
            missing=tuple(text for is_there, text in _FEATURES if not is_there),
        )

    def __str__(self) -> str:
        """Return it in words."""
        lines = {
            "listens on": self.endpoint,
            "serves with": f"{self.handler}, {self.concurrency}",
            "lets in": "everybody" if not self.access else "who passes all of these, in this order",
            "limits": f"{self._at_a_time()}, {self._per_peer()}",
            "when full": _WHEN_FULL[type(self.limits.overflow)],
            "deadlines": self._deadlines(),
            "stops": self._stops(),
            "missing here": "; ".join(self.missing) or "nothing",
        }
        text = [f"{title:13}{line}" for title, line in lines.items()]
        text[3:3] = [f"{'':13}{number}. {rule}" for number, rule in enumerate(self.access, 1)]
        return "\n".join(text)

    def _at_a_time(self) -> str:
        if self.connections is None:
            return f"{self.slots} requests at a time"
        return f"{self.slots} messages at a time, {self.connections} connections"

    def _per_peer(self) -> str:
        if self.limits.per_peer is None:
            return "any number of one peer"
        return f"{self.limits.per_peer} of one peer (IPv6: of one /{self.limits.ipv6_prefix})"

    def _deadlines(self) -> str:
        names = ("handshake", "first_data", "idle", "write", "connection")
        return ", ".join(f"{name} {_seconds(getattr(self.timeouts, name))}" for name in names)

    def _stops(self) -> str:
        patience = _seconds(self.timeouts.drain)
        return f"closes the port, lets running requests finish ({patience}), cuts what is left"


def _words(step: Step) -> tuple[str, ...]:
    if not isinstance(step, Rule):
        return (repr(step),)
    if isinstance(step.policy, AllOf):  # asked one after the other, as if each stood alone
        return tuple(str(attrs.evolve(step, policy=part)) for part in step.policy.policies)
    return (str(step),)


_WHEN_FULL: Final = {
    Wait: "clients wait in the backlog",
    Close: "clients are taken and closed",
    Reply: "clients are taken, told so, and closed",
    Reset: "clients are taken and reset",
}


def _seconds(value: float | None) -> str:
    return "no limit" if value is None else f"{value:g} s"


def _name(handler: object) -> str:
    module, name = getattr(handler, "__module__", None), getattr(handler, "__qualname__", None)
    return repr(handler) if name is None else f"{module}.{name}"
