"""What is loaded when: importing the package, and putting a plain server together."""

import os
import subprocess
import sys

import pytest

PLAIN_SERVER = """
from acceptor import ServerBuilder, StreamHandler

class Hello(StreamHandler):
    def handle(self):
        self.wfile.write(b"hello")

stage = ServerBuilder().tcp(("127.0.0.1", 0)).threaded().handler(Hello)
server = stage.build().listen()
"""

SERVED = """
import socket
server.start()
with socket.socket() as client:  # `create_connection` would look for a name
    client.connect(server.address)
    assert client.recv(5) == b"hello"
"""

# The parts of a plain TCP server. What is added here is paid for by everybody.
PLAIN_MODULES = {
    "acceptor",
    "acceptor.addresses",
    "acceptor.builder",
    "acceptor.concurrency",
    "acceptor.concurrency.bounds",
    "acceptor.concurrency.sync",
    "acceptor.concurrency.anteroom",
    "acceptor.concurrency.port_threads",
    "acceptor.concurrency.thread",
    "acceptor.concurrency.warm_threads",
    "acceptor.core.direct",
    "acceptor.core",
    "acceptor.core.accept_loop",
    "acceptor.core.admission",
    "acceptor.core.asking",
    "acceptor.core.baton",
    "acceptor.core.at_exit",
    "acceptor.core.budget",
    "acceptor.core.callables",
    "acceptor.core.datagram",
    "acceptor.core.deadlines",
    "acceptor.core.drain",
    "acceptor.core.ending",
    "acceptor.core.endpoint",
    "acceptor.core.errors",
    "acceptor.core.events",
    "acceptor.core.framing",
    "acceptor.core.holding",
    "acceptor.core.intake",
    "acceptor.core.interfaces",
    "acceptor.core.job",
    "acceptor.core.lazily",
    "acceptor.core.lending",
    "acceptor.core.lifecycle",
    "acceptor.core.limits",
    "acceptor.core.message",
    "acceptor.core.opening",
    "acceptor.core.path",
    "acceptor.core.peers",
    "acceptor.core.polling",
    "acceptor.core.recipe",
    "acceptor.core.reporting",
    "acceptor.core.seat",
    "acceptor.core.server",
    "acceptor.core.ssl_types",
    "acceptor.core.values",
    "acceptor.core.waiting",
    "acceptor.core.workplace",
    "acceptor.fitting",
    "acceptor.handlers",
    "acceptor.handlers.base",
    "acceptor.handlers.stream",
    "acceptor.options",
    "acceptor.stages",
    "acceptor.transports",
    "acceptor.transports.backlog",
    "acceptor.transports.inet",
    "acceptor.transports.last_handshakes",
    "acceptor.transports.served",
    "acceptor.transports.stream",
    "acceptor.transports.tcp",
}

# Of the standard library, what such a server has no use for and takes long to import.
NOT_LOADED = {
    "argparse",
    "asyncio",
    "concurrent",
    "ctypes",
    "datetime",
    "email",
    "encodings.idna",
    "http",
    "ipaddress",
    "json",
    "logging.config",
    "multiprocessing",
    "pathlib",
    "pytest",
    "queue",
    "socketserver",
    "ssl",
    "subprocess",
    "tempfile",
    "urllib.parse",
}


def loaded_by(program: str) -> set[str]:
    """Run a program in a process of its own; return the modules that it has loaded."""
    lines = ("import sys", "before = set(sys.modules)", program)
    tell = "print(*sorted(set(sys.modules) - before))"
    # Coverage's measuring of subprocesses would import some of them first.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    result = subprocess.run(
        [sys.executable, "-c", "\n".join((*lines, tell))],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.split(".")[0] == "acceptor"}


def test_importing_the_package_loads_nothing_but_its_names() -> None:
    loaded = loaded_by("import acceptor")

    assert ours(loaded) == {"acceptor", "acceptor.core", "acceptor.core.lazily"}
    assert loaded & {"attr", "attrs", "logging", "socket", "typing"} == set()


def test_plain_server_loads_its_own_parts_only_until_it_listens() -> None:
    loaded = loaded_by(PLAIN_SERVER)

    assert ours(loaded) <= PLAIN_MODULES
    assert "acceptor.transports.tcp" in loaded
    assert loaded & NOT_LOADED == set()


def test_plain_server_loads_nothing_more_to_serve_and_stop() -> None:
    # An import under load needs a descriptor, and would fail where there is none.
    loaded = loaded_by(f"{PLAIN_SERVER}\nbefore = set(sys.modules)\n{SERVED}\nserver.stop()")

    assert loaded == set()


@pytest.mark.parametrize(
    ("step", "module"),
    [
        ("ServerBuilder().udp(('127.0.0.1', 0))", "acceptor.transports.udp"),
        ("ServerBuilder().tcp(('127.0.0.1', 0)).forked()", "acceptor.concurrency.children"),
        ("ServerBuilder().tcp(('127.0.0.1', 0)).access(bool)", "acceptor.core.access"),
    ],
)
def test_step_loads_what_it_needs_at_once(step: str, module: str) -> None:
    if ".forked()" in step and not hasattr(os, "fork"):
        pytest.skip("no fork here")

    loaded = loaded_by(f"from acceptor import ServerBuilder\n{step}")

    assert module in loaded
