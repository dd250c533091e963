"""What a server has told, by number: each request that came in must end exactly once."""

from collections import Counter, deque
from typing import Any, TypeAlias

import attrs

from acceptor import Accepted, AcceptPaused, Closed, Event, MessageServed, Refused

Books: TypeAlias = dict[str, Any]
"""A ledger's state in JSON: counts, the outcomes with theirs, and a list of what is wrong."""


@attrs.define(eq=False)
class Ledger:
    """An observer that keeps what it needs and nothing that an event refers to.

    It takes no lock: a forked child would find it locked for ever.
    """

    _news: deque[tuple[int, str]] = attrs.field(factory=deque[tuple[int, str]], init=False)
    _open: set[int] = attrs.field(factory=set[int], init=False)
    _most: int = attrs.field(default=0, init=False)  # open at a time
    _accepted: int = attrs.field(default=0, init=False)
    _others: Counter[str] = attrs.field(factory=Counter[str], init=False)
    _outcomes: Counter[str] = attrs.field(factory=Counter[str], init=False)
    _wrong: list[str] = attrs.field(factory=list[str], init=False)

    def __call__(self, event: Event) -> None:
        """Note one fact; in whatever thread."""
        match event:
            case Accepted(id=number):
                self._news.append((number, "accepted"))
            case Closed(id=number, outcome=outcome):
                self._news.append((number, outcome.name))
            case AcceptPaused(cause=OSError()):  # the machine's doing, not `pause`
                self._news.append((0, "pauses"))
            case Refused():
                self._news.append((0, "refused"))
            case MessageServed():
                self._news.append((0, "served"))

    def books(self) -> Books:
        """Return what has been told so far; only for one thread."""
        while self._news:
            self._enter(*self._news.popleft())
        return {
            "accepted": self._accepted,
            "closed": self._outcomes.total(),
            "open": len(self._open),
            "most": self._most,
            "pauses": self._others["pauses"],
            "refused": self._others["refused"],
            "served": self._others["served"],
            "outcomes": dict(self._outcomes),
            "wrong": self._wrong[:10],
        }

    def _enter(self, number: int, what: str) -> None:
        if what in ("pauses", "refused", "served"):
            self._others[what] += 1
        elif what == "accepted":
            self._accepted += 1
            if number in self._open:
                self._wrong.append(f"request {number} was accepted twice")
            self._open.add(number)
            self._most = max(self._most, len(self._open))
        else:
            self._outcomes[what] += 1
            if number not in self._open:
                self._wrong.append(f"request {number} was closed ({what}) and was not open")
            self._open.discard(number)
