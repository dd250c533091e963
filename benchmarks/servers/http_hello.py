"""HTTP hello: the standard library's handler class, and the WSGI application."""

from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any

from benchmarks.servers.common import HELLO


class Hello(BaseHTTPRequestHandler):
    """What `ThreadingHTTPServer` and ours run, unchanged."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(HELLO)))
        self.end_headers()
        self.wfile.write(HELLO)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; nor do the others."""


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(HELLO)))])
    return [HELLO]
