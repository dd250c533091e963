"""Things done to an accepted socket and the client's: modes, ends and names."""

import copy
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.core.socket_scripts import HUGE, Script, trying
from tests.fakes import Call, attempt
from tests.support import read_all


def duplicate(sock: socket.socket, client: socket.socket) -> object:
    with sock.dup() as twin:
        client.sendall(b"ab")
        read = sock.recv(1), twin.recv(1)
        sock.close()
        twin.sendall(b"twin")
        described = twin.gettimeout(), twin.family, twin.type, isinstance(twin, socket.socket)
        return read, client.recv(10), described


def detach(sock: socket.socket, client: socket.socket) -> object:
    number = sock.detach()
    with socket.socket(fileno=number) as taken:
        taken.sendall(b"taken")
        return client.recv(10), taken.gettimeout(), sock.fileno(), trying(lambda: sock.recv(1))


def non_blocking(sock: socket.socket, client: socket.socket) -> object:
    sock.setblocking(False)
    found: list[object] = [sock.gettimeout(), sock.getblocking(), os.get_blocking(sock.fileno())]
    found += [trying(lambda: sock.recv(1)), trying(lambda: sock.recv_into(bytearray(1)))]
    with sock.makefile("rb", buffering=0) as raw:
        found.append(raw.read(1))
    found.append(type(attempt(lambda: sock.sendall(HUGE))))
    return found


def blocking_again(sock: socket.socket, client: socket.socket) -> object:
    sock.setblocking(False)
    sock.setblocking(True)
    call = Call(lambda: sock.recv(3))
    client.sendall(b"abc")
    return call.result(), sock.gettimeout(), sock.getblocking(), os.get_blocking(sock.fileno())


def blocking_at_first(sock: socket.socket, client: socket.socket) -> object:
    return sock.gettimeout(), sock.getblocking(), sock.timeout, os.get_blocking(sock.fileno())


def own_timeout(sock: socket.socket, client: socket.socket) -> object:
    sock.settimeout(0.01)
    found: list[object] = [sock.gettimeout(), sock.getblocking(), trying(lambda: sock.recv(1))]
    with sock.makefile("rb") as reader:
        found += [trying(reader.readline), trying(reader.readline)]
    found.append(trying(lambda: sock.sendall(HUGE)))
    found.append(trying(lambda: sock.settimeout(-1)))
    sock.settimeout(None)
    return [*found, sock.gettimeout(), sock.getblocking()]


def ends(sock: socket.socket, client: socket.socket) -> object:
    client.sendall(b"a")
    sock.shutdown(socket.SHUT_RDWR)
    after = client.recv(1), trying(lambda: sock.send(b"x"))
    with sock as entered:
        same = entered is sock
    closed = [trying(call) for call in (lambda: sock.recv(1), lambda: sock.send(b"x"), sock.close)]
    return after, same, closed, sock.fileno()


def client_leaves(sock: socket.socket, client: socket.socket) -> object:
    client.close()
    first = trying(lambda: sock.recv(1))
    for _ in range(100):
        if isinstance(error := attempt(lambda: sock.sendall(bytes(2**16))), Exception):
            return first, isinstance(error, BrokenPipeError | ConnectionResetError)
    return first, "goes on"


def names(sock: socket.socket, client: socket.socket) -> object:
    return [
        sock.getpeername() == client.getsockname(),
        sock.getsockname() == client.getpeername(),
        (sock.family, sock.type, sock.proto, sock.get_inheritable()),
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
    ]


def selecting(sock: socket.socket, client: socket.socket) -> object:
    before = select.select([sock], [sock], [], 0)
    client.sendall(b"x")
    after = select.select([sock], [sock], [], 5)
    return [list(map(bool, found)) for found in (before, after)]


def passing_on(sock: socket.socket, client: socket.socket) -> object:
    client.sendall(b"to a program\n")
    client.shutdown(socket.SHUT_WR)
    source = "import sys; sys.stdout.write(sys.stdin.read().upper())"
    with sock:
        done = subprocess.run(
            [sys.executable, "-c", source], stdin=sock.fileno(), stdout=sock.fileno(), check=False
        )
    return done.returncode, read_all(client)


def what_no_connection_can(sock: socket.socket, client: socket.socket) -> object:
    def error(call: Callable[[], Any]) -> object:
        return type(attempt(call))

    return [
        error(sock.accept),
        error(lambda: sock.connect(client.getpeername())),
        error(lambda: copy.copy(sock)),
        error(lambda: sock.connect_ex(client.getpeername())),
        error(lambda: sock.no_such_method),  # type: ignore[attr-defined]
    ]


MODE_SCRIPTS: Final[Sequence[Script]] = (
    duplicate,
    detach,
    non_blocking,
    blocking_again,
    blocking_at_first,
    own_timeout,
    ends,
    client_leaves,
    names,
    selecting,
    passing_on,
    what_no_connection_can,
)
