"""Stream handlers made and run alone, on one end of a socket pair."""

import array
import contextlib
import io
import socket
from typing import Any

import pytest

from acceptor import StreamHandler, Timeouts
from acceptor.transports.served import ServedSocket
from tests.handlers.pairs import pair, reading, tcp_pair


def test_setup_opens_the_files_and_names_the_connection() -> None:
    with pair() as it:
        it.handler.setup()

        assert it.handler.connection is it.handler.request is it.ours
        assert it.handler.rfile.readable()
        assert it.handler.wfile.writable()
        assert not it.handler.wfile.readable()
        assert it.handler.rfile.fileno() == it.handler.wfile.fileno() == it.ours.fileno()
        it.handler.finish()


def test_rfile_reads_lines_and_the_rest() -> None:
    with pair() as it:
        it.client.sendall(b"one\ntwo\nrest")
        it.client.shutdown(socket.SHUT_WR)

        it.handler.setup()

        assert it.handler.rfile.readline() == b"one\n"
        assert it.handler.rfile.read() == b"two\nrest"
        it.handler.finish()


@pytest.mark.parametrize(("size", "left"), [(-1, 0), (16, 105 - 16), (0, 100)])
def test_rbufsize_is_what_rfile_takes_at_a_time(size: int, left: int) -> None:
    class Sized(StreamHandler):
        rbufsize = size

    with pair(Sized) as it:
        it.client.sendall(b"line\n" + b"x" * 100)
        it.client.shutdown(socket.SHUT_WR)

        it.handler.setup()

        assert it.handler.rfile.readline() == b"line\n"
        assert len(it.ours.recv(1000, socket.MSG_PEEK)) == left
        assert it.handler.rfile.read() == b"x" * 100
        it.handler.finish()


def test_wfile_writes_through_what_the_handler_has_put_around_its_socket() -> None:
    class Loud:
        def __init__(self, sock: socket.socket) -> None:
            self._sock = sock

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

        def sendall(self, data: bytes) -> None:
            self._sock.sendall(data.upper())

    with pair() as it, ServedSocket.of(it.ours.detach(), int(socket.AF_UNIX), 0) as served:
        served.begin(Timeouts(), [0, 0])
        it.handler.request = Loud(served)  # type: ignore[assignment]
        it.handler.setup()

        it.handler.wfile.write(b"hello")

        assert it.hear() == b"HELLO"
        it.handler.finish()


def test_wfile_sends_each_write_at_once_without_a_buffer() -> None:
    with pair() as it:
        it.handler.setup()

        count = it.handler.wfile.write(b"hello")

        assert count == 5
        assert it.hear() == b"hello"
        it.handler.finish()


@pytest.mark.parametrize("size", [-1, 64])
def test_wbufsize_buffers_writes_until_flush_or_finish(size: int) -> None:
    class Sized(StreamHandler):
        wbufsize = size

    with pair(Sized) as it:
        it.handler.setup()

        it.handler.wfile.write(b"one")
        assert it.hear() == b""
        it.handler.wfile.flush()
        assert it.hear() == b"one"
        it.handler.wfile.write(b"two")
        it.handler.finish()

        assert it.hear() == b"two"


def test_wfile_sends_all_of_what_a_full_socket_takes_only_in_parts() -> None:
    payload = bytes(range(256)) * 8192  # more than a socket's buffers hold

    with pair() as it:
        it.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        it.handler.setup()
        received = bytearray()

        with reading(it.client, received):
            count = it.handler.wfile.write(payload)
            it.handler.finish()
            it.ours.shutdown(socket.SHUT_WR)

    assert count == len(payload)
    assert received == payload


