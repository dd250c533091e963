"""What the checkers refuse about messages (`typing/misuse_framed.py`) fails at run time, too."""

import functools
import socketserver
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptor import (
    ConfigurationError,
    DatagramHandler,
    HandlerMismatchError,
    ServerBuilder,
    StreamHandler,
    Wait,
    delimited,
    fixed,
    length_prefixed,
    lines,
    replying,
)

# Without types: what the checkers would refuse is just what is tried here.
builder: Any = ServerBuilder()
any_lines: Any = lines
any_delimited: Any = delimited
any_fixed: Any = fixed
any_prefixed: Any = length_prefixed
any_replying: Any = replying

tcp = builder.tcp(("127.0.0.1", 0))
udp = builder.udp(("127.0.0.1", 0))
unixgram = builder.unix_datagram("@acceptor-never-bound")
framed = tcp.framed(lines())
secured = tcp.tls(Path(__file__).with_name("server.pem")).framed(lines())

Step = Callable[[], object]


class Stream(StreamHandler):
    pass


class Letters(DatagramHandler):
    pass


class ClassicStream(socketserver.StreamRequestHandler):
    pass


class ClassicLetters(socketserver.DatagramRequestHandler):
    pass


async def coroutine(*arguments: object) -> bytes:
    return b""


async def without_arguments() -> None:
    pass


def nothing(*arguments: object) -> None:
    pass


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        (udp, "framed"),
        (unixgram, "framed"),
        (framed, "framed"),
        (framed, "tls"),
        (framed, "proxy_protocol"),
        (framed, "build"),
        (framed.threaded(), "build"),
        (secured, "build"),
        (secured, "tls"),
        (tcp.handler(Stream), "framed"),
    ],
    ids=range(10),
)
def test_stage_has_no_step_that_does_not_fit_messages(stage: Any, missing: str) -> None:
    name = type(stage).__name__

    with pytest.raises(AttributeError, match=f"'{name}' object has no attribute '{missing}'"):
        getattr(stage, missing)


@pytest.mark.parametrize("stage", [framed, secured, framed.handler(nothing)], ids=range(3))
@pytest.mark.parametrize(
    "handler", [Stream, Letters, ClassicStream, ClassicLetters, functools.partial(Stream)]
)
def test_handler_class_of_whole_requests_is_refused_behind_framed(stage: Any, handler: Any) -> None:
    with pytest.raises(
        HandlerMismatchError, match=r"but behind framed\(\) there are messages; use a"
    ):
        stage.handler(handler)


@pytest.mark.parametrize("handler", [None, lambda payload: payload, coroutine, object()])
def test_what_is_no_message_handler_is_refused(handler: object) -> None:
    with pytest.raises(HandlerMismatchError):
        framed.handler(handler)


@pytest.mark.parametrize("framing", [None, b"\n", lines, "lines", 4, Stream], ids=str)
def test_what_is_no_framing_is_refused(framing: object) -> None:
    with pytest.raises(ConfigurationError, match="a framing needs cut and wrap, got "):
        tcp.framed(framing)


@pytest.mark.parametrize("lacks", ["cut", "wrap"])
def test_framing_that_lacks_a_method_is_refused(lacks: str) -> None:
    framing = types.SimpleNamespace(cut=nothing, wrap=nothing)
    delattr(framing, lacks)

    with pytest.raises(ConfigurationError, match="a framing needs cut and wrap, got namespace"):
        tcp.framed(framing)


@pytest.mark.parametrize(
    "session", [3, "Session", object(), lambda connection: None, without_arguments, Letters]
)
def test_what_makes_no_session_is_refused(session: object) -> None:
    with pytest.raises(ConfigurationError, match="session must be callable without arguments, got"):
        tcp.framed(lines(), session=session)


