"""Serves a folder over HTTP: `python examples/static_files.py [PORT [FOLDER]]`, then curl."""

import functools
import logging
import sys
from http.server import SimpleHTTPRequestHandler

from acceptor import ServerBuilder

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)  # says where it listens
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    folder = sys.argv[2] if len(sys.argv) > 2 else "."
    files = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    ServerBuilder().tcp(("127.0.0.1", port)).threaded().handler(files).build().run()
