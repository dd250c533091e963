"""The classic classes: of the standard library, or of `acceptor.classic`."""

import socketserver
import ssl
import sys
import time
from http.server import ThreadingHTTPServer
from types import ModuleType
from typing import Any

import acceptor.classic
from benchmarks.servers.common import (
    BACKLOG,
    CERTIFICATE,
    LOOPBACK,
    SLOW,
    SLOW_SECONDS,
    announce,
    unix_path,
)
from benchmarks.servers.http_hello import Hello

MODULES: dict[str, ModuleType] = {"socketserver": socketserver, "classic": acceptor.classic}
BASES = {"udp": "UDPServer", "unix": "UnixDatagramServer"}
MIXINS = {"sync": (), "threaded": ("ThreadingMixIn",), "forked": ("ForkingMixIn",)}


def handler_for(kind: str, module: ModuleType) -> Any:
    """Make a handler class as the documentation of `socketserver` shows them."""

    class Echo(module.StreamRequestHandler):  # type: ignore[misc, name-defined]
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line)

    class SlowEcho(module.StreamRequestHandler):  # type: ignore[misc, name-defined]
        def handle(self) -> None:
            for line in self.rfile:
                if line.startswith(SLOW):
                    time.sleep(SLOW_SECONDS)
                self.wfile.write(line)

    class DatagramEcho(module.BaseRequestHandler):  # type: ignore[misc, name-defined]
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(data, self.client_address)

    if kind in BASES:
        return DatagramEcho
    return {"slow": SlowEcho, "http": Hello}.get(kind, Echo)


def served(module: ModuleType, strategy: str, kind: str) -> Any:
    """Make the server; with the backlog raised, as everyone has to who serves bursts."""
    if kind == "http":
        bases: tuple[Any, ...] = (ThreadingHTTPServer,)
    else:
        names = (*MIXINS[strategy], BASES.get(kind, "TCPServer"))
        bases = tuple(getattr(module, name) for name in names)
    attributes = {"request_queue_size": BACKLOG, "daemon_threads": True, "max_children": 1000}
    address = unix_path() if kind == "unix" else LOOPBACK
    server = type("Server", bases, attributes)(address, handler_for(kind, module))
    if kind == "tls":  # as the documentation of the ssl module shows it
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda request, client_address: None
    return server


def main() -> None:
    """Serve until killed."""
    which, kind = sys.argv[1:3]
    module, strategy = which.split("-")
    server = served(MODULES[module], strategy, kind)
    announce(server.server_address)
    server.serve_forever()


if __name__ == "__main__":
    main()
