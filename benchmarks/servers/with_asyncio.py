"""asyncio, with its own loop or uvloop's: `{asyncio,uvloop}-{streams,protocol}`."""

import asyncio
import socket
import ssl
import sys
from typing import Any

from benchmarks.servers.common import (
    BACKLOG,
    CERTIFICATE,
    LOOPBACK,
    SLOW,
    SLOW_SECONDS,
    announce,
    unix_path,
)

SLEEPING = "slow" in sys.argv[2:]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        if SLEEPING and line.startswith(SLOW):
            await asyncio.sleep(SLOW_SECONDS)
        writer.write(line)
        await writer.drain()
    writer.close()


class Lines(asyncio.Protocol):
    """Echoes each whole line."""

    __slots__ = ("rest", "transport")

    def __init__(self) -> None:
        self.rest = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.transport.write(line + b"\n")


class Datagrams(asyncio.DatagramProtocol):
    """Echoes each datagram."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


async def serve_streams(context: ssl.SSLContext | None = None) -> None:
    server = await asyncio.start_server(echo, *LOOPBACK, backlog=BACKLOG, ssl=context)
    announce(server.sockets[0].getsockname())
    await server.serve_forever()


async def serve_protocol(context: ssl.SSLContext | None = None) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Lines, *LOOPBACK, backlog=BACKLOG, ssl=context)
    announce(server.sockets[0].getsockname())
    await server.serve_forever()


async def serve_datagrams(kind: str) -> None:
    loop = asyncio.get_running_loop()
    if kind == "udp":
        transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=LOOPBACK)
        announce(transport.get_extra_info("sockname"))
    else:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(unix_path())
        sock.setblocking(False)
        await loop.create_datagram_endpoint(Datagrams, sock=sock)
        announce(unix_path())
    await asyncio.Event().wait()


def context() -> ssl.SSLContext:
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    result.load_cert_chain(CERTIFICATE)
    return result


async def serve(style: str, kind: str) -> None:
    if kind in ("udp", "unix"):
        await serve_datagrams(kind)
    else:
        start = serve_streams if style == "streams" else serve_protocol
        await start(context() if kind == "tls" else None)


def main(loop_factory: Any = None) -> None:
    """Serve until killed."""
    style = sys.argv[1].partition("-")[2]
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(serve(style, sys.argv[2]))


if __name__ == "__main__":
    main()
