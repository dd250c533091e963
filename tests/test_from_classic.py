"""What a classic server class has chosen, taken over by the builder, or refused by name."""

import http.server
import socket
import socketserver
from pathlib import Path
from typing import Any

import pytest

import acceptor.classic
from acceptor import (
    ConfigurationError,
    DatagramHandler,
    HandlerMismatchError,
    Refused,
    ServerBuilder,
    StreamHandler,
)
from acceptor.concurrency.fork import Forked
from acceptor.concurrency.sync import Sync
from acceptor.concurrency.thread import Threaded
from tests.support import Recorder, ask, connect, read_all, serving

MODULES: list[Any] = [socketserver, acceptor.classic]
HERE = ("127.0.0.1", 0)

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


class Echo(StreamHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


class Upper(DatagramHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


def parts(stage: Any) -> tuple[Any, Any]:
    return stage._transport, stage._concurrency


@each_module
@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("TCPServer", Sync()),
        ("ThreadingTCPServer", Threaded()),
        ("ForkingTCPServer", Forked()),
        ("UDPServer", Sync()),
        ("ThreadingUDPServer", Threaded()),
        ("ForkingUDPServer", Forked()),
    ],
)
def test_from_classic_takes_over_kind_and_mix_in(module: Any, name: str, strategy: Any) -> None:
    kind = getattr(module, name)

    transport, concurrency = parts(ServerBuilder.from_classic(kind, HERE))

    scheme = "udp" if "UDP" in name else "tcp"
    assert str(transport.endpoint) == f"{scheme}://127.0.0.1:0"
    assert concurrency == strategy


@each_module
def test_from_classic_takes_over_the_attributes_of_a_stream_server(module: Any) -> None:
    kind = type(
        "Mine",
        (module.ForkingMixIn, module.TCPServer),
        {
            "allow_reuse_address": True,
            "allow_reuse_port": True,
            "request_queue_size": 17,
            "max_children": 3,
        },
    )

    transport, concurrency = parts(ServerBuilder.from_classic(kind, HERE))

    assert (transport.reuse_address, transport.reuse_port, transport.backlog) == (True, True, 17)
    assert concurrency == Forked(3)


@each_module
def test_from_classic_keeps_our_defaults_where_the_class_sets_nothing(module: Any) -> None:
    stage = ServerBuilder.from_classic(module.TCPServer, HERE)

    assert parts(stage) == parts(ServerBuilder().tcp(HERE))


@each_module
def test_from_classic_takes_over_the_attributes_of_a_datagram_server(module: Any) -> None:
    kind = type("Mine", (module.UDPServer,), {"max_packet_size": 100})

    transport, _ = parts(ServerBuilder.from_classic(kind, HERE))

    assert transport.max_datagram_size == 100


@each_module
def test_from_classic_takes_over_unix_sockets(module: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "it.sock")

    stage: Any = ServerBuilder.from_classic(module.ThreadingUnixStreamServer, path)

    with serving(stage.handler(Echo)) as server:
        assert ask(server.address, b"hello\n") == b"hello\n"
        assert server.address.path == path


@each_module
def test_from_classic_takes_over_verify_request_with_its_super_call(module: Any) -> None:
    class Picky(module.ThreadingTCPServer):  # type: ignore[misc]
        allowed = ("127.0.0.2",)

        def verify_request(self, request: Any, client_address: Any) -> bool:
            trusted: bool = super().verify_request(request, client_address)
            return trusted and client_address[0] in self.allowed

    recorder = Recorder()
    stage: Any = ServerBuilder.from_classic(Picky, HERE).observe(recorder)

    with serving(stage.handler(Echo)) as server:
        with connect(server.address) as client:
            assert read_all(client) == b""
        Picky.allowed = ("127.0.0.1",)
        assert ask(server.address, b"hello\n") == b"hello\n"

    assert [refused.detail for refused in recorder.of(Refused)] == ["Picky.verify_request"]


def test_from_classic_says_so_when_verify_request_looks_at_the_request() -> None:
    class Peeking(socketserver.TCPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            return bool(request.getsockopt(0, 0))

    recorder = Recorder()
    stage: Any = ServerBuilder.from_classic(Peeking, HERE).observe(recorder)

    with serving(stage.handler(Echo)) as server, connect(server.address) as client:
        assert read_all(client) == b""

    [refused] = recorder.of(Refused)
    assert "looks at the request" in str(refused.error)


@each_module
def test_from_classic_takes_over_a_server_that_is_not_bound(module: Any) -> None:
    class Handler(module.StreamRequestHandler):  # type: ignore[misc]
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline())

    old = module.ThreadingTCPServer(HERE, Handler, bind_and_activate=False)

    stage: Any = ServerBuilder.from_classic(old)

    with serving(stage) as server:
        assert ask(server.address, b"hello\n") == b"hello\n"
    assert old.socket.fileno() == -1


