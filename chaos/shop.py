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

    def end_headers(self) -> None:
        if cast("Server[Any, Any]", self.server).is_draining:
            self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main(port: str, folder: str, version: str) -> None:
    """Say that it serves, serve until SIGTERM, and say how it went."""
    Files.version = version
    place = ServerBuilder().tcp(("127.0.0.1", int(port)), reuse_port=True)
    server = place.threaded().handler(functools.partial(Files, directory=folder)).build()
    server.listen()
    print("serving", flush=True)
    report = server.run()
    print(report.cut, report.left_in_backlog)


if __name__ == "__main__":
    main(*sys.argv[1:])
