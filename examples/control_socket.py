"""A control socket that answers only its own user: then `echo stats | nc -NU control.sock`."""

import logging
import os
import sys

from acceptor import ServerBuilder, StreamHandler, allow_users


class Control(StreamHandler):
    """Understands one command a line."""

    timeout = 5.0

    def handle(self) -> None:
        """Answer until the client has no more commands."""
        for line in self.rfile:
            match line.strip():
                case b"stats":
                    answer = str(self.server.stats)
                case b"stop":
                    self.server.shutdown()
                    answer = "stopping"
                case unknown:
                    answer = f"expected stats or stop, got {unknown!r}"
            self.wfile.write(f"{answer}\n".encode())


if __name__ == "__main__":
    if sys.platform == "win32":
        sys.exit("Windows tells no user of a socket's peer")
    logging.basicConfig(level=logging.INFO)  # says where it listens, and whom it refused
    path = sys.argv[1] if len(sys.argv) > 1 else "control.sock"
    # The file lets everybody connect: who is answered is for the policy alone to say.
    stage = ServerBuilder().unix_stream(path, mode=0o666).access(allow_users(os.getuid()))
    stage.threaded(8).handler(Control).build().run()