@each_module
def test_from_classic_takes_over_the_socket_of_a_server_that_is_bound(module: Any) -> None:
    class Handler(module.StreamRequestHandler):  # type: ignore[misc]
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline())

    old = module.TCPServer(HERE, Handler)

    with serving(ServerBuilder.from_classic(old)) as server:
        assert server.address == old.server_address
        assert ask(old.server_address, b"hello\n") == b"hello\n"


def test_from_classic_takes_over_a_verify_request_that_needs_the_instance() -> None:
    class Remembering(socketserver.TCPServer):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.asked: list[Any] = []

        def verify_request(self, request: Any, client_address: Any) -> bool:
            self.asked.append(client_address[0])
            return True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline())

    old = Remembering(HERE, Handler)

    with serving(ServerBuilder.from_classic(old)) as server:
        assert ask(server.address, b"hello\n") == b"hello\n"

    assert old.asked == ["127.0.0.1"]


def test_from_classic_takes_over_the_http_server_of_the_standard_library() -> None:
    kind = http.server.ThreadingHTTPServer

    stage = ServerBuilder.from_classic(kind, HERE).handler(http.server.SimpleHTTPRequestHandler)

    with serving(stage) as server, connect(server.address) as client:
        client.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
        assert read_all(client).startswith(b"HTTP/1.0 200 ")


HOOKS = [
    *("get_request", "server_bind", "server_activate", "process_request", "finish_request"),
    *("shutdown_request", "close_request", "handle_error", "handle_timeout", "service_actions"),
    *("server_close", "shutdown", "serve_forever", "handle_request", "fileno"),
]


@each_module
@pytest.mark.parametrize("hook", HOOKS)
def test_from_classic_names_the_override_that_it_cannot_carry_over(module: Any, hook: str) -> None:
    kind = type("Mine", (module.TCPServer,), {hook: lambda self, *args: None})

    with pytest.raises(ConfigurationError, match=rf"cannot carry over {hook} of Mine \({hook}: "):
        ServerBuilder.from_classic(kind, HERE)


def test_from_classic_names_a_hook_that_is_set_on_the_instance() -> None:
    old = socketserver.TCPServer(HERE, socketserver.BaseRequestHandler, bind_and_activate=False)
    old.handle_timeout = lambda: None  # type: ignore[method-assign]

    with old, pytest.raises(ConfigurationError, match="cannot carry over handle_timeout"):
        ServerBuilder.from_classic(old)


def test_from_classic_refuses_a_class_whose_constructor_would_not_run() -> None:
    class Mine(socketserver.TCPServer):
        def __init__(self) -> None:
            super().__init__(HERE, socketserver.BaseRequestHandler)

    with pytest.raises(ConfigurationError, match=r"make an instance, .* functools\.partial"):
        ServerBuilder.from_classic(Mine, HERE)


def test_from_classic_refuses_a_socket_that_was_replaced() -> None:
    class Wrapped(socket.socket):
        pass

    old = socketserver.TCPServer(HERE, socketserver.BaseRequestHandler, bind_and_activate=False)
    old.socket.close()
    old.socket = Wrapped()

    with old, pytest.raises(ConfigurationError, match="cannot carry over the socket of TCPServer"):
        ServerBuilder.from_classic(old)


@pytest.mark.parametrize("source", [int, 5, socketserver.BaseServer, StreamHandler])
def test_from_classic_refuses_what_is_no_classic_server(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected a class of socketserver servers"):
        ServerBuilder.from_classic(source, HERE)


def test_from_classic_asks_for_the_address_of_a_class() -> None:
    kind: Any = socketserver.TCPServer

    with pytest.raises(ConfigurationError, match=r"from_classic\(TCPServer, address\)"):
        ServerBuilder.from_classic(kind)


def test_from_classic_refuses_a_second_address_for_an_instance() -> None:
    old: Any = socketserver.TCPServer(HERE, socketserver.BaseRequestHandler)

    with old, pytest.raises(ConfigurationError, match="give one only with a class"):
        ServerBuilder.from_classic(old, HERE)


def test_from_classic_reads_an_ipv6_class() -> None:
    class Six(socketserver.TCPServer):
        address_family = socket.AF_INET6

    hosts = [
        parts(ServerBuilder.from_classic(Six, (host, 0)))[0].endpoint.host for host in ("", "::1")
    ]

    assert hosts == ["::", "::1"]
    with pytest.raises(ConfigurationError, match="must be written as one"):
        ServerBuilder.from_classic(Six, ("localhost", 0))


def test_from_classic_refuses_a_handler_for_the_other_kind() -> None:
    stage: Any = ServerBuilder.from_classic(socketserver.UDPServer, HERE)

    with pytest.raises(HandlerMismatchError):
        stage.handler(socketserver.DatagramRequestHandler)
    with (
        serving(stage.handler(Upper)) as server,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(10)
        client.sendto(b"hello", server.address)
        assert client.recv(100) == b"HELLO"
