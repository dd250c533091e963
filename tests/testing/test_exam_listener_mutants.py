"""Listeners with a fault do not pass the exam: each of these breaks one promise."""

import contextlib
import errno
import itertools
import os
import socket
from collections.abc import Generator
from typing import Any

import pytest

from acceptor import (
    IPv4Peer,
    Timeouts,
)
from acceptor.testing import check_transport
from acceptor.testing.exam.paper import EXAM_PATIENCE
from tests.testing.mutants import (
    LEAKS,
    OVER,
    SOON,
    TCP,
    UDP,
    Descriptor,
    Listener,
    Mutant,
    client_of,
    tidy_up,
)


@pytest.fixture(autouse=True)
def mutants_leave_nothing_behind() -> Generator[None, None, None]:
    yield
    tidy_up()


@pytest.mark.parametrize("inner", [TCP, UDP], ids=["tcp", "udp"])
def test_transport_that_the_mutants_are_made_of_passes(inner: Any) -> None:
    check_transport(lambda: Mutant(inner), client_of(inner))


class AcceptWaits(Listener):
    def accept(self) -> Any:
        while not OVER.wait(0.001):
            if (incoming := self.inner.accept()) is not None:
                return incoming
        return None


class AcceptWaitsForData(Listener):
    def accept(self) -> Any:
        incoming = super().accept()
        if incoming is not None and not OVER.is_set():
            sock = incoming.handshake(Timeouts(), [0, 0])
            while not OVER.wait(0.001):
                with contextlib.suppress(BlockingIOError):
                    sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                    break
        return incoming


class AcceptRaisesForTheGone(Listener):
    def accept(self) -> Any:
        incoming = self.inner.accept()
        if incoming is None:
            return None
        sock = incoming.handshake(Timeouts(), [0, 0])
        with contextlib.suppress(BlockingIOError):
            if not sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                incoming.close(patient=False)
                raise ConnectionAbortedError(errno.ECONNABORTED, "gone")
        return incoming


class AcceptsTwice(Listener):
    last: Any = None

    def accept(self) -> Any:
        incoming = super().accept()
        if incoming is None:
            incoming, self.last = self.last, None
        else:
            self.last = incoming
        return incoming


class LosesClients(Listener):
    count = 0

    def accept(self) -> Any:
        incoming = super().accept()
        self.count += 1
        if incoming is not None and self.count % 3 == 0:
            incoming.close(patient=False)
            return super().accept()
        return incoming


class RetireKeepsThePort(Listener):
    retired = False

    def fileno(self) -> int:
        return -1 if self.retired else int(self.inner.fileno())

    def retire(self) -> None:
        self.retired = True


class RetireKeepsTheDescriptor(Listener):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.number = inner.fileno()

    def fileno(self) -> int:
        return int(self.number)


class RetireMiscounts(Listener):
    def retire(self) -> int:
        self.inner.retire()
        return 7


class RetireOnlyOnce(Listener):
    def retire(self) -> Any:
        if self.inner.fileno() < 0:
            raise OSError(errno.EBADF, "retired already")
        return self.inner.retire()


class CloseLeaks(Listener):
    def close(self) -> None:
        self.retire()
        self.numbers = os.pipe()
        LEAKS.extend(map(Descriptor, self.numbers))


class CloseOnlyOnce(Listener):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "closed already")
        self.closed = True
        self.inner.close()


class AddressWanders(Listener):
    ports = itertools.count(1)

    @property
    def address(self) -> IPv4Peer:
        return IPv4Peer("127.0.0.1", next(self.ports))


class DescriptorIsDeaf(Listener):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.ends = socket.socketpair()

    def fileno(self) -> int:
        return self.ends[0].fileno()

    def close(self) -> None:
        self.inner.close()
        for end in self.ends:
            end.close()


class DescriptorIsRestless(DescriptorIsDeaf):
    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.ends[1].send(b"!")


class CountsWrong(Listener):
    shares_port = False

    def waiting(self) -> int:
        return 4

    def close_if_empty(self) -> bool:
        return False


class ReleaseRaises(Listener):
    def release(self) -> None:
        raise RuntimeError("not today")


# Only a wait in vain shows these; the others show at once, however busy the machine is.
WAITED_FOR = {
    AcceptWaits,
    AcceptWaitsForData,
    LosesClients,
    CloseLeaks,
    DescriptorIsDeaf,
    CountsWrong,
}


def patience_for(listener: type[Listener]) -> float:
    return SOON if listener in WAITED_FOR else EXAM_PATIENCE


@pytest.mark.parametrize(
    ("listener", "contract"),
    [
        (AcceptWaits, r"accept\(\) must not wait"),
        (AcceptWaitsForData, r"accept\(\) must not wait"),
        (AcceptRaisesForTheGone, r"accept\(\) must not raise for what a client does; .*gone"),
        (AcceptsTwice, r"must return each client once"),
        (LosesClients, r"must return a client that waits|descriptor must become readable"),
        (RetireKeepsThePort, r"must close the port"),
        (RetireKeepsTheDescriptor, r"fileno\(\) must be -1"),
        (RetireMiscounts, r"must return how many clients waited, here 1, or None; returned 7"),
        (RetireOnlyOnce, r"retire\(\) must not raise, and may be repeated"),
        (CloseLeaks, r"closed all its descriptors"),
        (CloseOnlyOnce, r"close\(\) must never raise, and may be repeated"),
        (AddressWanders, r"the address must stay the same"),
        (DescriptorIsDeaf, r"must become readable when a client waits"),
        (DescriptorIsRestless, r"must not be readable while no client waits"),
        (CountsWrong, r"waiting\(\) is 0, or None"),
        (ReleaseRaises, r"release\(\) and then close\(\) must not raise"),
    ],
)
def test_listener_with_a_fault_is_refused(listener: type[Listener], contract: str) -> None:
    with pytest.raises(AssertionError, match=contract):
        check_transport(
            lambda: Mutant(TCP, listener), client_of(TCP), patience=patience_for(listener)
        )


class RetireClosesTheSocket(Listener):
    def retire(self) -> Any:
        left = self.inner.retire()
        self.inner.close()
        return left


@pytest.mark.parametrize(
    ("listener", "contract"),
    [
        (RetireClosesTheSocket, r"answered after retire\(\)"),
        (AcceptWaits, r"accept\(\) must not wait"),
        (RetireKeepsTheDescriptor, r"fileno\(\) must be -1"),
    ],
)
def test_datagram_listener_with_a_fault_is_refused(listener: type[Listener], contract: str) -> None:
    with pytest.raises(AssertionError, match=contract):
        check_transport(
            lambda: Mutant(UDP, listener), client_of(UDP), patience=patience_for(listener)
        )
