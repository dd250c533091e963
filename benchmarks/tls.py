"""TLS, a new connection for each request: ours against the ways people know; `make bench-tls`."""

import argparse
import asyncio
import os
import socket
import socketserver
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from acceptor import ServerBuilder, StreamHandler

CERTIFICATE = Path(__file__).parent.parent / "tests" / "server.pem"
LOOPBACK = ("127.0.0.1", 0)
LINE = b"x" * 63 + b"\n"
TICK = os.sysconf("SC_CLK_TCK")
CLIENTS = 8


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


class Echo(StreamHandler[ssl.SSLSocket]):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


class TheirEcho(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline())


def serve_ours() -> None:
    server = ServerBuilder().tcp(LOOPBACK).tls(CERTIFICATE).threaded().handler(Echo).build()
    with server:
        print(server.address.port, flush=True)
        server.serve_forever()


def serve_wrapped() -> None:
    """Wrap the listening socket, as the documentation of the standard library shows it."""

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 1024

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    with Server(LOOPBACK, TheirEcho) as server:
        server.socket = server_context().wrap_socket(server.socket, server_side=True)
        print(server.server_address[1], flush=True)
        server.serve_forever()


def serve_asyncio() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(echo, *LOOPBACK, ssl=server_context(), backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


SERVERS: dict[str, Callable[[], None]] = {
    "ours": serve_ours,
    "wrapped": serve_wrapped,
    "asyncio": serve_asyncio,
}
NAMES = {
    "ours": "acceptor, threaded",
    "wrapped": "`ThreadingTCPServer`, wrapped listener",
    "asyncio": "`asyncio.start_server`",
}


def load(port: int, seconds: float) -> int:
    """Come again and again; return how many answers there were."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(CERTIFICATE)
    until = time.monotonic() + seconds
    answered = [0] * (CLIENTS // 2)

    def come(number: int) -> None:
        while time.monotonic() < until:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
                context.wrap_socket(plain) as client,
            ):
                client.sendall(LINE)
                if client.recv(100) == LINE:
                    answered[number] += 1

    threads = [threading.Thread(target=come, args=(number,)) for number in range(len(answered))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered)


@attrs.frozen
class Measured:
    rate: float  # requests per second
    cpu: float  # microseconds of the server for each


def measure(who: str, seconds: float) -> Measured:
    """Start a server, load it from two processes, end it."""
    program = [sys.executable, "-m", "benchmarks.tls"]
    with subprocess.Popen([*program, "--serve", who], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            before = cpu_seconds(server.pid)
            loading = [*program, "--load", port, "--seconds", str(seconds)]
            loads = [subprocess.Popen(loading, stdout=subprocess.PIPE) for _ in range(2)]
            answered = sum(int(one.communicate()[0]) for one in loads)
            cpu = cpu_seconds(server.pid) - before
        finally:
            server.kill()
    return Measured(answered / seconds, 1e6 * cpu / max(1, answered))


def cpu_seconds(pid: int) -> float:
    """Return what a process has used so far; proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICK


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tls", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        SERVERS[options.serve]()
    elif options.load:
        print(load(options.load, options.seconds))
    else:
        compare(options.rounds, options.seconds)


def compare(rounds: int, seconds: float) -> None:
    """Measure all in turn, round by round; print medians, and ratios of the same round."""
    results: dict[str, list[Measured]] = {who: [] for who in SERVERS}
    for _ in range(rounds):
        for who, measured in results.items():
            measured.append(measure(who, seconds))
    print("| server | requests/s | ours / it | CPU of the server, us |")
    print("|---|---|---|---|")
    for who, measured in results.items():
        ratios = [a.rate / b.rate for a, b in zip(results["ours"], measured, strict=True)]
        rate = statistics.median(it.rate for it in measured)
        cpu = statistics.median(it.cpu for it in measured)
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"| {NAMES[who]} | {rate:,.0f} | {ratio} | {cpu:.0f} |")


if __name__ == "__main__":
    main()