@pytest.mark.parametrize(
    "session", [dict, list, object, lambda *numbers: None, functools.partial(dict, a=1)]
)
def test_what_can_be_called_without_arguments_makes_sessions(session: object) -> None:
    stage = tcp.framed(lines(), session=session)

    assert stage.handler(nothing).build() is not None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"refusal": None}, r"refusal must be Close\(\), Reply\(bytes\) or Reset\(\), got None"),
        ({"refusal": Wait()}, r"refusal must be .*, got Wait\(\)"),
        ({"max_output": 0}, "max_output must be bytes, 1 or more, got 0"),
        ({"max_output": True}, "max_output must be bytes, 1 or more, got True"),
        ({"max_output": "64k"}, "max_output must be bytes, 1 or more, got '64k'"),
        ({"max_length": 5}, "there is no max_length, but refusal, max_output"),
    ],
    ids=range(6),
)
def test_option_that_cannot_work_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        tcp.framed(lines(), **options)


def test_session_is_given_by_its_name() -> None:
    with pytest.raises(TypeError, match="positional argument"):
        tcp.framed(lines(), dict)


_LENGTH = "must be a number of bytes, 1 or more, got"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: any_lines(max_length=0), f"max_length {_LENGTH} 0"),
        (lambda: any_lines(max_length="9"), f"max_length {_LENGTH} '9'"),
        (lambda: any_lines(b"\n"), f"max_length {_LENGTH} b'.n'"),
        (
            lambda: any_lines(ending=b"\r"),
            r"ending must be b'\\n' or b'\\r\\n', got b'\\r'; use del",
        ),
        (lambda: any_lines(ending="\n"), r"ending must be b'\\n' or b'\\r\\n', got '\\n'"),
        (lambda: any_delimited(b""), "separator must be bytes, one or more, got b''"),
        (lambda: any_delimited("\0"), r"separator must be bytes, one or more, got '\\x00'"),
        (lambda: any_delimited(bytearray(b"x")), "separator must be bytes, one or more, got bytea"),
        (lambda: any_delimited(b"x", -1), f"max_length {_LENGTH} -1"),
        (lambda: any_delimited(b"x", True), f"max_length {_LENGTH} True"),
        (lambda: any_prefixed(0), "size must be a number of bytes, 1 to 8, got 0"),
        (lambda: any_prefixed(9), "size must be a number of bytes, 1 to 8, got 9"),
        (lambda: any_prefixed(True), "size must be a number of bytes, 1 to 8, got True"),
        (lambda: any_prefixed("4"), "size must be a number of bytes, 1 to 8, got '4'"),
        (lambda: any_prefixed(byteorder="net"), "byteorder must be 'big' or 'little', got 'net'"),
        (lambda: any_prefixed(byteorder=None), "byteorder must be 'big' or 'little', got None"),
        (lambda: any_prefixed(max_length=-1), "max_length must be bytes, 0 or more, got -1"),
        (lambda: any_prefixed(max_length=0.5), "max_length must be bytes, 0 or more, got 0.5"),
        (lambda: any_fixed(0), f"size {_LENGTH} 0"),
        (lambda: any_fixed(b"8"), f"size {_LENGTH} b'8'"),
    ],
    ids=range(20),
)
def test_value_that_no_framing_can_have_is_refused(make: Step, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        make()


@pytest.mark.parametrize(("name", "what"), [("opened", "coroutine"), ("closed", "generator")])
def test_session_whose_method_would_not_run_is_refused(name: str, what: str) -> None:
    def one_by_one(self: object, connection: object) -> Iterator[bytes]:
        yield b"x"

    session = type("Session", (), {name: coroutine if what == "coroutine" else one_by_one})

    with pytest.raises(
        ConfigurationError, match=f"{name} of session .* is a {what} .*plain method"
    ):
        tcp.framed(lines(), session=session)


@pytest.mark.parametrize("function", [None, b"reply", coroutine, lambda: b"", without_arguments])
def test_replying_refuses_what_is_no_plain_function(function: object) -> None:
    with pytest.raises(HandlerMismatchError, match="expected a plain function of the payload, got"):
        any_replying(function)
