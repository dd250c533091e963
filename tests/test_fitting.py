"""Whether handler and policy fit the transport: refused where they are given, as types do."""

import asyncio
import functools
import http.server
import re
import socket
import socketserver
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest

from acceptor import (
    AllowAll,
    BaseHandler,
    ConfigurationError,
    DatagramHandler,
    HandlerMismatchError,
    InetPeer,
    Policy,
    Server,
    ServerBuilder,
    StreamHandler,
    Sync,
    UnixPeer,
    allow_groups,
    allow_networks,
    allow_users,
    deny_networks,
)

# Without types: what the checkers would refuse is just what is tried here.
builder: Any = ServerBuilder()
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


class NoPeer:
    def allows(self) -> bool:
        return True


class Lazy:
    async def allows(self, peer: object) -> bool:
        return False


def bit_by_bit(request: object, client_address: object, server: object) -> Iterator[bytes]:
    yield b"x"


def one_by_one(peer: object) -> Iterator[bool]:
    yield False


STREAM_HANDLERS = [
    Stream,
    StreamHandler,
    StreamHandler[socket.socket, Any],
    functools.partial(Stream),
    functools.partial(functools.partial(Stream)),
    ClassicStream,
    http.server.SimpleHTTPRequestHandler,
    functools.partial(http.server.SimpleHTTPRequestHandler, directory="/"),
]
DATAGRAM_HANDLERS = [
    Letters,
    DatagramHandler,
    DatagramHandler[Any],
    functools.partial(Letters),
    ClassicLetters,
]


@pytest.mark.parametrize("stage", [udp, unixgram], ids=["udp", "unixgram"])
@pytest.mark.parametrize("handler", STREAM_HANDLERS, ids=str)
def test_stream_handler_is_refused_on_datagrams(stage: Any, handler: object) -> None:
    with pytest.raises(HandlerMismatchError, match=r"serves connections, but .* datagrams; use a"):
        stage.handler(handler)


@pytest.mark.parametrize("stage", [tcp, unix], ids=["tcp", "unix"])
@pytest.mark.parametrize("handler", DATAGRAM_HANDLERS, ids=str)
def test_datagram_handler_is_refused_on_streams(stage: Any, handler: object) -> None:
    with pytest.raises(HandlerMismatchError, match=r"serves datagrams, but .* connections; use a"):
        stage.handler(handler)


def test_handler_that_does_not_fit_is_refused_in_the_place_of_one_that_did() -> None:
    with pytest.raises(HandlerMismatchError, match="Letters serves datagrams"):
        tcp.handler(Stream).handler(Letters)


@pytest.mark.parametrize("stage", [tcp, udp, unix, unixgram])
def test_handler_for_any_request_fits_everywhere(stage: Any) -> None:
    assert isinstance(stage.handler(BaseHandler).build(), Server)


@pytest.mark.parametrize("handler", STREAM_HANDLERS, ids=str)
def test_stream_handlers_fit_streams(handler: object) -> None:
    assert isinstance(unix.handler(handler).build(), Server)


@pytest.mark.parametrize("handler", [coroutine, functools.partial(coroutine), AsyncObject()])
def test_coroutine_function_is_refused_as_a_handler(handler: object) -> None:
    with pytest.raises(HandlerMismatchError, match=r"coroutine .*plain function"):
        tcp.handler(handler)


@pytest.mark.parametrize("handler", [bit_by_bit, functools.partial(bit_by_bit)])
def test_generator_function_is_refused_as_a_handler(handler: object) -> None:
    with pytest.raises(HandlerMismatchError, match=r"generator .*plain function"):
        tcp.handler(handler)


@pytest.mark.parametrize("name", ["setup", "handle", "finish"])
def test_handler_class_with_a_method_that_would_not_run_is_refused(name: str) -> None:
    async def waits(self: object) -> None:
        pass

    async def waits_and_yields(self: object) -> AsyncIterator[bytes]:
        yield b"x"

    for method, what in ((waits, "coroutine"), (waits_and_yields, "generator")):
        mine = type("Mine", (StreamHandler,), {name: method})

        with pytest.raises(HandlerMismatchError, match=rf"Mine\.{name} is a {what} .*plain method"):
            tcp.handler(functools.partial(mine))


def test_handler_class_that_calls_its_methods_itself_may_have_any() -> None:
    class Mine:
        def __init__(self, request: object, client_address: object, server: object) -> None:
            asyncio.run(self.handle())

        async def handle(self) -> None:
            pass

    assert isinstance(tcp.handler(Mine).build(), Server)


def test_classic_handler_class_with_a_method_that_would_not_run_is_refused() -> None:
    class Mine(socketserver.StreamRequestHandler):
        async def handle(self) -> None:  # type: ignore[override]
            pass

    with pytest.raises(HandlerMismatchError, match=r"Mine\.handle is a coroutine"):
        tcp.handler(Mine)


