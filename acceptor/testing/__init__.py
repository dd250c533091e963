"""What tests of servers, handlers and parts need: ours, and those of everyone who plugs in.

* `serve` runs a server for the length of a block; the pytest fixture `acceptor_serve` does it for
  the length of a test.
* `MemoryTransport` and `MemoryDatagramTransport` are clients without a network.
* `FakeMessage` is what a handler of messages can be called with.
* `FakeClock`, `EventRecorder` and the scripted and fake parts let a test say what happens.
* `check_transport`, `check_concurrency` and `check_policy` are the exam that every part must pass.
"""

from acceptor.testing.clock import FakeClock
from acceptor.testing.dispatching import FakeDispatcher, FakeWorkplace
from acceptor.testing.exam.concurrency import check_concurrency
from acceptor.testing.exam.policy import check_policy
from acceptor.testing.exam.transport import check_transport
from acceptor.testing.fixture import ServeFixture
from acceptor.testing.memory import MemoryIncoming, MemoryListener, MemoryTransport
from acceptor.testing.memory_datagram import (
    MemoryDatagram,
    MemoryDatagramListener,
    MemoryDatagramTransport,
)
from acceptor.testing.memory_datagram_socket import MemoryDatagramSocket
from acceptor.testing.memory_socket import MemorySocket
from acceptor.testing.message import FakeMessage
from acceptor.testing.patience import PATIENCE, wait_until
from acceptor.testing.policies import RaisingPolicy
from acceptor.testing.recorder import EventRecorder
from acceptor.testing.scripted import (
    FakeIncoming,
    ScriptedListener,
    ScriptedTransport,
    Step,
)
from acceptor.testing.serving import Serving, serve

__all__ = [
    "PATIENCE",
    "EventRecorder",
    "FakeClock",
    "FakeDispatcher",
    "FakeIncoming",
    "FakeMessage",
    "FakeWorkplace",
    "MemoryDatagram",
    "MemoryDatagramListener",
    "MemoryDatagramSocket",
    "MemoryDatagramTransport",
    "MemoryIncoming",
    "MemoryListener",
    "MemorySocket",
    "MemoryTransport",
    "RaisingPolicy",
    "ScriptedListener",
    "ScriptedTransport",
    "ServeFixture",
    "Serving",
    "Step",
    "check_concurrency",
    "check_policy",
    "check_transport",
    "serve",
    "wait_until",
]
