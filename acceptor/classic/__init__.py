"""The classic class hierarchy on this package's core: `import acceptor.classic as socketserver`.

Every public name of the running Python's `socketserver`, with the same signatures, defaults and
hooks, for programs and libraries that derive from these classes. What differs, and why:

* `shutdown()` ends the loop at once, whatever the `poll_interval`: the loop is woken instead of
  looking at a flag. `service_actions()` still runs at least once each `poll_interval`. Whoever
  counted on `shutdown()` taking that long, for threads of his own, has to wait for them himself.
* `shutdown()` where it used to wait for ever returns: called by the serving thread itself, or
  before any loop has run. The request is remembered as ever: the next loop ends at once. That
  loop no longer looks at the socket, so it may be closed already.
* The socket may be replaced by one with another descriptor while a loop runs: that one is waited
  for from the next turn on.
* A loop whose server is closed, or has lost its socket, waits for `shutdown()` quietly instead of
  spinning on an invalid descriptor.
* Out of descriptors or memory, `serve_forever()` and `handle_request()` pause, for 0.1 s to 1 s,
  and say so in the `acceptor` log, instead of trying again hundreds of times a second; whoever
  waits in the backlog is served afterwards.
* `max_children` makes `serve_forever()` hold back further clients (they wait in the backlog)
  instead of stopping the loop: `service_actions()` and `shutdown()` go on. A child that ends is
  reaped at once, and only own children are ever reaped, at the maximum, too.
* What is in the buffers of `sys.stdout` and `sys.stderr` is written before a fork, and by the
  child before it ends: nothing is written twice or lost.
* A thread that cannot be started is not one that `server_close()` tries to join.
* The report of `handle_error()` is one write, so those of several threads do not mix.
* A server that has no `__init__` of ours run yet can serve all the same.

The classes live in modules of this package, which their `__module__` says. `BaseServer`,
`TCPServer` and the others take type parameters, for the request and the client's address;
those are for checkers and change nothing at run time.

One name more than the standard module has: `ClassicServerAdapter`, which puts a composed server
behind the classic external methods. The other way is `ServerBuilder.from_classic`.
"""

# ruff: noqa: F401 - the module's globals, private ones too, are what programs and mocks reach for
import os
import selectors
import socket
import sys
import threading
from io import BufferedIOBase
from time import monotonic as time

from acceptor.classic.bridge import ClassicServerAdapter as ClassicServerAdapter
from acceptor.classic.handlers import (
    BaseRequestHandler,
    DatagramRequestHandler,
    StreamRequestHandler,
    _SocketWriter,
)
from acceptor.classic.loops import DefaultSelector as _ServerSelector
from acceptor.classic.mixins import (
    ThreadingMixIn,
    ThreadingTCPServer,
    ThreadingUDPServer,
    _NoThreads,
    _Threads,
)
from acceptor.classic.servers import BaseServer, TCPServer, UDPServer

__version__ = "0.4"

__all__ = [
    "BaseRequestHandler",
    "BaseServer",
    "DatagramRequestHandler",
    "StreamRequestHandler",
    "TCPServer",
    "ThreadingMixIn",
    "ThreadingTCPServer",
    "ThreadingUDPServer",
    "UDPServer",
]

if sys.platform != "win32":
    from acceptor.classic.mixins import ForkingMixIn, ForkingTCPServer, ForkingUDPServer

    __all__ += ["ForkingMixIn", "ForkingTCPServer", "ForkingUDPServer"]

    from acceptor.classic.mixins import ThreadingUnixDatagramServer, ThreadingUnixStreamServer
    from acceptor.classic.servers import UnixDatagramServer, UnixStreamServer

    __all__ += [
        "ThreadingUnixDatagramServer",
        "ThreadingUnixStreamServer",
        "UnixDatagramServer",
        "UnixStreamServer",
    ]

    if sys.version_info >= (3, 12):
        from acceptor.classic.mixins import ForkingUnixDatagramServer, ForkingUnixStreamServer

        __all__ += ["ForkingUnixDatagramServer", "ForkingUnixStreamServer"]
