"""Things done to an accepted socket and the client's; each returns what came of it."""

import io
import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from typing import Final

from tests.fakes import Call, attempt
from tests.support import read_all

Script = Callable[[socket.socket, socket.socket], object]

HUGE: Final = bytes(range(256)) * 2**16  # 16 MiB, more than the system takes at once


def trying(call: Callable[[], object]) -> object:
    """Return what a call returns; for an error, which and with what words."""
    result = attempt(call)
    return (type(result), str(result)) if isinstance(result, Exception) else result


def recv(sock: socket.socket, client: socket.socket) -> object:
    client.sendall(b"abcdef")
    client.shutdown(socket.SHUT_WR)
    return [sock.recv(2), sock.recv(0), sock.recv(100), sock.recv(1), trying(lambda: sock.recv(-1))]


def recv_variants(sock: socket.socket, client: socket.socket) -> object:
    client.sendall(b"0123456789" * 3)
    buffer = bytearray(4)
    return [
        sock.recv_into(buffer),
        sock.recv_into(buffer, 2),
        sock.recv_into(memoryview(buffer)[1:], 3, socket.MSG_PEEK),
        sock.recvfrom(3)[0],
        sock.recvfrom_into(buffer)[0],
        sock.recvmsg(5)[:3],
        sock.recvmsg_into([buffer, bytearray(2)])[:3],
        bytes(buffer),
    ]


def recv_keywords(sock: socket.socket, client: socket.socket) -> object:
    client.sendall(b"0123456789" * 3)
    buffer = bytearray(4)
    return [
        sock.recv_into(buffer, nbytes=2, flags=0),
        sock.recvfrom_into(buffer, nbytes=2, flags=0)[0],
        trying(lambda: sock.recv_into(buffer, 9)),
        trying(lambda: sock.recv("x")),  # type: ignore[arg-type]
        type(attempt(sock.recv)),  # type: ignore[arg-type]
    ]


def recv_flags(sock: socket.socket, client: socket.socket) -> object:
    nothing = trying(lambda: sock.recv(1, socket.MSG_DONTWAIT))
    client.sendall(b"abc")
    return [nothing, sock.recv(2, socket.MSG_PEEK), sock.recv(9), os.get_blocking(sock.fileno())]


def recv_all_of_it(sock: socket.socket, client: socket.socket) -> object:
    call = Call(lambda: sock.recv(300_000, socket.MSG_WAITALL))
    for _ in range(300):
        client.sendall(bytes(1000))
    return len(call.result())


def send_variants(sock: socket.socket, client: socket.socket) -> object:
    counts = [sock.send(b"abc"), sock.send(memoryview(b"def"), 0)]
    sock.sendall(b"ghi")
    sock.sendall(b"")
    counts += [sock.sendmsg([b"j", bytearray(b"k")]), sock.sendmsg([])]
    sock.shutdown(socket.SHUT_WR)
    errors = [
        trying(lambda: sock.send(b"x")),
        type(attempt(lambda: sock.sendall("text"))),  # type: ignore[arg-type]
    ]
    return counts, read_all(client), errors


def sendall_huge(sock: socket.socket, client: socket.socket) -> object:
    def send() -> None:
        sock.sendall(HUGE)
        sock.shutdown(socket.SHUT_WR)

    call = Call(send)
    return [read_all(client) == HUGE, call.result()]


def sendall_of_wide_items(sock: socket.socket, client: socket.socket) -> object:
    sock.sendall(memoryview(b"12345678").cast("I"))
    sock.shutdown(socket.SHUT_WR)
    return read_all(client)


def sendmsg_huge(sock: socket.socket, client: socket.socket) -> object:
    def send() -> bool:
        with sock:
            return 0 < sock.sendmsg([HUGE]) <= len(HUGE)

    call = Call(send)
    return [HUGE.startswith(read_all(client)), call.result()]


def send_descriptor(sock: socket.socket, client: socket.socket) -> object:
    if sock.family != socket.AF_UNIX:
        return None
    reader, writer = os.pipe()
    socket.send_fds(sock, [b"here"], [writer])
    payload, [sent], *_ = socket.recv_fds(client, 10, 1)
    socket.send_fds(client, [b"back"], [sent])
    answer, [back], *_ = socket.recv_fds(sock, 10, 1)
    os.write(back, b"through")
    piped = os.read(reader, 10)
    for number in (reader, writer, sent, back):
        os.close(number)
    return payload, answer, piped


def sendfile(sock: socket.socket, client: socket.socket) -> object:
    with tempfile.TemporaryFile() as file:
        file.write(HUGE)
        file.seek(0)

        def send() -> int:
            sent = sock.sendfile(file, 100, 2**23)
            sock.shutdown(socket.SHUT_WR)
            return sent

        call = Call(send)
        return [read_all(client) == HUGE[100 : 100 + 2**23], call.result(), file.tell()]


def sendfile_from_memory(sock: socket.socket, client: socket.socket) -> object:
    sent = sock.sendfile(io.BytesIO(b"in memory"), 3)
    sock.shutdown(socket.SHUT_WR)
    return sent, read_all(client)


def files(sock: socket.socket, client: socket.socket) -> object:
    client.sendall(b"one\ntwo\nthree\nfour")
    client.shutdown(socket.SHUT_WR)
    with sock.makefile("rb") as reader, sock.makefile("w", encoding="ascii") as writer:
        lines: list[object] = [
            reader.readline(),
            reader.read(2),
            reader.read1(1),
            reader.peek(1)[:1],
        ]
        lines += [*reader, reader.read()]
        writer.write("answer\n")
    with sock.makefile("rwb", buffering=0) as raw:
        lines += [raw.read(1), raw.write(b"raw"), raw.fileno() == sock.fileno()]
    sock.shutdown(socket.SHUT_WR)
    return lines, read_all(client)


def file_outlives_socket(sock: socket.socket, client: socket.socket) -> object:
    reader = sock.makefile("rb")
    sock.close()
    client.sendall(b"still\n")
    line = reader.readline()
    reader.close()
    return line, client.recv(1), sock.fileno()


SCRIPTS: Final[Sequence[Script]] = (
    recv,
    recv_variants,
    recv_keywords,
    recv_flags,
    recv_all_of_it,
    send_variants,
    sendall_huge,
    sendall_of_wide_items,
    sendmsg_huge,
    send_descriptor,
    sendfile,
    sendfile_from_memory,
    files,
    file_outlives_socket,
)