@pytest.mark.parametrize("handler", [None, 3, "handler", Stream.__name__, object()], ids=str)
def test_what_is_not_callable_is_refused_as_a_handler(handler: object) -> None:
    with pytest.raises(HandlerMismatchError, match="must be callable with"):
        tcp.handler(handler)


@pytest.mark.parametrize(
    "handler",
    [
        lambda: None,
        lambda request: None,
        lambda request, client_address: None,
        lambda request, client_address, server, more: None,
        lambda request, client_address, server, *, more: None,
        functools.partial(lambda request, client_address, server: None, 1),
        functools.partial(cast("Any", Stream), misspelt=1),
        object,
    ],
    ids=range(8),
)
def test_handler_of_another_number_of_arguments_is_refused(handler: object) -> None:
    with pytest.raises(
        HandlerMismatchError, match=r"cannot be called with \(request, client_address, server\): ."
    ):
        tcp.handler(handler)


def test_decorated_function_is_called_as_the_decorator_takes_it() -> None:
    def with_one_more(function: Callable[..., bool]) -> Callable[..., bool]:
        @functools.wraps(function)
        def called(first: object, second: object = 0, third: object = 0) -> bool:
            return function(first, second, third, "more")

        return called

    @with_one_more
    def decorated(first: object, second: object, third: object, more: str) -> bool:
        return True

    assert isinstance(tcp.access(decorated).observe(decorated).handler(decorated).build(), Server)


def test_object_that_has_any_attribute_may_be_called() -> None:
    class Remote:
        def __getattr__(self, name: str) -> object:
            return self

        def __call__(self, *arguments: object) -> object:
            return self

    assert isinstance(tcp.observe(Remote()).handler(Remote()).build(), Server)


def test_function_whose_annotations_have_no_value_is_called_all_the_same() -> None:
    class Annotated:  # as since Python 3.14 by names that only checkers know
        @property
        def __signature__(self) -> object:
            raise NameError("Peer")

        def __call__(self, *arguments: object) -> None:
            pass

    assert isinstance(tcp.observe(Annotated()).handler(Annotated()).build(), Server)


CREDENTIALS: dict[str, Policy[UnixPeer]] = {
    "users": allow_users(0),
    "groups": allow_groups(0),
    "~": ~allow_users(0),
    "|": allow_users(0) | allow_groups(0),
    "& with a function": (lambda peer: True) & allow_users(0),
    "deep": AllowAll() & ~(AllowAll() | ~allow_users(0)),
}
NETWORKS: dict[str, Policy[InetPeer]] = {
    "allow": allow_networks("::/0"),
    "deny": deny_networks("::/0"),
    "&": allow_networks("::/0") & AllowAll(),
    "| with a function": allow_networks("::/0") | (lambda peer: True),
    "deep": AllowAll() | ~(AllowAll() & ~allow_networks("::/0")),
}


@pytest.mark.parametrize("stage", [tcp, udp, tcp.handler(Stream)])
@pytest.mark.parametrize("policy", CREDENTIALS.values(), ids=CREDENTIALS)
def test_policy_for_credentials_is_refused_on_the_internet(stage: Any, policy: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"judges UnixPeer, but .* clients are IPv4Peer or IPv6Peer"
    ):
        stage.access(policy)


@pytest.mark.parametrize("stage", [unix, unixgram, unix.handler(Stream)])
@pytest.mark.parametrize("policy", NETWORKS.values(), ids=NETWORKS)
def test_policy_for_networks_is_refused_on_unix_sockets(stage: Any, policy: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"judges IPv4Peer or IPv6Peer or ProxiedPeer, but .* are UnixPeer"
    ):
        stage.access(policy)


def test_policies_fit_where_their_peers_are() -> None:
    for of_users in CREDENTIALS.values():
        unix.access(of_users)
    for of_networks in NETWORKS.values():
        tcp.access(of_networks)
        udp.access(of_networks)


@pytest.mark.parametrize("policy", [None, True, "10.0.0.0/8", AllowAll, Sync()], ids=str)
def test_what_is_no_policy_is_refused(policy: object) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"got {policy!r}")):
        tcp.access(policy)


@pytest.mark.parametrize("policy", [later, functools.partial(later), one_by_one, Lazy()])
def test_function_that_would_not_run_is_refused_as_a_policy(policy: object) -> None:
    # It would return a coroutine or generator, which is true, and so let everybody in.
    with pytest.raises(ConfigurationError, match=r"coroutine|generator"):
        tcp.access(policy)


@pytest.mark.parametrize(
    "policy", [lambda: True, lambda request, client_address: True, NoPeer()], ids=range(3)
)
def test_policy_of_another_number_of_arguments_is_refused(policy: object) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be asked of a peer: .*argument"):
        tcp.access(policy)


def test_classic_datagram_handlers_are_refused_because_they_unpack_another_request() -> None:
    with pytest.raises(HandlerMismatchError, match="derive it from acceptor's DatagramHandler"):
        ServerBuilder().udp(("127.0.0.1", 0)).handler(
            socketserver.DatagramRequestHandler  # type: ignore[arg-type]
        )
