"""A file server whose port others share, until it is told to end; `chaos.rolling` restarts it."""

import functools
import sys
from http.server import SimpleHTTPRequestHandler
from typing import Any, ClassVar, cast

from acceptor import Server, ServerBuilder


class Files(SimpleHTTPRequestHandler):
    """Tells its clients to leave once the drain has begun, and leaves none unanswered."""

    version: ClassVar[str]

    def setup(self) -> None:
        self.protocol_version = self.version
        super().setup()

    def do_GET(self) -> None:
        if self.path != "/ready":
            super().do_GET()
        else:
            self.send_response(503 if self._is_draining() else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _is_draining(self) -> bool:
        return cast("Server[Any, Any]", self.server).is_draining

    def end_headers(self) -> None:
        if self._is_draining():
            self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main(port: str, folder: str, version: str, lame_duck: str | None = None) -> None:
    """Say that it serves, serve until SIGTERM, and say how it went.

    With a time to be a lame duck for, in seconds, it is behind a proxy, and heeds its header.
    """
    Files.version = version
    place = ServerBuilder().tcp(("127.0.0.1", int(port)), reuse_port=True)
    files = functools.partial(Files, directory=folder)
    server: Server[Any, Any]
    if lame_duck is None:
        server = place.threaded().handler(files).build()
    else:
        proxied = place.proxy_protocol(trusted="127.0.0.0/8")
        server = proxied.threaded().handler(files).build()
    server.listen()
    print("serving", flush=True)
    report = server.run(lame_duck=float(lame_duck or 0))
    print(report.cut, report.left_in_backlog)


if __name__ == "__main__":
    main(*sys.argv[1:])