@pytest.mark.parametrize("wbufsize_", [0, -1])
def test_wfile_write_returns_bytes_whatever_it_is_given(wbufsize_: int) -> None:
    class Sized(StreamHandler):
        wbufsize = wbufsize_

    numbers = array.array("i", [1, 2, 3])
    with pair(Sized) as it:
        it.handler.setup()
        write = it.handler.wfile.write

        counts = [
            write(numbers),
            write(memoryview(numbers)),
            write(memoryview(b"slices")[:3]),
            write(bytearray(b"more")),
            write(b""),
        ]
        it.handler.finish()

        size = len(numbers.tobytes())
        assert counts == [size, size, 3, 4, 0]
        assert it.hear() == numbers.tobytes() * 2 + b"slimore"


def test_wfile_takes_writelines_and_print() -> None:
    with pair() as it:
        it.handler.setup()

        it.handler.wfile.writelines([b"one", b"two"])
        file: Any = it.handler.wfile
        with io.TextIOWrapper(file, encoding="ascii") as text:  # closes it, too
            print("three", file=text)
        it.handler.finish()

        assert it.hear() == b"onetwothree\n"


def test_timeout_limits_reads_and_writes() -> None:
    class Hasty(StreamHandler):
        timeout = 0.01

    with pair(Hasty) as it:
        it.handler.setup()

        with pytest.raises(TimeoutError):
            it.handler.rfile.readline()
        with pytest.raises(TimeoutError):
            it.handler.wfile.write(bytes(1 << 24))
        it.handler.finish()


def test_no_timeout_leaves_the_sockets_own() -> None:
    with pair() as it:
        it.ours.settimeout(7.0)

        it.handler.setup()

        assert it.ours.gettimeout() == 7.0
        it.handler.finish()


@pytest.mark.parametrize("wanted", [True, False])
def test_disable_nagle_algorithm_sets_no_delay_on_tcp(wanted: bool) -> None:
    class Eager(StreamHandler):
        disable_nagle_algorithm = wanted

    with tcp_pair(Eager) as it:
        it.handler.setup()

        no_delay = it.ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert bool(no_delay) is wanted
        it.handler.finish()


def test_disable_nagle_algorithm_is_harmless_on_unix_sockets() -> None:
    class Eager(StreamHandler):
        disable_nagle_algorithm = True

    with pair(Eager) as it:
        it.handler.setup()
        it.handler.wfile.write(b"hello")
        it.handler.finish()

        assert it.hear() == b"hello"


def test_finish_closes_the_files_and_leaves_the_socket_to_the_server() -> None:
    with pair() as it:
        it.handler.setup()
        it.handler.finish()

        assert it.handler.rfile.closed
        assert it.handler.wfile.closed
        it.ours.sendall(b"still open")
        assert it.hear() == b"still open"


def test_finish_accepts_files_that_the_handler_has_closed() -> None:
    class Buffered(StreamHandler):
        wbufsize = -1

    kinds: list[type[StreamHandler]] = [StreamHandler, Buffered]
    for kind in kinds:
        with pair(kind) as it:
            it.handler.setup()
            it.handler.rfile.close()
            it.handler.wfile.close()

            it.handler.finish()


@pytest.mark.parametrize("size", [0, -1])
def test_finish_does_not_mind_a_client_that_has_left(size: int) -> None:
    class Sized(StreamHandler):
        wbufsize = size

    with pair(Sized) as it:
        it.handler.setup()
        it.client.close()
        with contextlib.suppress(BrokenPipeError):  # at once without a buffer, else in `finish`
            it.handler.wfile.write(b"too late")

        it.handler.finish()

        assert it.handler.rfile.closed
        assert it.handler.wfile.closed


def test_finish_closes_the_files_of_a_client_that_does_not_read() -> None:
    class Patient(StreamHandler):
        wbufsize = -1
        timeout = 0.01

    with pair(Patient) as it:
        it.handler.setup()
        with pytest.raises(TimeoutError):  # until nothing more fits
            it.ours.sendall(bytes(1 << 24))
        it.handler.wfile.write(b"left in the buffer")

        with pytest.raises(TimeoutError):
            it.handler.finish()

        # An open file would keep the descriptor open when the server closes the socket.
        assert it.handler.rfile.closed
        assert it.handler.wfile.closed
