"""Connections and datagrams with a fault do not pass the exam: each breaks one promise."""

import contextlib
import errno
import itertools
import socket
import struct
from collections.abc import Callable, Generator
from typing import Any

import attrs
import pytest

from acceptor import (
    IPv4Peer,
    Outcome,
    Timeouts,
)
from acceptor.testing import check_transport
from tests.testing.mutants import (
    OVER,
    SOON,
    TCP,
    UDP,
    Mutant,
    Wrapped,
    client_of,
    tidy_up,
)


@pytest.fixture(autouse=True)
def mutants_leave_nothing_behind() -> Generator[None, None, None]:
    yield
    tidy_up()


class CloseLeavesItOpen(Wrapped):
    def close(self, *, patient: bool) -> None:
        pass


class CloseResets(Wrapped):
    def close(self, *, patient: bool) -> None:
        with contextlib.suppress(OSError):
            reset = struct.pack("ii", 1, 0)
            self.inner._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        self.inner.release()


class CloseIsAbrupt(Wrapped):
    def close(self, *, patient: bool) -> None:
        self.inner.release()


class CloseRaises(Wrapped):
    closed = False

    def close(self, *, patient: bool) -> None:
        self.inner.close(patient=patient)
        if self.closed:
            raise OSError(errno.EBADF, "closed already")
        self.closed = True


class CutDoesNothing(Wrapped):
    def cut(self) -> None:
        pass


class CutRaises(Wrapped):
    def cut(self) -> None:
        self.inner._socket.shutdown(socket.SHUT_RDWR)


class BlamesTheClient(Wrapped):
    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        return Outcome.CLIENT_LEFT


class BlamesNobody(Wrapped):
    def outcome_of(self, error: BaseException | None) -> Outcome | None:
        return None


def _ignoring(name: str) -> type[Wrapped]:
    class Ignores(Wrapped):
        def handshake(self, timeouts: Timeouts, traffic: Any) -> Any:
            return self.inner.handshake(attrs.evolve(timeouts, **{name: 20.0}), traffic)

    return Ignores


class CountsNothing(Wrapped):
    def handshake(self, timeouts: Timeouts, traffic: Any) -> Any:
        return self.inner.handshake(timeouts, [0, 0])


class HandsOutATimeout(Wrapped):
    def handshake(self, timeouts: Timeouts, traffic: Any) -> Any:
        request = self.inner.handshake(timeouts, traffic)
        request.settimeout(1)
        return request


class HandshakeFails(Wrapped):
    def handshake(self, timeouts: Timeouts, traffic: Any) -> Any:
        raise RuntimeError("not today")


class RefuseWaits(Wrapped):
    def refuse(self, how: Any) -> None:
        OVER.wait(20)
        self.inner.refuse(how)


class RefuseWaitsForTheSlow(Wrapped):
    def refuse(self, how: Any) -> None:
        if len(getattr(how, "payload", b"")) > 1000:
            OVER.wait(20)
        self.inner.refuse(how)


class RefuseIsSilent(Wrapped):
    def refuse(self, how: Any) -> None:
        self.inner.close(patient=False)


class RefuseRaises(Wrapped):
    def refuse(self, how: Any) -> None:
        self.inner.refuse(how)
        raise RuntimeError("not today")


class RefuseForgetsTheSocket(Wrapped):
    def refuse(self, how: Any) -> None:
        pass


class PeerWanders(Wrapped):
    ports = itertools.count(1)

    @property
    def peer(self) -> IPv4Peer:
        return IPv4Peer("127.0.0.1", next(self.ports))


@pytest.mark.parametrize(
    ("incoming", "contract"),
    [
        (CloseResets, r"let the client read"),
        (CloseIsAbrupt, r"let the client read"),
        (CloseRaises, r"close\(patient=False\) must be possible|must never raise"),
        (CutRaises, r"cut\(\) must be possible at any time"),
        (BlamesTheClient, r"must be None when the client has done nothing wrong"),
        (BlamesNobody, r"must be TIMED_OUT after first_data"),
        (CountsNothing, r"traffic must count the bytes"),
        (HandsOutATimeout, r"must be a blocking one"),
        (HandshakeFails, r"handshake\(\) must succeed with a client that means well"),
        (RefuseIsSilent, r"must send the reply"),
        (RefuseRaises, r"refuse\(Close\(\)\) must not raise"),
        (PeerWanders, r"the peer must stay the same"),
    ],
)
def test_connection_with_a_fault_is_refused(incoming: type[Wrapped], contract: str) -> None:
    with pytest.raises(AssertionError, match=contract):
        check_transport(lambda: Mutant(TCP, incoming=incoming), client_of(TCP))


@pytest.mark.parametrize(
    ("incoming", "contract"),
    [
        (CloseLeavesItOpen, r"closed all its descriptors"),
        (CutDoesNothing, r"cut\(\) must end a read that waits"),
        (_ignoring("first_data"), r"Timeouts.first_data must be obeyed"),
        (_ignoring("idle"), r"Timeouts.idle must be obeyed"),
        (_ignoring("write"), r"Timeouts.write must be obeyed"),
        (_ignoring("connection"), r"Timeouts.connection must be obeyed"),
        (RefuseWaits, r"refuse\(\) must not wait"),
        (RefuseWaitsForTheSlow, r"refuse\(\) must never wait for a client that does not read"),
        (RefuseForgetsTheSocket, r"a transport refuses plainly; it raised TimeoutError"),
    ],
)
def test_connection_whose_fault_is_a_wait_is_refused(
    incoming: type[Wrapped], contract: str
) -> None:
    with pytest.raises(AssertionError, match=contract):
        check_transport(lambda: Mutant(TCP, incoming=incoming), client_of(TCP), patience=SOON)


def _changing(**changes: Any) -> Callable[[Any], Any]:
    """Make a mutant whose datagrams differ in one thing."""

    def wrap(incoming: Any) -> Any:
        kind = type("Changed", (type(incoming),), changes)
        changed: Any = object.__new__(kind)
        for field in attrs.fields(type(incoming)):
            setattr(changed, field.name, getattr(incoming, field.name))
        return changed

    return wrap


def counting_nothing(self: Any, timeouts: Timeouts, traffic: Any) -> Any:
    self.traffic = [0, 0]
    return self


def cutting(self: Any, timeouts: Timeouts, traffic: Any) -> Any:
    self.payload = self.payload[:3]
    return self


def saying_it_is_cut(self: Any, timeouts: Timeouts, traffic: Any) -> Any:
    self.truncated = True
    return self


@pytest.mark.parametrize(
    ("incoming", "contract"),
    [
        (_changing(reply=lambda self, payload: True), r"reply\(\) must reach the sender"),
        (_changing(reply=lambda self, payload: False), r"must say that it was sent"),
        (_changing(handshake=counting_nothing), r"traffic must count the bytes"),
        (_changing(handshake=cutting), r"the payload must be what was sent"),
        (_changing(handshake=saying_it_is_cut), r"must not be said to be truncated"),
        (_changing(refuse=lambda self, how: None), r"refuse\(Reply\(...\)\) must answer"),
    ],
)
def test_datagram_with_a_fault_is_refused(incoming: Callable[[Any], Any], contract: str) -> None:
    with pytest.raises(AssertionError, match=contract):
        check_transport(lambda: Mutant(UDP, incoming=incoming), client_of(UDP), patience=SOON)
