"""Clients that come and go under limits that change: who is in, who waits, who is turned away."""

import socket
from collections import Counter, deque
from typing import Any, Final, Self

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from acceptor import (
    Accepted,
    Close,
    Closed,
    Full,
    Limits,
    Overflow,
    RefusalReason,
    Refused,
    Reply,
    Reset,
    RoomAgain,
    Server,
    Wait,
)
from tests.core.kit import connect_from, ending, leave, wait_for_active
from tests.fakes import Call, hold, tcp
from tests.support import Recorder

HOSTS: Final = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
MOST: Final = 5  # what the strategy can run

counts = st.none() | st.integers(1, 3) | st.just(MOST + 1)
overflows = st.sampled_from([Wait(), Close(), Reply(b"busy\n"), Reset()])


@attrs.define(eq=False)
class Client:
    """One who has come, and from where."""

    host: str
    socket: socket.socket | None  # None if it was reset at once

    @classmethod
    def of(cls, host: str, address: Any) -> Self:
        try:
            return cls(host, connect_from(host, address))
        except ConnectionResetError:
            return cls(host, None)

    @property
    def name(self) -> Any:
        assert self.socket is not None
        return self.socket.getsockname()

    def hear(self) -> bytes:
        """Wait for the next byte."""
        assert self.socket is not None
        return self.socket.recv(1)

    def hear_out(self) -> bytes | type[Exception]:
        """Wait for the end; return what came before it, or how it was broken off."""
        if self.socket is None:
            return ConnectionResetError
        with self.socket:
            return ending(self.socket)

    def say_farewell(self) -> None:
        """Have the handler end, and leave."""
        assert self.socket is not None
        self.socket.sendall(b"?")
        assert self.hear() == b"?"
        self.leave()

    def leave(self) -> None:
        if self.socket is not None:
            leave(self.socket)


class AdmissionMachine(RuleBasedStateMachine):
    """A server, and beside it a list of who should be in work and who should wait."""

    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder()
        stage = tcp().threaded(MOST).observe(self.recorder).handler(hold)
        self.server: Server[Any, Any] = stage.build().start()
        self.limits = Limits()
        self.inside: list[Client] = []
        self.waiting: deque[Client] = deque()
        self.refused: Counter[RefusalReason] = Counter()

    @property
    def limit(self) -> int:
        """How many may be in work."""
        most = self.limits.max_connections
        return MOST if most is None else min(MOST, most)

    @property
    def is_full(self) -> bool:
        """Whether no slot is free."""
        return len(self.inside) >= self.limit

    @rule(hosts=st.lists(st.sampled_from(HOSTS), min_size=1, max_size=4))
    def come(self, hosts: list[str]) -> None:
        for host in hosts:
            self.waiting.append(Client.of(host, self.server.address))
            self.settle()

    @precondition(lambda self: self.inside)
    @rule(first=st.integers(0, MOST - 1), count=st.integers(1, 3))
    def go(self, first: int, count: int) -> None:
        # With somebody waiting, it would depend on their order who is let in.
        count = 1 if self.waiting else min(count, len(self.inside))
        gone = (self.inside * 2)[first % len(self.inside) :][:count]
        for call in [Call(one.say_farewell) for one in gone]:
            assert call.result() is None
        for one in gone:
            self.inside.remove(one)
        self.settle()

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, MOST - 1))
    def be_closed(self, which: int) -> None:
        one = self.inside.pop(which % len(self.inside))
        [live] = [live for live in self.server.connections() if live.peer == one.name]

        assert self.server.close_connection(live.id)

        one.hear_out()
        self.settle()

    @initialize(most=counts, per_peer=counts, overflow=overflows)
    def begin(self, most: int | None, per_peer: int | None, overflow: Overflow) -> None:
        self.change_limits(most, per_peer, overflow)

    @rule(most=counts, per_peer=counts, overflow=overflows)
    def change_limits(self, most: int | None, per_peer: int | None, overflow: Overflow) -> None:
        self.limits = Limits(max_connections=most, per_peer=per_peer, overflow=overflow)
        self.server.limits = self.limits
        self.settle()

    def settle(self) -> None:
        """Do to the list what the server must do to those who wait."""
        while self.waiting and not (self.is_full and self.limits.overflow == Wait()):
            client = self.waiting.popleft()
            mine = [one for one in self.inside if one.host == client.host]
            if self.is_full:
                self.turn_away(client, RefusalReason.FULL)
            elif self.limits.per_peer is not None and len(mine) >= self.limits.per_peer:
                self.turn_away(client, RefusalReason.PEER_FULL)
            else:
                assert client.hear() == b"!"
                self.inside.append(client)
        wait_for_active(self.server, len(self.inside))

    def turn_away(self, client: Client, reason: RefusalReason) -> None:
        self.refused[reason] += 1
        said = client.hear_out()
        match self.limits.overflow:
            case Reply(payload):
                assert said == payload
            case Reset():
                assert said is ConnectionResetError
            case _:
                assert said == b""

    @invariant()
    def server_agrees(self) -> None:
        stats = self.server.stats
        assert stats.active == len(self.inside)
        assert stats.refused == self.refused.total()
        assert stats.backlog in (len(self.waiting), None)
        told = Counter(event.reason for event in self.recorder.of(Refused))
        assert told == self.refused
        lives = Counter(live.peer for live in self.server.connections())
        assert lives == Counter(one.name for one in self.inside)

    @invariant()
    def full_and_room_again_take_turns(self) -> None:
        spells = [e for e in self.recorder.events if isinstance(e, Full | RoomAgain)]
        assert all(isinstance(event, Full) for event in spells[::2])
        assert all(isinstance(event, RoomAgain) for event in spells[1::2])

    def teardown(self) -> None:
        """End it, and look back."""
        report = Call(self.server.stop).result()
        for client in (*self.inside, *self.waiting):
            client.leave()
        assert report.cut == len(self.inside)
        assert report.left_in_backlog in (len(self.waiting), None)
        accepted = [event.id for event in self.recorder.of(Accepted)]
        ended = self.recorder.wait_for(Closed, len(accepted)) if accepted else []
        closed = sorted(event.id for event in ended)
        assert closed == accepted == list(range(1, len(accepted) + 1))


TestAdmission = AdmissionMachine.TestCase
TestAdmission.settings = settings(
    max_examples=80,
    stateful_step_count=15,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
