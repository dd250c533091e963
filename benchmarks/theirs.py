"""The standard library's, in a process of its own: `python -m benchmarks.theirs tcp threaded`."""

import socketserver

from benchmarks.classes import serve

if __name__ == "__main__":
    serve(socketserver)
