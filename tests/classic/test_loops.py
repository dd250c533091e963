"""What several threads do at the same moment to the loops of one classic server."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from acceptor.classic import BaseServer, servers
from acceptor.classic.loops import HookWorkplace


class Ending(list[Any]):
    """Loops that end right after somebody has looked whether there are any."""

    def __len__(self) -> int:
        count = super().__len__()
        self.clear()
        return count


@attrs.define(eq=False)
class FakeLoop:
    """A loop that is its own waiter, and notes when it is woken."""

    on_wake: Callable[["FakeLoop"], object]

    @property
    def waiter(self) -> "FakeLoop":
        return self

    def wake(self) -> None:
        self.on_wake(self)


def test_loop_is_the_one_that_ran_when_it_was_looked_for() -> None:
    workplace: Any = HookWorkplace()
    loop = object()
    workplace._loops = Ending([loop])

    assert workplace.loop is loop


def test_wake_reaches_every_loop_when_one_ends_meanwhile() -> None:
    workplace: Any = HookWorkplace()
    woken: list[FakeLoop] = []

    def end(loop: FakeLoop) -> None:
        woken.append(loop)
        workplace._loops.remove(loop)

    loops = [FakeLoop(end), FakeLoop(end)]
    workplace._loops.extend(loops)
    workplace.wake()

    assert woken == loops


def test_threads_that_need_a_workplace_at_once_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    server: Any = BaseServer(("", 0), lambda *_: None)
    others: list[HookWorkplace] = []

    def make() -> HookWorkplace:
        monkeypatch.undo()
        others.append(server._BaseServer__our_workplace())  # another thread is faster
        return HookWorkplace()

    monkeypatch.setattr(servers, "HookWorkplace", make)

    assert [server._BaseServer__our_workplace()] == others
