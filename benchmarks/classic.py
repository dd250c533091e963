"""Our classic classes, in a process of its own: `python -m benchmarks.classic tcp threaded`."""

import acceptor.classic
from benchmarks.classes import serve

if __name__ == "__main__":
    serve(acceptor.classic)
