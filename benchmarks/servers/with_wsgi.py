"""The WSGI servers, each with its own defaults, but for what keeps many clients out."""

import socket
from typing import Any

import cheroot.wsgi
import waitress
from gunicorn.app.base import BaseApplication

from benchmarks.servers.common import BACKLOG, LOOPBACK, announce, run
from benchmarks.servers.http_hello import application

GUNICORN_THREADS = 64
KEPT_ALIVE = 1000  # connections; cheroot closes those above ten


def serve_waitress() -> None:
    sock = socket.create_server(LOOPBACK, backlog=BACKLOG)
    announce(sock.getsockname())
    waitress.create_server(application, sockets=[sock], backlog=BACKLOG).run()


def serve_cheroot() -> None:
    server = cheroot.wsgi.Server(LOOPBACK, application, request_queue_size=BACKLOG)
    server.keep_alive_conn_limit = KEPT_ALIVE
    server.prepare()
    announce(server.bind_addr)
    server.serve()


class Gunicorn(BaseApplication):  # type: ignore[misc, unused-ignore]
    """One worker with threads."""

    def load_config(self) -> None:
        options: dict[str, Any] = {
            "bind": "127.0.0.1:0",
            "worker_class": "gthread",
            "threads": GUNICORN_THREADS,
            "backlog": BACKLOG,
            "loglevel": "error",
            "when_ready": lambda arbiter: announce(arbiter.LISTENERS[0].sock.getsockname()),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return application


def serve_gunicorn() -> None:
    Gunicorn().run()


if __name__ == "__main__":
    run(
        {
            ("waitress", "http"): serve_waitress,
            ("cheroot", "http"): serve_cheroot,
            ("gunicorn", "http"): serve_gunicorn,
        }
    )
