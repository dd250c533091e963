"""Clients of TLS, a new connection for each line: `PORT CLIENTS SECONDS`; prints JSON."""

import json
import socket
import ssl
import sys
import threading
import time

from benchmarks.servers.common import CERTIFICATE

LINE = b"x" * 63 + b"\n"


def come(port: int, context: ssl.SSLContext, until: float, times: list[float]) -> int:
    """Ask again and again; returns how often it went wrong."""
    errors = 0
    while (began := time.monotonic()) < until:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
                context.wrap_socket(plain) as client,
            ):
                client.sendall(LINE)
                if client.recv(100) == LINE:
                    times.append(time.monotonic() - began)
                else:
                    errors += 1
        except OSError:
            errors += 1
    return errors


def main(port: int, clients: int, seconds: float) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(CERTIFICATE)
    until = time.monotonic() + seconds
    times: list[float] = []
    errors: list[int] = []
    threads = [
        threading.Thread(target=lambda: errors.append(come(port, context, until, times)))
        for _ in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    at = {"p50": 0.5, "p99": 0.99}
    seen = {key: times[int(len(times) * share)] if times else 0.0 for key, share in at.items()}
    print(json.dumps({"operations": len(times), "seconds": seconds, "errors": sum(errors), **seen}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
