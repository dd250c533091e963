"""A handler made of a function that knows nothing of servers."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from acceptor.core.callables import is_coroutine_function, misfit
from acceptor.core.errors import HandlerMismatchError
from acceptor.core.message import Message

Answer: TypeAlias = bytes | Iterable[bytes] | None


def replying(function: Callable[[bytes], Answer]) -> Callable[[Message, object, object], None]:
    """Make a message handler of a function from payload to reply.

    It returns the reply, or None for none, or an iterable of several, which are sent as they come;
    what is left of it is not asked for when the client does not take them any more.

    Raises:
        HandlerMismatchError: It cannot be called with a payload, or is a coroutine function.
    """
    if not callable(function) or is_coroutine_function(function) or misfit(function, 1):
        raise HandlerMismatchError(f"expected a plain function of the payload, got {function!r}")

    def handle(message: Message, client_address: object, server: object) -> None:
        answer = function(message.payload)
        if isinstance(answer, bytes | bytearray | memoryview):
            message.reply(bytes(answer))
        elif answer is not None:
            for reply in answer:
                if not message.reply(reply):
                    break

    return handle
