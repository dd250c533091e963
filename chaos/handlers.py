"""The handlers that are tormented: a client says in a word what they shall do."""

import ctypes
import os
import signal
import threading
from typing import Final

from acceptor import DatagramHandler, Message, StreamHandler

LONGEST: Final = 1000  # bytes that a question may have
PIECE: Final = b"\0" * 65536
MUCH: Final = PIECE * 8  # more than the buffers between a framed server and its client take

_RAISED: Final = {
    b"fail": ValueError("as I was told"),
    b"exit": SystemExit("as I was told"),
    b"interrupt": KeyboardInterrupt("as I was told"),
}


def answer_to(question: bytes) -> bytes:
    """Return the answer to a question, if it is one that is answered at once.

    Raises:
        BaseException: What the client has asked for.
    """
    word, _, rest = question.strip().partition(b" ")
    if word in _RAISED:
        # A new one: the traceback of one that is kept would grow.
        raise type(_RAISED[word])(*_RAISED[word].args)
    if word == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == b"end":
        _end_this_thread()
    return rest if word == b"echo" else b""


def _end_this_thread() -> None:
    """Have the interpreter raise SystemExit here, wherever here is by then.

    From within: CPython 3.11 spins, if it is traced, as long as another thread has not noticed.
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(threading.get_ident()), ctypes.py_object(SystemExit)
    )


class Tormented(StreamHandler):
    """Does what the first line says."""

    def handle(self) -> None:
        """Answer, raise, die, hold the client, or flood it."""
        question = self.rfile.readline(LONGEST)
        if question == b"hold\n":
            self.wfile.write(b"!")
            self.wfile.write(self.rfile.read(1))
        while question == b"flood\n":
            self.wfile.write(PIECE)
        self.wfile.write(answer_to(question))


class TormentedByDatagrams(DatagramHandler):
    """Does what the datagram says."""

    def handle(self) -> None:
        """Answer, raise, or die."""
        answer = answer_to(self.rfile.read(LONGEST))
        if answer:
            self.wfile.write(answer)


def tormented_by_messages(message: Message[object], client_address: object, server: object) -> None:
    """Do what the message says: answer, raise, die, hold the client, or flood it."""
    word, _, rest = message.payload.partition(b" ")
    if word == b"hold":
        with open(rest, "rb", buffering=0) as gate:
            message.reply(b"!")
            message.reply(gate.read(1))
    elif word == b"much":
        message.reply(MUCH)
    elif word == b"nothing":
        message.close()
    elif answer := answer_to(message.payload):
        message.reply(answer)
    while word == b"flood" and message.reply(PIECE):
        pass
