"""What the checkers refuse fails at run time, too, with an error that says what to do."""

import socketserver
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    AllowAll,
    ConfigurationError,
    DatagramHandler,
    ServerBuilder,
    StreamHandler,
    Sync,
    TcpEndpoint,
    TcpTransport,
    Threaded,
    UnknownOptionError,
)

# Without types: what the checkers would refuse is just what is tried here.
builder: Any = ServerBuilder()
CERTIFICATE = Path(__file__).with_name("server.pem")

tcp = builder.tcp(("127.0.0.1", 0))
udp = builder.udp(("127.0.0.1", 0))
unix = builder.unix_stream("@acceptor-never-bound")
unixgram = builder.unix_datagram("@acceptor-never-bound")

Step = Callable[[], object]


class Stream(StreamHandler):
    pass


class Letters(DatagramHandler):
    pass


class ClassicStream(socketserver.StreamRequestHandler):
    pass


class ClassicLetters(socketserver.DatagramRequestHandler):
    pass


async def coroutine(request: object, client_address: object, server: object) -> None:
    pass


class AsyncObject:
    async def __call__(self, request: object, client_address: object, server: object) -> None:
        pass


async def later(peer: object) -> bool:
    return False


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        (builder, "build"),
        (builder, "handler"),
        (builder, "threaded"),
        (builder, "access"),
        (tcp, "build"),
        (tcp, "tcp"),
        (tcp.tls(CERTIFICATE), "tls"),
        (tcp.tls(CERTIFICATE), "proxy_protocol"),
        (tcp.proxy_protocol(trusted="::/0"), "proxy_protocol"),
        (tcp, "serve_forever"),
        (udp, "tls"),
        (tcp.handler(Stream), "udp"),
        (tcp.handler(Stream), "serve_forever"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_stage_has_no_step_that_does_not_fit_and_says_its_name(stage: Any, missing: str) -> None:
    name = type(stage).__name__

    with pytest.raises(AttributeError, match=f"'{name}' object has no attribute '{missing}'"):
        getattr(stage, missing)


@pytest.mark.parametrize("observer", [None, 3, "print"])
def test_what_is_no_observer_is_refused(observer: object) -> None:
    with pytest.raises(ConfigurationError, match=f"observer must be callable .*got {observer!r}"):
        tcp.observe(observer)


@pytest.mark.parametrize("observer", [lambda: None, lambda event, more: None], ids=range(2))
def test_observer_of_another_number_of_arguments_is_refused(observer: object) -> None:
    with pytest.raises(ConfigurationError, match=r"observer must be callable with an event, got"):
        tcp.observe(observer)


def test_coroutine_function_is_refused_as_an_observer() -> None:
    with pytest.raises(ConfigurationError, match=r"coroutine .*plain function"):
        tcp.observe(later)


@pytest.mark.parametrize("strategy", [None, 3, "threaded", Threaded, AllowAll()], ids=str)
def test_what_is_no_concurrency_strategy_is_refused(strategy: object) -> None:
    with pytest.raises(ConfigurationError, match="concurrency strategy needs start and limit, got"):
        tcp.concurrency(strategy)


@pytest.mark.parametrize(
    "transport", [None, 3, ("127.0.0.1", 0), "tcp://:0", TcpTransport, Sync()], ids=str
)
def test_what_is_no_transport_is_refused(transport: object) -> None:
    with pytest.raises(ConfigurationError, match="a transport needs listen, got"):
        builder.transport(transport)


@pytest.mark.parametrize("count", [0, -1, 1.5, "4", None, True, False])
@pytest.mark.parametrize("step", ["threaded", "pooled", "forked"])
def test_bound_that_is_no_whole_number_above_zero_is_refused(step: str, count: object) -> None:
    with pytest.raises(ConfigurationError, match=f" must be .* 1 or more, got {count!r}"):
        getattr(tcp, step)(count)


@pytest.mark.parametrize("length", [-1, 1.5, "4", None, True])
def test_queue_that_is_no_whole_number_is_refused(length: object) -> None:
    with pytest.raises(ConfigurationError, match=f"queue must be .* 0 or more, got {length!r}"):
        tcp.pooled(2, queue=length)


@pytest.mark.parametrize("endpoint", [None, 80, ("127.0.0.1", 80), TcpEndpoint])
def test_what_is_no_endpoint_is_refused(endpoint: object) -> None:
    with pytest.raises(ConfigurationError, match="expected an endpoint or its text, got"):
        builder.listen_on(endpoint)


@pytest.mark.parametrize(
    "step",
    [
        lambda: builder.tcp(("127.0.0.1", 0), back_log=5),
        lambda: builder.tcp(("127.0.0.1", 0), mode=0o600),
        lambda: builder.udp(("127.0.0.1", 0), backlog=5),
        lambda: builder.unix_stream("@it", reuse_port=True),
        lambda: builder.unix_datagram("@it", backlog=5),
    ],
    ids=range(5),
)
def test_misspelt_or_foreign_option_is_refused_and_the_others_are_named(step: Step) -> None:
    with pytest.raises(UnknownOptionError, match=r"there is no \w+, but .*socket_options"):
        step()


def test_timeout_that_there_is_not_is_refused_and_the_others_are_named() -> None:
    for name in ("read", "calm"):
        with pytest.raises(ConfigurationError, match=f"no {name}, but handshake, .*, drain$"):
            tcp.timeouts(**{name: 5.0})


@pytest.mark.parametrize(
    "step",
    [
        lambda: builder.tcp(("127.0.0.1", 0), backlog=0),
        lambda: builder.tcp(("127.0.0.1", 0), backlog="long"),
        lambda: builder.tcp(("127.0.0.1", 0), receive_buffer_size=-1),
        lambda: builder.tcp(("127.0.0.1", 0), send_buffer_size=1.5),
        lambda: builder.tcp(("127.0.0.1", 0), socket_options=[(1, 2)]),
        lambda: builder.udp(("127.0.0.1", 0), max_datagram_size=0),
        lambda: builder.udp(("127.0.0.1", 0), max_datagram_size=None),
        lambda: builder.unix_stream("@it", mode="rw"),
        lambda: builder.unix_stream("@it", mode=0o10000),
        lambda: builder.unix_stream("@it", owner="nobody-of-this-name"),
        lambda: builder.unix_stream("@it", owner=1.5),
        lambda: builder.unix_datagram("@it", group="no-group-of-this-name"),
        lambda: builder.unix_datagram("@it", max_datagram_size=True),
        lambda: builder.unix_stream("/" + "long" * 100),
    ],
    ids=range(14),
)
def test_option_that_cannot_work_is_refused_where_it_is_written(step: Step) -> None:
    with pytest.raises(ConfigurationError):
        step()
